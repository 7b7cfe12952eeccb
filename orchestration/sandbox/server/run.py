"""Serving a sandbox on loopback: from a thread, or until it is interrupted."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from rich.console import Console

from orchestration.errors import HealthError
from orchestration.sandbox.server.app import build
from orchestration.sandbox.server.faults import FaultPlan
from orchestration.sandbox.server.state import Sandbox
from orchestration.settings import DESTINATIONS, shop_suffix

_ADDRESSES = {
    "klaviyo": "/klaviyo/{shop}",
    "shopify": "/shopify/{shop}/admin/api/2026-07/graphql.json",
    "zigpoll": "/zigpoll/{shop}",
    "postscript": "/postscript/{shop}",
    "slack": "/slack/{shop}",
}


@dataclass(frozen=True)
class Urls:
    """Where a running sandbox is, and the environment that points the push at it."""

    base: str
    environment: Mapping[str, str]

    def exports(self) -> list[str]:
        """The environment as lines for a shell."""
        return [f"export {name}='{value}'" for name, value in self.environment.items()]


def _environment(sandbox: Sandbox, base: str) -> dict[str, str]:
    found = {}
    for destination, path in _ADDRESSES.items():
        secret, url, _ = DESTINATIONS[destination]
        found[url] = base + path
        for shop in sandbox.shops(destination):
            found[secret + shop_suffix(shop)] = sandbox.token(destination, shop)
    for shop in sandbox.shops("shopify"):
        found[f"SHOPIFY_WEBHOOK_SECRET{shop_suffix(shop)}"] = sandbox.webhook_secret(shop)
    return found


@contextmanager
def running(sandbox: Sandbox, *, port: int = 0) -> Iterator[Urls]:
    """Serve a sandbox from a thread while the block runs; the system picks the port.

    Raises `HealthError` when the port asked for is taken.
    """
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            raise HealthError(
                f"Port {port} is taken: leave the port out and the system picks a free one."
            ) from error
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = uvicorn.Server(
            uvicorn.Config(
                build(sandbox),
                lifespan="off",
                log_config=None,
                log_level="critical",
                access_log=False,
                timeout_graceful_shutdown=2,
            )
        )
        listener.listen()
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="sandbox", daemon=True
        )
        thread.start()
        try:
            # The socket already listens: a call that comes before the server is up waits in line.
            yield Urls(base, _environment(sandbox, base))
        finally:
            server.should_exit = True
            thread.join(timeout=10)


def serve(
    directory: Path,
    *,
    journal: Path | None = None,
    console: Console | None = None,
    port: int = 0,
    faults: FaultPlan | None = None,
) -> None:
    """Serve the shops of a file drop until interrupted (Ctrl-C or SIGTERM).

    Prints the lines to export. `journal` keeps what was pushed over a restart. For the main
    thread alone.
    """
    console = console or Console()
    sandbox = Sandbox.from_drop(directory, journal=journal)
    sandbox.faults = faults or sandbox.faults
    stop = threading.Event()
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: stop.set()) for number in signals]
    try:
        with running(sandbox, port=port) as urls:
            for line in urls.exports():
                console.print(line, markup=False, highlight=False, soft_wrap=True)
            console.print(f"The sandbox is at {urls.base}. Ctrl-C ends it.", highlight=False)
            stop.wait()
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
        sandbox.close()
    console.print(
        "Ended. "
        + (f"What was pushed is in {journal}." if journal else "What was pushed is gone with it.")
    )
