"""A bulk result onto the disk: streamed, and taken up where a broken connection left it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx

from orchestration.settings import is_loopback
from orchestration.vendors import pace, wire

BYTES_BETWEEN_LINES = 4_000_000
"""How often progress is told."""


class Gone(wire.Stopped):
    """The result is not there any more; the query has to be asked again."""


def download(
    url: str,
    target: Path,
    size: int | None,
    *,
    who: str,
    patience: wire.Patience,
    report: Callable[[str], None] = lambda line: None,
    sleep: Callable[[float], None] = time.sleep,
    advice: str = "The next extract goes on with it.",
) -> None:
    """Fetch a bulk result of `size` bytes (None when Shopify does not say) into a file.

    Bytes that are already in the file are not fetched again, if the other side can go on from
    there. Tries go on as long as each brings the file further than ever. The address is signed
    and goes into no message. Raises `Gone` when nothing is there any more and `wire.Stopped` when
    patience is at its end, with `advice` as its last sentence.
    """
    if not url.startswith("https://") and not (url.startswith("http://") and is_loopback(url)):
        raise wire.Stopped(f"{who} gave an address for its result that is not https.")
    furthest = _size(target)
    failures = 0
    # Another host than the API's: it gets no token.
    with httpx.Client(timeout=patience.answer, trust_env=not is_loopback(url)) as client:
        while True:
            try:
                wait, problem = _attempt(client, url, target, size, who, report)
            except httpx.TransportError as error:
                wait, problem = None, f"broke off ({type(error).__name__})"
            if problem is None:
                return
            have = _size(target)
            failures = 0 if have > furthest else failures + 1
            furthest = max(furthest, have)
            if failures >= patience.attempts or (wait or 0.0) > patience.longest_wait:
                raise wire.Stopped(f"{who}: the download of a result {problem}. {advice}")
            pause = patience.first_wait * 2**failures if wait is None else wait
            sleep(min(pause, patience.longest_wait))


def _attempt(
    client: httpx.Client,
    url: str,
    target: Path,
    size: int | None,
    who: str,
    report: Callable[[str], None],
) -> tuple[float | None, str | None]:
    """One try: what the other side asks to wait, and what went wrong (None when all is there)."""
    have = _size(target)
    if size is not None and have > size:
        target.unlink()
        have = 0
    if size is not None and have == size and have:
        return None, None
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with client.stream("GET", url, headers=headers) as response:
        status = response.status_code
        if status in (403, 404, 410):
            raise Gone(f"{who}: a bulk result is not there any more ({status}).")
        if status == 429 or status >= 500:
            wait = pace.retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
            return wait, f"was answered {status}"
        goes_on = response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if status == 416 or (status == 206 and not goes_on):
            target.unlink(missing_ok=True)
            return 0.0, "could not be taken up"
        if status not in (200, 206):
            raise wire.Stopped(f"{who}: the download of a result was answered {status}.")
        shown = 0
        with target.open("ab" if status == 206 else "wb") as file:
            # As it comes: a larger piece would be lost whole when the connection breaks within it.
            for piece in response.iter_raw():
                file.write(piece)
                if size and (file.tell() >= shown + BYTES_BETWEEN_LINES or file.tell() == size):
                    shown = file.tell()
                    report(f"{shown / 1e6:,.1f} of {size / 1e6:,.1f} MB fetched")
    have = _size(target)
    if size is not None and have != size:
        return None, f"brought {have:,} bytes, not {size:,}"
    return None, None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
