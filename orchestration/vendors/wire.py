"""One HTTP call to a vendor: retried while that can help, a sentence when it cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import stamina
import stamina.instrumentation

from orchestration.errors import HealthError
from orchestration.settings import Connection, is_loopback
from orchestration.vendors.pace import retry_after

# stamina would report each retry on stderr, by way of whatever logging it finds installed.
stamina.instrumentation.set_on_retry_hooks([])


@dataclass(frozen=True)
class Patience:
    """How long to go on trying, in seconds where not said otherwise.

    `attempts` counts the first try. A vendor that asks (Retry-After) for more than `longest_wait`
    ends the run for that connection: what is left is done by the next one. `job` is for import
    jobs and reads in bulk, `bulk` for bulk mutations, which Shopify ends after a day.
    """

    attempts: int = 6
    first_wait: float = 0.5
    longest_wait: float = 120.0
    answer: float = 60.0
    first_poll: float = 0.3
    longest_poll: float = 10.0
    job: float = 1800.0
    bulk: float = 24 * 3600.0


class Stopped(HealthError):
    """A connection cannot go on. What it confirmed or landed before stays."""


class Passing(Exception):
    """A failure that may pass; `wait` is what the vendor asks for, in seconds, when it says so."""

    def __init__(self, words: str, wait: float | None = None) -> None:
        super().__init__(words)
        self.wait = wait


def client(connection: Connection, patience: Patience, headers: dict[str, str]) -> httpx.Client:
    """An HTTP client for one connection; opens no socket before the first call.

    A proxy of the environment is used for vendors, never for this machine.
    """
    return httpx.Client(
        headers=headers,
        timeout=patience.answer,
        trust_env=not is_loopback(connection.url),
        follow_redirects=False,
    )


def call(
    who: str,
    patience: Patience,
    request: Callable[[], httpx.Response],
    inspect: Callable[[httpx.Response], None] | None = None,
    *,
    advice: str = "Run the extract again later.",
) -> httpx.Response:
    """The answer to `request`, which is repeated on 429, 5xx and broken connections.

    `inspect` may raise `Passing` for an answer that is no answer yet. Raises `Stopped`, naming
    `who` and ending with `advice`, when patience is at its end.
    """

    def once() -> httpx.Response:
        try:
            response = request()
        except httpx.TransportError as error:
            raise Passing(f"did not answer ({type(error).__name__})") from error
        if response.status_code == 429 or response.status_code >= 500:
            wait = retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
            raise Passing(f"answered {response.status_code}", wait)
        if inspect is not None:
            inspect(response)
        return response

    def pause(error: Exception) -> bool | float:
        if not isinstance(error, Passing):
            return False
        if error.wait is None:
            return True
        # Zero would read as "do not retry".
        return max(error.wait, 0.01) if error.wait <= patience.longest_wait else False

    caller = stamina.RetryingCaller(
        attempts=patience.attempts,
        timeout=None,
        wait_initial=patience.first_wait,
        wait_max=patience.longest_wait,
        wait_jitter=0.0,
    )
    try:
        return caller(pause, once)
    except Passing as error:
        asked = f" and asks to wait {error.wait:.0f} s" if error.wait else ""
        raise Stopped(f"{who} {error}{asked}. {advice}") from error


def words(response: httpx.Response, most: int = 300) -> str:
    """What a vendor said, short enough for a sentence."""
    return " ".join(response.text.split())[:most] or "nothing"


def as_object(response: httpx.Response, who: str) -> dict[str, Any]:
    """The JSON object of an answer. Raises `Stopped` when it holds something else."""
    try:
        value = response.json()
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Stopped(
            f"{who} answered {response.status_code} with something that is no JSON object: check "
            f"the address in the environment. It said: {words(response, 120)}"
        )
    return value
