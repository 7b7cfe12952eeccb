"""From a vendor's answers to the raw tables: everything of a stream at once, or nothing.

An extractor writes what a vendor sent into a *spool* folder and describes by SQL what it means.
`land` compares the vendor's own counts with what was found, merges all tables of the stream and
moves the stream's cursor, in one transaction. So a crash at any instruction repeats rows, which
the merge makes harmless, and never skips one.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from orchestration.errors import HealthError
from orchestration.extract import conversions, landing
from orchestration.extract.contract import Table, tables
from orchestration.extract.files import TableResult
from orchestration.extract.landing import literal, quoted

_CURSORS = """
    shop_id varchar not null,
    stream varchar not null,
    cursor varchar,
    loaded_at timestamp not null
"""


@dataclass(frozen=True)
class Told:
    """What the vendor counted (`told`) beside what we found in the spool (`found`).

    `what` is a word for a sentence: "orders", "objects in the bulk result", "pages".
    """

    what: str
    told: int
    found: int


def warehouse_path(connection: duckdb.DuckDBPyConnection) -> Path:
    """The file of the warehouse that a connection has open."""
    row = connection.execute(
        "select path from duckdb_databases() where database_name = current_database()"
    ).fetchone()
    if not row or not row[0]:
        raise HealthError("An extract needs a warehouse that is a file: set DUCKDB_PATH.")
    return Path(row[0])


def spool_path(warehouse: Path, source: str, shop_id: str, *stream: str) -> Path:
    """Where a stream's answers are kept until they have landed; the folder may not be there yet.

    Without a stream, the folder of all streams of a shop.
    """
    return Path(warehouse.parent, "spool", source, shop_id, *stream)


def spool_folder(warehouse: Path, source: str, shop_id: str, stream: str) -> Path:
    """The stream's spool, made and empty: what an earlier run left in it is gone."""
    folder = spool_path(warehouse, source, shop_id, stream)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def cursor(
    connection: duckdb.DuckDBPyConnection, source: str, shop_id: str, stream: str
) -> str | None:
    """How far the stream has landed, in the words that `land` was given; None before the first."""
    _ensure_cursors(connection, source)
    row = connection.execute(
        f"select cursor from raw_{source}._cursors where shop_id = $shop and stream = $stream",
        {"shop": shop_id, "stream": stream},
    ).fetchone()
    return None if row is None or row[0] is None else str(row[0])


def land(
    connection: duckdb.DuckDBPyConnection,
    *,
    source: str,
    shop_id: str,
    stream: str,
    selects: Mapping[str, str],
    told: Sequence[Told],
    cursor: str | None,
    moment: datetime,
    keeps: Mapping[str, Sequence[str]] | None = None,
) -> list[TableResult]:
    """Merge all tables of a stream and set its cursor, in one transaction.

    `selects` maps a raw table to a SELECT whose columns have the contract's names; those left out
    are null, `shop_id` and `_loaded_at` (`moment`, naive UTC) are added here. A column that comes
    as text is read as a file's would be (`conversions`); one of the contract's own type is taken
    as it is. `keeps` names columns of which the vendor forgets: where they come as null, what is
    stored stays. `cursor` None leaves the cursor where it was.

    Raises `HealthError` when a count differs, a value cannot be read or a row has no key; then
    nothing has landed.
    """
    compare(source, shop_id, stream, told)
    conversions.create_macros(connection)
    _ensure_cursors(connection, source)
    results = []
    with ExitStack() as stack:
        filled = []
        for name, select in selects.items():
            started = time.perf_counter()
            table = tables()[source, name]
            stage = stack.enter_context(landing.staged(connection, table))
            rows = _fill(connection, table, stage.relation, shop_id, select, moment)
            for column in (keeps or {}).get(name, ()):
                _keep(connection, table, stage.relation, column)
            filled.append((table, stage, rows, time.perf_counter() - started))
        with landing.transaction(connection):
            for table, stage, rows, seconds in filled:
                started = time.perf_counter()
                merged = landing.merge(connection, table, stage, forgets=True)
                results.append(
                    TableResult(
                        source=source,
                        table=table.name,
                        files=0,
                        rows_read=rows,
                        rows_new=merged.new,
                        rows_changed=merged.changed,
                        rows_unchanged=rows - merged.new - merged.changed,
                        rows_told=next((t.told for t in told if t.what == table.name), None),
                        seconds=seconds + time.perf_counter() - started,
                    )
                )
            if cursor is not None:
                _set_cursor(connection, source, shop_id, stream, cursor, moment)
    return results


