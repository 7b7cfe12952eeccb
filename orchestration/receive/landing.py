"""From the inbox to the raw tables: `health land`, and a step of its own in Dagster.

DuckDB reads the files and takes rows out of payloads by SQL (`sql/`). All tables change in one
transaction and only then are files removed: what is landed twice is there once.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from orchestration.errors import HealthError
from orchestration.extract import conversions, landing
from orchestration.extract.contract import Table, tables
from orchestration.extract.files import TableResult
from orchestration.extract.landing import literal, quoted
from orchestration.receive import inbox, privacy
from orchestration.receive.app import LARGEST_BODY
from orchestration.receive.topics import PARTS, Part
from orchestration.warehouse import connect

AT_ONCE = 5_000
"""Deliveries that land in one transaction."""

_SQL = Path(__file__).parent / "sql"
_REJECTS = "inbox_rejects"
_ENVELOPE = {
    "source": "varchar",
    "shop_id": "varchar",
    "topic": "varchar",
    "triggered_at": "varchar",
    "received_at": "varchar",
    "body": "varchar",
}


def land_inbox(warehouse: Path, *, loaded_at: datetime | None = None) -> list[TableResult]:
    """Land all deliveries that wait; one result a table, none when nothing waits.

    A row's `_loaded_at` is the moment that the vendor sent it, so that a delivery that comes late
    changes nothing that a later one said; it is never after `loaded_at` (UTC when naive; now when
    left out). Raises `HealthError` when the warehouse is held or a file of the inbox is damaged.
    """
    moment = loaded_at or datetime.now(UTC)
    if moment.tzinfo:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    folder = inbox.inbox_folder(warehouse)
    found: dict[tuple[str, str], TableResult] = {}
    while paths := inbox.waiting(folder, AT_ONCE):
        with connect(warehouse) as connection:
            conversions.create_macros(connection)
            results = _land(connection, paths, moment)
        inbox.remove(paths)
        for result in results:
            known = found.get((result.source, result.table))
            found[result.source, result.table] = _sum(known, result) if known else result
    return [found[key] for key in sorted(found)]


def _sum(one: TableResult, other: TableResult) -> TableResult:
    counts = (
        "files", "rows_read", "rows_new", "rows_changed", "rows_unchanged", "rows_rejected",
        "seconds",
    )  # fmt: skip
    added = {name: getattr(one, name) + getattr(other, name) for name in counts}
    return replace(one, **added, note=other.note or one.note, example=one.example or other.example)


@dataclass(frozen=True)
class _Filled:
    """A stage that parts have filled: its rows, those refused, and how long that took."""

    table: Table
    stage: landing.Stage
    deliveries: int
    rows: int
    rejects: str
    seconds: float


def _land(
    connection: duckdb.DuckDBPyConnection, paths: Sequence[Path], moment: datetime
) -> list[TableResult]:
    """Land some deliveries in one transaction."""
    _read(connection, paths, moment)
    sent = connection.execute("select distinct source, topic from all_deliveries").fetchall()
    parts = [p for p in PARTS if any(s == p.source and t.startswith(p.topics) for s, t in sent)]
    with ExitStack() as stack:
        filled = []
        for source, name in dict.fromkeys((part.source, part.table) for part in parts):
            of_table = [part for part in parts if (part.source, part.table) == (source, name)]
            if (each := _fill(connection, stack, tables()[source, name], of_table)) is not None:
                filled.append(each)
        with landing.transaction(connection):
            results = [_merge(connection, each, moment) for each in filled]
            results += privacy.record(connection, moment)
    return results


def _read(connection: duckdb.DuckDBPyConnection, paths: Sequence[Path], moment: datetime) -> None:
    """Make the temporary tables `envelopes` and `all_deliveries`, which hold the payloads."""
    names = ", ".join(literal(str(path)) for path in paths)
    columns = ", ".join(f"{name}: '{kind}'" for name, kind in _ENVELOPE.items())
    try:
        connection.execute(f"""
            create or replace temp table envelopes as
            select parse_filename(filename) as file, * exclude (filename)
            from read_json(
                [{names}], format = 'newline_delimited', columns = {{{columns}}},
                filename = true, maximum_object_size = {8 * LARGEST_BODY}
            )
        """)
    except (duckdb.InvalidInputException, duckdb.IOException) as error:
        raise HealthError(
            f"A file of the inbox {paths[0].parent} is damaged: {str(error).splitlines()[0]} "
            "Move it away and land again; nothing of it has landed."
        ) from error
    connection.execute(f"""
        create or replace temp table all_deliveries as
        select
            file,
            source,
            shop_id,
            topic,
            try_cast(body as json) as body,
            least(
                coalesce(landed_timestamp(triggered_at), landed_timestamp(received_at)),
                landed_timestamp(received_at)
            ) as happened_at,
            least(happened_at, {literal(moment.isoformat(sep=" "))}::timestamp) as loaded_at
        from envelopes
    """)


def _fill(
    connection: duckdb.DuckDBPyConnection, stack: ExitStack, table: Table, parts: Sequence[Part]
) -> _Filled | None:
    """Fill the stage of a table from its parts; None when they hold no row of it."""
    started = time.perf_counter()
    landing.ensure_table(connection, table)
    counts = {part: _take_out(connection, part) for part in parts}
    if not any(counts.values()):
        return None
    stage = stack.enter_context(landing.staged(connection, table))
    rejects = f"{_REJECTS}_{table.source}_{table.name}"
    landing.create_rejects(connection, rejects)
    for part in (part for part, rows in counts.items() if rows):
        told = _convert(connection, table, part)
        _reject(connection, table, part, told, rejects)
        _stage(connection, table, part, told, stage.relation)
    files = " union ".join(f"select file from {part.name}" for part in parts)
    return _Filled(
        table=table,
        stage=stage,
        deliveries=landing.scalar(connection, f"select count(*) from ({files})"),
        rows=sum(counts.values()),
        rejects=rejects,
        seconds=time.perf_counter() - started,
    )


def _take_out(connection: duckdb.DuckDBPyConnection, part: Part) -> int:
    """Make a table of the part's rows as text, numbered, each with its file; yields how many."""
    select = (_SQL / f"{part.name}.sql").read_text()
    connection.execute(f"""
        create or replace temp table {part.name} as
        with deliveries as (
            select * from all_deliveries where source = {literal(part.source)}
        ),
        refunds_sent as (
            select file, body as refund, null as order_id from deliveries
            where topic = 'refunds/create'
            union all
            select file, unnest(body -> '$.refunds[*]') as refund, body ->> '$.id' as order_id
            from deliveries
            where topic in ('orders/create', 'orders/updated')
        )
        select row_number() over () as line, sent.* from ({select}) as sent
    """)
    return landing.scalar(connection, f"select count(*) from {part.name}")


