"""A vendor whose answers a test writes by hand, on a port of this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pydantic import SecretStr

from orchestration.settings import Connection
from orchestration.vendors.wire import Patience

SECRET = "hush-hush-secret"
HASTY = Patience(attempts=4, first_wait=0.01, longest_wait=0.5, answer=5.0)


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What to send; `cut` breaks the connection in the middle of the body."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


class Vendor:
    """Answers by `script`, and remembers what it was asked."""

    def __init__(self, script: Callable[[Asked], Answer]) -> None:
        self.script = script
        self.asked: list[Asked] = []
        self.url = ""

    def connection(self, destination: str, shop_id: str = "acme") -> Connection:
        return Connection(
            shop_id=shop_id,
            destination=destination,
            url=self.url,
            secret=SecretStr(SECRET),
            variable=f"KEY_OF_{destination.upper()}__{shop_id.upper()}",
        )


@contextmanager
def running(script: Callable[[Asked], Answer]) -> Iterator[Vendor]:
    """Serve a script while the block runs."""
    vendor = Vendor(script)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            asked = Asked(
                self.command,
                parts.path,
                dict(parse_qsl(parts.query, keep_blank_values=True)),
                {name.lower(): value for name, value in self.headers.items()},
                self.rfile.read(length),
            )
            vendor.asked.append(asked)
            answer = vendor.script(asked)
            body = (
                answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            )
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if answer.cut:
                self.wfile.write(body[: len(body) // 2])
                self.close_connection = True
                return
            self.wfile.write(body)

        do_GET = do_POST = _answer

        def date_time_string(self, timestamp: float | None = None) -> str:
            return "Sun, 01 Nov 2026 12:00:00 GMT"

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    vendor.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield vendor
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def in_order(*first: Answer, then: Callable[[Asked], Answer]) -> Callable[[Asked], Answer]:
    """A script that gives these answers to the first requests, and then what `then` says."""
    waiting = list(first)
    return lambda asked: waiting.pop(0) if waiting else then(asked)


def klaviyo(
    profiles: list[Any], events: list[Any], metrics: dict[str, str] | None = None, size: int = 2
) -> Callable[[Asked], Answer]:
    """A Klaviyo that gives these objects, `size` a page, whatever it is asked."""

    def script(asked: Asked) -> Answer:
        objects = profiles if asked.path == "/api/profiles" else events
        start = int(asked.query.get("page[cursor]", "c0")[1:])
        more = start + size < len(objects)
        link = f"https://a.klaviyo.com{asked.path}?page%5Bcursor%5D=c{start + size}&x=1"
        body: dict[str, Any] = {
            "data": objects[start : start + size],
            "links": {"self": "x", "next": link if more else None},
        }
        if objects is events:
            body["included"] = [
                {"type": "metric", "id": i, "attributes": {"name": name}}
                for i, name in (metrics or {}).items()
            ]
        return Answer(body)

    return script


def zigpoll(
    responses: list[Any], slides: list[Any], emails: list[Any], size: int = 2
) -> Callable[[Asked], Answer]:
    """A Zigpoll of one account that gives these objects, `size` a page."""
    lists = {"/responses": responses, "/emails": emails}
    bare = {
        "/accounts": [{"_id": "account-1", "title": "Acme"}],
        "/polls": [{"_id": "poll-1"}, {"_id": "poll-2"}],
    }

    def script(asked: Asked) -> Answer:
        if asked.path in bare:
            return Answer(bare[asked.path])
        if asked.path == "/slides":
            # All slides are the first poll's.
            return Answer(slides if asked.query["pollId"] == "poll-1" else [])
        objects = lists[asked.path]
        start = int(asked.query.get("startCursor", "c0")[1:])
        more = start + size < len(objects)
        page = {"data": objects[start : start + size], "hasNextPage": more}
        return Answer({**page, "endCursor": f"c{start + size}" if more else None})

    return script


def postscript(subscribers: list[Any], size: int = 2) -> Callable[[Asked], Answer]:
    """A Postscript that gives these subscribers, `size` a page."""

    def script(asked: Asked) -> Answer:
        page = int(asked.query["page"])
        info = {"page": page, "total_pages": -(-len(subscribers) // size)}
        part = subscribers[(page - 1) * size : page * size]
        return Answer({"subscribers": part, "page_info": info})

    return script