def compare(source: str, shop_id: str, stream: str, told: Sequence[Told]) -> None:
    """Raise `HealthError` when something that the vendor counted is not there, or too often."""
    wrong = [f"{t.told:,} {t.what}, {t.found:,} arrived" for t in told if t.told != t.found]
    if wrong:
        raise HealthError(
            f"{source.capitalize()} (shop {shop_id}) counts {'; '.join(wrong)}. Nothing of "
            f"{stream} has landed: run the extract again, and tell {source.capitalize()} when it "
            "happens again."
        )


def _ensure_cursors(connection: duckdb.DuckDBPyConnection, source: str) -> None:
    connection.execute(f"create schema if not exists raw_{source}")
    connection.execute(f"create table if not exists raw_{source}._cursors ({_CURSORS})")


def _set_cursor(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    shop_id: str,
    stream: str,
    value: str,
    moment: datetime,
) -> None:
    where = {"shop": shop_id, "stream": stream}
    connection.execute(
        f"delete from raw_{source}._cursors where shop_id = $shop and stream = $stream", where
    )
    connection.execute(
        f"insert into raw_{source}._cursors values ($shop, $stream, $value, $moment)",
        {**where, "value": value, "moment": moment},
    )


def _fill(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    stage: str,
    shop_id: str,
    select: str,
    moment: datetime,
) -> int:
    """Put the rows of a select into the stage, in the contract's types. Returns how many."""
    given = {row[0]: row[1].lower() for row in connection.execute(f"describe {select}").fetchall()}
    unknown = sorted(set(given) - set(table.columns))
    if unknown:
        raise ValueError(f"{table.relation} has no column {', '.join(unknown)}")
    values = {
        "shop_id": literal(shop_id),
        **{column: _value(table, column, kind) for column, kind in given.items()},
        "_loaded_at": f"{literal(moment.isoformat(sep=' '))}::timestamp",
    }
    try:
        connection.execute(
            f"insert into {stage} ({landing.names(values)}) "
            f"select {', '.join(values.values())} from ({select}) as g"
        )
    except (duckdb.ConversionException, duckdb.InvalidInputException) as error:
        said = str(error).partition("Error: ")[2].splitlines()[0]
        raise HealthError(
            f"{table.source.capitalize()} (shop {shop_id}) sent what {table.name} cannot hold: "
            f"{said} Nothing of it has landed."
        ) from error
    rows = landing.scalar(connection, f"select count(*) from {stage}")
    lacking = " or ".join(f"{quoted(column)} is null" for column in table.primary_key)
    without = landing.scalar(connection, f"select count(*) from {stage} where {lacking}")
    if without:
        key = ", ".join(c for c in table.primary_key if c != "shop_id")
        raise HealthError(
            f"{table.source.capitalize()} (shop {shop_id}) sent {without:,} rows of {table.name} "
            f"without {key}. Nothing of it has landed."
        )
    return rows


def _value(table: Table, column: str, given: str) -> str:
    """SQL: a given column in the contract's type; text that cannot be one stops the load."""
    name, kind = f"g.{quoted(column)}", table.columns[column]
    if given == kind or kind == "varchar":
        return name
    if given != "varchar":
        return f"{name}::{kind}"
    about = f" {conversions.expectation(table, column)}."
    wrong = f"{literal(column + ' ')} || left({name}, 100) || {literal(about)}"
    return (
        f"case when {name} is null then null "
        f"else coalesce({conversions.value(table, column, name)}, error({wrong})) end"
    )


def _keep(connection: duckdb.DuckDBPyConnection, table: Table, stage: str, column: str) -> None:
    """Give staged rows what is stored in a column that the vendor forgets."""
    same = " and ".join(f"s.{quoted(c)} = t.{quoted(c)}" for c in table.primary_key)
    name = quoted(column)
    connection.execute(
        f"update {stage} as s set {name} = t.{name} from {table.relation} as t "
        f"where {same} and s.{name} is null and t.{name} is not null"
    )
