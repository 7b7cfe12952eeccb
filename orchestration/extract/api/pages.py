"""Paged answers: fetched one after the other into a spool, each as the vendor sent it.

A stream's spool holds one file, in which the answers stand one below the other, byte for byte.
What they mean is told by SQL over `Spool.relation`; here they are only counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import duckdb
import httpx

from orchestration.errors import HealthError
from orchestration.extract import landing
from orchestration.extract.api import Report
from orchestration.extract.api.loads import Told
from orchestration.settings import Connection
from orchestration.vendors import wire

ADVICE = "Nothing of this stream has landed: run the extract again later."
_DEFAULT_OBJECT_SIZE = 16 * 1024 * 1024


@dataclass(frozen=True)
class Page:
    """What an answer holds: how many objects, and the cursor of the next page (None: the last)."""

    objects: int
    following: str | None


class Spool:
    """The file that gathers a stream's answers, and what was counted while they came."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "pages.jsonl"
        self._file.write_bytes(b"")
        self._largest = 0
        self.pages = 0
        self.objects = 0
        self.started: datetime | None = None

    def keep(self, response: httpx.Response, objects: int) -> None:
        """Append an answer that was counted to hold `objects`. Raises `HealthError`: disk full."""
        if self.started is None:
            self.started = vendor_time(response)
        try:
            with self._file.open("ab") as file:
                file.write(response.content + b"\n")
        except OSError as error:
            raise HealthError(
                f"An answer could not be written to {self._file}: {error.strerror}."
            ) from error
        self._largest = max(self._largest, len(response.content))
        self.pages += 1
        self.objects += objects

    def relation(self, columns: Mapping[str, str]) -> str:
        """SQL for the answers, one a row, with these top-level members as columns."""
        kinds = ", ".join(
            f"{landing.literal(name)}: {landing.literal(kind)}" for name, kind in columns.items()
        )
        # An answer may be longer than DuckDB's usual limit for one object.
        size = max(_DEFAULT_OBJECT_SIZE, self._largest + 1)
        return (
            f"read_json({landing.literal(str(self._file))}, format = 'unstructured', "
            f"columns = {{{kinds}}}, maximum_object_size = {size})"
        )

    def listed(self, structure: str) -> str:
        """SQL for answers that are bare lists: their objects, one a row, in the column `o`.

        `structure` is that of one object, as `from_json` takes it.
        """
        lists = f"read_json_objects({landing.literal(str(self._file))}, format = 'unstructured')"
        return (
            f"select unnest(from_json(json, {landing.literal(f'[{structure}]')})) as o from {lists}"
        )

    def told(self, warehouse: duckdb.DuckDBPyConnection, what: str, objects: str) -> list[Told]:
        """What was counted while the answers came, beside what SQL finds in the file.

        `objects` is a SELECT with a row an object; `what` is the word for them.
        """
        answers = f"read_json_objects({landing.literal(str(self._file))}, format = 'unstructured')"
        return [
            Told("pages", self.pages, found(warehouse, f"select count(*) from {answers}")),
            Told(what, self.objects, found(warehouse, f"select count(*) from ({objects})")),
        ]


def found(warehouse: duckdb.DuckDBPyConnection, query: str) -> int:
    """The number that a query over a spool answers with; see `first` for errors."""
    return int(first(warehouse, query) or 0)


def first(warehouse: duckdb.DuckDBPyConnection, query: str) -> Any:
    """The first value of a query over a spool.

    Raises `HealthError` when the answers are not of the shape that the query reads.
    """
    try:
        row = warehouse.execute(query).fetchone()
    except (duckdb.InvalidInputException, duckdb.ConversionException) as error:
        raise HealthError(
            "An answer is not of the shape that was documented, so nothing of it has landed: "
            f"{str(error).splitlines()[0][:300]}"
        ) from error
    return row[0] if row else None


def vendor_time(response: httpx.Response) -> datetime:
    """When an answer left, by the vendor's own clock (naive UTC); by ours when it does not say."""
    try:
        moment = parsedate_to_datetime(response.headers["Date"])
    except (KeyError, ValueError):
        moment = datetime.now(UTC)
    return moment.astimezone(UTC).replace(tzinfo=None)


def fetch(
    who: str,
    spool: Spool,
    ask: Callable[[str | None], httpx.Response],
    read: Callable[[dict[str, Any]], Page],
    refusal: Callable[[httpx.Response], str],
    *,
    patience: wire.Patience,
    report: Report,
    what: str,
) -> None:
    """Fetch all pages of a stream into its spool.

    `ask` makes one call for the page at a cursor (None: the first), `read` counts what the answer
    holds, `refusal` is the sentence about an answer other than 200. 429, 5xx and broken
    connections are asked again. Raises `wire.Stopped` when the vendor refuses, when patience ends
    and when a cursor comes back that was followed before: pages would come round for ever.
    """
    cursor: str | None = None
    followed: set[str] = set()
    while True:
        response = answered(who, patience, ask, cursor)
        if response.status_code != 200:
            raise wire.Stopped(refusal(response))
        page = read(wire.as_object(response, who))
        spool.keep(response, page.objects)
        report(f"{what}: {spool.objects:,}")
        if page.following is None:
            return
        if page.following in followed:
            raise wire.Stopped(
                f"{who} gave the same cursor twice after {spool.pages:,} pages of {what}, so the "
                f"list never ends. {ADVICE}"
            )
        followed.add(page.following)
        cursor = page.following


def answered(
    who: str,
    patience: wire.Patience,
    ask: Callable[[str | None], httpx.Response],
    cursor: str | None = None,
    *,
    advice: str = ADVICE,
) -> httpx.Response:
    """The answer to one call, repeated while that can help."""
    return wire.call(who, patience, lambda: ask(cursor), advice=advice)


def said(response: httpx.Response, connection: Connection, most: int = 300) -> str:
    """What a vendor said, for a sentence, without the key in case it repeated it."""
    secret = connection.secret.get_secret_value()
    return wire.words(response, len(response.text)).replace(secret, "…")[:most]


def objects_of(answer: Mapping[str, Any], member: str, who: str) -> list[Any]:
    """The list of an answer. Raises `wire.Stopped` when there is none."""
    objects = answer.get(member)
    if not isinstance(objects, list):
        raise wire.Stopped(
            f"{who} answered without a list called {member}: check the address in the environment."
        )
    return objects


def since(cursor: str | None, overlap: timedelta, full: bool) -> datetime | None:
    """From when on an extract asks (naive UTC); None asks for everything."""
    if full or cursor is None:
        return None
    return datetime.fromisoformat(cursor) - overlap


def next_cursor(
    warehouse: duckdb.DuckDBPyConnection, times: str, spool: Spool, stored: str | None
) -> str | None:
    """The cursor after an extract: the highest time seen, but not after the extract began.

    `times` is a SELECT of one text an object. What bears a later time than the vendor's clock
    showed when the first page came must not make the next extract skip what comes until then.
    """
    latest = first(warehouse, f"select max(landed_timestamp(t)) from ({times}) as seen (t)")
    seen = [datetime.fromisoformat(stored)] if stored else []
    if latest is not None:
        seen.append(latest)
    if not seen:
        return None
    return min(max(seen), spool.started or max(seen)).isoformat()
