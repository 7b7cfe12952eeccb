"""`health extract`: every configured shop at every vendor, one after the other."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import duckdb
from rich.console import Console
from rich.markup import escape

from orchestration.errors import HealthError
from orchestration.extract.api import EXTRACTORS, Report, extractor, loads
from orchestration.extract.files import MEMORY_LIMIT, TableResult
from orchestration.settings import Connection, Settings, variables
from orchestration.vendors.wire import Patience
from orchestration.warehouse import connect

SECONDS_BETWEEN_LINES = 15.0
"""How often progress is written where it cannot overwrite itself."""


def connections(
    settings: Settings, sources: Collection[str] = (), shops: Collection[str] = ()
) -> list[Connection]:
    """The connections to extract from: all that are configured, or those that are named.

    Raises `HealthError` for a source that is none, and for what is named but not configured.
    """
    unknown = sorted(set(sources) - set(EXTRACTORS))
    if unknown:
        raise HealthError(
            f"There is no source {', '.join(unknown)} to extract from; "
            f"there are {', '.join(EXTRACTORS)}."
        )
    found = []
    for source in EXTRACTORS:
        if sources and source not in sources:
            continue
        there = [
            connection
            for shop in (sorted(set(shops)) or settings.shops(source))
            if (connection := settings.connection(shop, source)) is not None
        ]
        if not there and sources:
            raise HealthError(_not_configured(settings, source, shops))
        found += there
    if not found and shops:
        raise HealthError(f"No vendor is configured for {', '.join(shops)}: {_HOW}")
    return found


_HOW = "docs/connections.md tells which variables to set."


def _not_configured(settings: Settings, source: str, shops: Collection[str]) -> str:
    general = [name for name in variables(source) if name in settings.connections]
    if general and not shops:
        return f"{general[0]} is set, but no shop is named: set HEALTH_SHOPS. {_HOW}"
    whose = f" for {', '.join(shops)}" if shops else ""
    return f"{source.capitalize()} is not configured{whose}: set {variables(source)[0]}. {_HOW}"


def extract_all(
    found: Collection[Connection],
    warehouse: Path,
    report: Report,
    *,
    full: bool = False,
    loaded_at: datetime | None = None,
    patience: Patience | None = None,
) -> list[TableResult]:
    """Extract from each connection in turn; one result a raw table, all shops together.

    A connection that fails is told in a result of its own (`error`, no table) and stops no other.
    `loaded_at` (UTC when naive; now when left out) is the `_loaded_at` of all rows,
    `patience` how long a vendor is waited for (None: as long as each source thinks right).
    """
    moment = loaded_at or datetime.now(UTC)
    if moment.tzinfo:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    results: list[TableResult] = []
    with connect(warehouse) as connection:
        configure(connection)
        for target in found:
            who = f"{target.destination} {target.shop_id}"
            report(f"{who}: starting")

            def tell(line: str, who: str = who) -> None:
                report(f"{who}: {line}")

            try:
                results += extractor(target.destination)(
                    target, target.shop_id, connection, moment, full, tell, patience=patience
                )
                # All of it has landed, and there are people in it.
                shutil.rmtree(
                    loads.spool_path(warehouse, target.destination, target.shop_id),
                    ignore_errors=True,
                )
            except HealthError as error:
                results.append(
                    TableResult(source=target.destination, table="", files=0, error=str(error))
                )
    return together(results)


def configure(connection: duckdb.DuckDBPyConnection) -> None:
    """Bound the memory; what is staged may go to the disk."""
    connection.execute(f"set memory_limit = '{MEMORY_LIMIT}'")
    # No table here has an order, and keeping one costs memory.
    connection.execute("set preserve_insertion_order = false")


def together(results: Collection[TableResult]) -> list[TableResult]:
    """The results with those of one table added up, in the order of their first."""
    found: dict[tuple[str, str], TableResult] = {}
    for result in results:
        key = (result.source, result.table)
        found[key] = _sum(found[key], result) if key in found else result
    return list(found.values())


def _sum(one: TableResult, other: TableResult) -> TableResult:
    def words(*parts: str | None) -> str | None:
        return " ".join(dict.fromkeys(part for part in parts if part)) or None

    told = [r.rows_told for r in (one, other) if r.rows_told is not None]
    return TableResult(
        source=one.source,
        table=one.table,
        files=one.files + other.files,
        rows_read=one.rows_read + other.rows_read,
        rows_new=one.rows_new + other.rows_new,
        rows_changed=one.rows_changed + other.rows_changed,
        rows_unchanged=one.rows_unchanged + other.rows_unchanged,
        rows_rejected=one.rows_rejected + other.rows_rejected,
        seconds=one.seconds + other.seconds,
        error=words(one.error, other.error),
        note=words(one.note, other.note),
        example=one.example or other.example,
        rows_told=sum(told) if told else None,
    )


@contextmanager
def shown(console: Console) -> Iterator[Report]:
    """A `Report` for a console: one line that is overwritten, or now and then a line of a log."""
    if console.is_terminal:
        with console.status("") as status:
            yield lambda line: status.update(escape(line))
        return
    yield now_and_then(
        lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True)
    )


def now_and_then(write: Report) -> Report:
    """A `Report` that writes the first line of each stream, then one every so often."""
    last: dict[str, float] = {}

    def tell(line: str) -> None:
        stream = ":".join(line.split(":")[:2])
        if monotonic() - last.get(stream, -SECONDS_BETWEEN_LINES) >= SECONDS_BETWEEN_LINES:
            last[stream] = monotonic()
            write(line)

    return tell