def _convert(connection: duckdb.DuckDBPyConnection, table: Table, part: Part) -> list[str]:
    """Make `part_values`, the part's rows in the contract's types; yields their columns."""
    found = connection.execute(f"describe {part.name}").fetchall()
    told = [str(row[0]) for row in found if row[0] not in ("file", "line")]
    values = ", ".join(
        f"{conversions.value(table, c, f'p.{quoted(c)}')} as {quoted(c)}" for c in told
    )
    connection.execute(
        "create or replace temp table part_values as "
        f"select p.line, p.file, {values} from {part.name} as p"
    )
    return told


def _reject(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    part: Part,
    told: Sequence[str],
    rejects: str,
) -> None:
    """Move rows without a key, or with a value that the contract cannot hold, to the rejects."""
    reasons = []
    for column in told:
        text, lost = f"p.{quoted(column)}", f"v.{quoted(column)} is null"
        if column in table.primary_key:
            reasons.append((column, lost, literal("is missing or no id")))
        elif conversions.can_fail(table, column):
            about = literal(f"' {conversions.expectation(table, column)}")
            said = f"{literal(chr(39))} || left({text}, 100) || {about}"
            reasons.append((column, f"{text} <> '' and {lost}", said))
    found = " union all ".join(
        f"select line, p.file, {literal(column)} as field, {reason} as reason "
        f"from {part.name} as p inner join part_values as v using (line) where {wrong}"
        for column, wrong, reason in reasons
    )
    connection.execute(f"""
        create or replace temp table part_rejects as
        select distinct on (line) * from ({found}) order by line, field
    """)
    connection.execute(f"""
        insert into {rejects}
        select 'inbox/' || r.file, 1, r.field, r.reason,
            left(envelopes.body, {landing.MAX_REJECTED_CONTENT})
        from part_rejects as r
        inner join envelopes using (file)
    """)
    connection.execute("delete from part_values where line in (select line from part_rejects)")


def _stage(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    part: Part,
    told: Sequence[str],
    stage: str,
) -> None:
    """Put the rows of a part into the stage; what they do not tell is taken from what is stored."""

    def value(column: str) -> str:
        if column == "shop_id":
            return "d.shop_id"
        if column == "_loaded_at":
            return "d.loaded_at"
        stored = "null" if part.bare else f"t.{quoted(column)}"
        if column not in told:
            return stored
        sent = f"v.{quoted(column)}"
        return f"coalesce({sent}, {stored})" if column in part.keeps else sent

    same = " and ".join(f"{value(column)} = t.{quoted(column)}" for column in table.primary_key)
    connection.execute(f"""
        insert into {stage} ({landing.names(table.columns)})
        select {", ".join(value(column) for column in table.columns)}
        from part_values as v
        inner join all_deliveries as d using (file)
        left join {table.schema}.{quoted(table.name)} as t on {same}
    """)


def _merge(connection: duckdb.DuckDBPyConnection, filled: _Filled, moment: datetime) -> TableResult:
    """Merge one stage; call it inside the transaction."""
    started = time.perf_counter()
    table = filled.table
    merged = landing.merge(connection, table, filled.stage, forgets=True)
    landing.record_rejects(connection, table, filled.rejects, moment)
    rejected = landing.scalar(connection, f"select count(*) from {filled.rejects}")
    example = connection.execute(
        f"select file || ': ' || field || ' ' || reason from {filled.rejects} order by file limit 1"
    ).fetchone()
    return TableResult(
        source=table.source,
        table=table.name,
        files=filled.deliveries,
        rows_read=filled.rows,
        rows_new=merged.new,
        rows_changed=merged.changed,
        rows_unchanged=filled.rows - rejected - merged.new - merged.changed,
        rows_rejected=rejected,
        seconds=filled.seconds + time.perf_counter() - started,
        example=str(example[0]) if example else None,
    )
