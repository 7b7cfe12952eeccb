"""The application: all vendors under one address, every request counted, logged and watched."""

from __future__ import annotations

import asyncio
import hashlib
from itertools import count
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestration.sandbox.server import klaviyo, postscript, shopify, slack, zigpoll
from orchestration.sandbox.server.faults import Fault
from orchestration.sandbox.server.state import Sandbox
from orchestration.sandbox.server.store import Moment, Request, Seen, Sent

# What the log says of a client that ended before its request was whole; nothing was done.
CLIENT_GONE = "client gone"


def build(sandbox: Sandbox) -> ASGIApp:
    """The ASGI application of a sandbox: `/<vendor>/<shop>/...`, the rest as the vendor has it."""
    vendors = (shopify, klaviyo, zigpoll, postscript, slack)
    inner = Starlette(routes=[route for vendor in vendors for route in vendor.routes(sandbox)])
    return Recorder(inner, sandbox)


class Recorder:
    """Counts, logs and watches requests, and lets the planned ones fail."""

    def __init__(self, inner: ASGIApp, sandbox: Sandbox) -> None:
        self._inner = inner
        self._sandbox = sandbox
        last = sandbox.store.query("select coalesce(max(number), 0) from requests")[0][0]
        self._numbers = count(last + 1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI)."""
        if scope["type"] != "http":
            return
        number = next(self._numbers)
        parts = [*scope["path"].strip("/").split("/"), "", ""]
        seen = Seen(number, parts[0], parts[1], scope["path"])
        fault = self._sandbox.faults.of(number)
        info: dict[str, Any] = {
            "operation": "other",
            "items": 0,
            "request_id": f"request-{number:06d}",
            "fault": fault,
        }
        scope["sandbox"] = info
        digest = hashlib.sha256()
        held: list[Message] = []
        gone = False

        raw = bytearray()

        async def reading() -> Message:
            message = await receive()
            digest.update(message.get("body", b""))
            if self._sandbox.sent is not None:
                raw.extend(message.get("body", b""))
            return message

        async def holding(message: Message) -> None:
            held.append(message)

        self._tell(Moment.ARRIVED, seen)
        if fault is Fault.SLOW:
            await asyncio.sleep(self._sandbox.faults.slowness)
        early = _early(fault, self._sandbox.faults.retry_after, seen.destination)
        if early is not None:
            await early(scope, receive, holding)
        elif fault is not Fault.LOST_REQUEST:
            try:
                await self._inner(scope, reading, holding)
            except ClientDisconnect:
                gone = True
            else:
                self._keep(scope, seen, bytes(raw))
                self._tell(Moment.WORKED, seen)
        if gone:
            held.clear()
        elif fault is Fault.FAILED_ANSWER:
            held.clear()
            failed = JSONResponse({"errors": "Internal Server Error"}, 500)
            await failed(scope, receive, holding)
        broken = fault in (Fault.LOST_REQUEST, Fault.LOST_ANSWER)
        self._sandbox.store.log(
            Request(
                number=number,
                destination=seen.destination,
                shop_id=seen.shop_id,
                operation=info["operation"],
                items=info["items"],
                status=None if broken or gone else held[0]["status"],
                fault=CLIENT_GONE if gone else None if fault is None else str(fault),
                body_hash=digest.hexdigest(),
                request_id=info["request_id"],
            )
        )
        if gone:
            return
        if broken:
            # A promised body that never comes: the server drops the connection.
            start = {"type": "http.response.start", "status": 200}
            await send({**start, "headers": [(b"content-length", b"1000000")]})
            return
        for message in held:
            await send(message)
        self._tell(Moment.ANSWERED, seen)

    def _keep(self, scope: Scope, seen: Seen, body: bytes) -> None:
        if self._sandbox.sent is not None:
            query = scope["query_string"].decode()
            self._sandbox.sent.append(
                Sent(seen.destination, scope["method"], seen.path, query, body)
            )

    def _tell(self, moment: Moment, seen: Seen) -> None:
        if self._sandbox.watch is not None:
            self._sandbox.watch(moment, seen)


def _early(fault: Fault | None, retry_after: float, destination: str) -> ASGIApp | None:
    """The answer of a fault that leaves the work undone, as the vendor words it."""
    if fault is Fault.DOWN:
        return JSONResponse({"errors": "Service Unavailable"}, 503)
    if fault is not Fault.BUSY:
        return None
    if destination == "klaviyo":
        return klaviyo.busy(retry_after)
    if destination == "slack":
        return slack.busy(retry_after)
    if destination == "postscript":
        return postscript.busy()
    headers = {"Retry-After": f"{retry_after:.3f}"}
    return JSONResponse({"errors": "Too Many Requests"}, 429, headers=headers)
