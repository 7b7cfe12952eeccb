"""`health serve`: the receiver as a process of its own, until it is interrupted."""

from __future__ import annotations

import signal
import socket
import threading
from pathlib import Path

import uvicorn
from rich.console import Console

from orchestration.errors import HealthError
from orchestration.receive import inbox
from orchestration.receive.app import build
from orchestration.receive.secrets import connected
from orchestration.receive.topics import TOPICS

MOST_AT_ONCE = 256


def serve(
    warehouse: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    console: Console | None = None,
) -> None:
    """Receive webhooks until Ctrl-C or SIGTERM; what is under way is finished first.

    Prints the address. For the main thread alone. Raises `HealthError` when no secret is set, when
    the port is taken or when the inbox cannot be written.
    """
    console = console or Console()
    sources = [source for source in TOPICS if connected(source)]
    if not sources:
        raise HealthError(
            "No webhook could be verified: set SHOPIFY_WEBHOOK_SECRET (or SHOPIFY_CLIENT_SECRET) "
            "or ZIGPOLL_WEBHOOK_SECRET first."
        )
    folder = inbox.inbox_folder(warehouse)
    try:
        inbox.make_folder(folder)
    except OSError as error:
        raise HealthError(f"The inbox {folder} cannot be made: {error.strerror}.") from error
    with _listening(host, port) as listener:
        address = f"http://{host}:{listener.getsockname()[1]}"
        server = uvicorn.Server(
            uvicorn.Config(
                build(warehouse),
                lifespan="off",
                log_config=None,
                log_level="critical",
                # An address may hold a secret.
                access_log=False,
                limit_concurrency=MOST_AT_ONCE,
                timeout_graceful_shutdown=10,
            )
        )
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="receiver"
        )
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        thread.start()
        for source in sources:
            console.print(
                f"{address}/webhooks/{source}/<shop>", markup=False, highlight=False, soft_wrap=True
            )
        console.print(f"Kept in {folder} until landed. Ctrl-C ends it.", highlight=False)
        while thread.is_alive() and not stop.wait(1.0):
            pass
        server.should_exit = True
        thread.join()


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(MOST_AT_ONCE)
    except OSError as error:
        listener.close()
        raise HealthError(
            f"{host} port {port} cannot be listened on: {error.strerror}. "
            "With --port 0 the system picks a free one."
        ) from error
    return listener
