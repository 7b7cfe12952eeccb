"""The marts in Postgres, for BI servers: all of them in one transaction, and only what changed.

The serving copy is the source: complete, checked, and free of personal data. Each mart is copied
to a temporary table first; then the rows that differ are deleted and inserted. Truncating or
renaming would be quicker, but it shows an empty table to readers with an older snapshot and waits
for each of them to end; this waits for no reader and no reader waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import duckdb
from pydantic import SecretStr

from orchestration.errors import HealthError
from orchestration.publish import postgres_tables as tables
from orchestration.publish.postgres_marts import (
    DAY,
    SCHEMA,
    Mart,
    first_days,
    literal,
    marts_of,
    quoted,
    selection,
)
from orchestration.publish.postgres_session import Session, opened
from orchestration.warehouse import connect

# Rows that are under way at once: DuckDB holds a stream's rows in memory until they were taken.
SLICE = 250_000
# Publishers take turns by this advisory lock; so long one waits for another.
TURN, TURN_TIMEOUT = 4_807_130_902, "30min"


@dataclass(frozen=True)
class Table:
    """What became of a mart; `first_day` is None when none of its days were left out."""

    name: str
    rows: int
    deleted: int
    inserted: int
    seconds: float
    first_day: date | None = None


@dataclass
class Published:
    """What was published, and the tables of marts that are no more: these are empty now."""

    tables: list[Table] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)

    @property
    def left_out(self) -> list[str]:
        """What stays in the warehouse, a sentence each."""
        return [
            f"{table.name} begins on {table.first_day}"
            for table in self.tables
            if table.first_day is not None
        ]


@dataclass(frozen=True)
class _Staged:
    mart: Mart
    table: str
    rows: int
    seconds: float
    first_day: date | None
    has_gaps: bool


# Told with each slice: the mart, how many rows of it are there, and how many there will be.
Report = Callable[[str, int, int], None]


def publish_postgres(
    copy: Path,
    url: SecretStr,
    *,
    reader: str,
    days: int,
    keys: Mapping[str, tuple[str, ...]],
    report: Report = lambda mart, done, total: None,
) -> Published:
    """Make the schema `marts` at `url` agree with that of a serving copy, in one transaction.

    Marts with days hold the last `days` scored ones of each shop. `keys` says what identifies the
    rows of a mart (`keys_of`). Raises `HealthError` when there is no copy, when Postgres refuses
    something, and when personal data is in a mart; Postgres is then left as it was.
    """
    if not copy.exists():
        raise HealthError(f"There is no copy for readers at {copy} yet. Run `health publish`.")
    with connect(copy, read_only=True) as source, opened(url) as session:
        marts = marts_of(source, keys)
        _begin(session)
        ours = tables.prepare(session)
        tables.refuse_foreign(session, marts, ours)
        first = first_days(source, days)
        staged = [
            _stage(source, session, mart, f"health_{number}", first, report)
            for number, mart in enumerate(marts)
        ]
        published = Published(
            [_merge(session, one, is_new=one.mart.name not in ours) for one in staged],
            sorted(ours - {mart.name for mart in marts}),
        )
        tables.empty(session, set(published.gone))
        tables.describe(session, marts)
        _record(session, published)
        tables.grant(session, reader)
        session.commit()
    return published


def _begin(session: Session) -> None:
    """Wait for our turn, in a session that no timeout of the server ends and our death does."""
    session.run("set local application_name = 'customer health'")
    session.run("set local statement_timeout = 0")
    session.run("set local idle_in_transaction_session_timeout = 0")
    session.run("set local timezone = 'UTC'")
    # Else a killed publisher's last statement would run to its end, holding what it holds.
    if session.rows("select 1 where current_setting('server_version_num')::int >= 140000"):
        session.run("set local client_connection_check_interval = '2s'")
    session.run(f"set local lock_timeout = '{TURN_TIMEOUT}'")
    session.run(f"select pg_advisory_xact_lock({TURN})")


def _stage(
    source: duckdb.DuckDBPyConnection,
    session: Session,
    mart: Mart,
    table: str,
    first: Mapping[str, date],
    report: Report,
) -> _Staged:
    """Copy a mart's rows to a temporary table, which goes with the transaction."""
    started = perf_counter()
    # Made once, with its rows numbered: a view is not computed anew for each slice.
    source.execute(f"create or replace temp table staged as {selection(mart, first)}")
    gaps = " or ".join(f"{quoted(column)} is null" for column in mart.key) or "false"
    total, with_gaps = _one(source, f"select count(*), count(*) filter (where {gaps}) from staged")
    columns = ", ".join(f"{quoted(c.name)} {c.type}" for c in mart.columns)
    session.run(f"create temp table {table} ({columns}) on commit drop")
    for begin in range(0, total, SLICE):
        rows = source.sql(
            f"from staged where rowid >= {begin} and rowid < {begin + SLICE} order by rowid"
        )
        session.ingest(table, rows)
        report(mart.name, min(begin + SLICE, total), total)
    first_day = _first_day(source, mart, first)
    source.execute("drop table staged")
    return _Staged(mart, table, total, perf_counter() - started, first_day, with_gaps > 0)


def _first_day(
    source: duckdb.DuckDBPyConnection, mart: Mart, first: Mapping[str, date]
) -> date | None:
    """Where a mart begins, if days before it were left out."""
    if not mart.has_days or not first:
        return None
    left_out, begins = _one(
        source,
        f"select (select min({DAY}) from {SCHEMA}.{quoted(mart.name)}), "
        f"(select min({DAY}) from staged)",
    )
    return begins if left_out and begins and left_out < begins else None


def _one(source: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, Any]:
    row = source.execute(sql).fetchone()
    assert row is not None
    return row[0], row[1]


def _merge(session: Session, staged: _Staged, *, is_new: bool) -> Table:
    """Make a mart's table hold what was staged, touching only rows that differ."""
    started = perf_counter()
    mart, fresh = staged.mart, staged.table
    reshaped = tables.shape(session, mart, is_new=is_new, has_gaps=staged.has_gaps)
    target = tables.relation(mart.name)
    session.run(f"analyze {fresh}")
    columns = ", ".join(quoted(column.name) for column in mart.columns)
    deleted = inserted = 0
    if mart.key or not _same(session, target, fresh, columns):
        same = _sameness(mart, has_gaps=staged.has_gaps) if mart.key else "false"
        deleted = session.run(
            f"delete from {target} as o where not exists (select from {fresh} as f where {same})"
        )
        inserted = session.run(
            f"insert into {target} ({columns}) select {columns} from {fresh} as f "
            f"where not exists (select from {target} as o where {same})"
        )
    if reshaped or deleted or inserted:
        session.run(f"analyze {target}")
    session.run(f"drop table {fresh}")
    seconds = staged.seconds + perf_counter() - started
    return Table(mart.name, staged.rows, deleted, inserted, seconds, staged.first_day)


def _sameness(mart: Mart, *, has_gaps: bool) -> str:
    """That row `o` of the table is row `f` of the fresh one, so said that Postgres can hash it."""
    parts = []
    for column in mart.columns:
        o, f = f"o.{quoted(column.name)}", f"f.{quoted(column.name)}"
        if column.name in mart.key and not has_gaps:
            parts.append(f"{o} = {f}")
            continue
        if column.name in mart.key:
            # Coalesced it is never null, and equality can be hashed.
            parts.append(f"coalesce({o}::text, '') = coalesce({f}::text, '')")
        parts.append(f"{o} is not distinct from {f}")
    return " and ".join(parts)


def _same(session: Session, target: str, fresh: str, columns: str) -> bool:
    """Whether two tables without a key hold the same rows, each as often."""
    a, b = (f"select {columns} from {table}" for table in (target, fresh))
    differences = f"({a} except all {b}) union all ({b} except all {a})"
    return not session.rows(f"select 1 from ({differences}) as d limit 1")


def _record(session: Session, published: Published) -> None:
    """Write down what stands there now."""
    now = f"timestamp '{datetime.now(UTC).replace(tzinfo=None).isoformat()}'"
    values = [
        (t.name, t.rows, f"date '{t.first_day}'" if t.first_day else "null::date")
        for t in published.tables
    ] + [(name, 0, "null::date") for name in published.gone]
    listed = ", ".join(
        f"({literal(n)}, {rows}, {day}, {now}::timestamp)" for n, rows, day in values
    )
    session.run(f"delete from {tables.TABLE}")
    session.run(
        f"insert into {tables.TABLE} (mart, row_count, first_day, published_at) values {listed}"
    )
