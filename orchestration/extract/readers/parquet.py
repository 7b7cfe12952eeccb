"""Parquet, with whatever types its writer chose."""

from __future__ import annotations

from pathlib import Path

import duckdb

from orchestration.extract.contract import Table
from orchestration.extract.landing import literal, quoted
from orchestration.extract.readers.base import (
    Columns,
    FileResult,
    Load,
    NotATable,
    careful,
    contract_name,
    extra,
    fast,
    lacks_key,
    plain_name,
)


def read_parquet(load: Load, path: Path, shown: str) -> FileResult:
    """Read a Parquet file into the stage. Raises `NotATable` when it is none, or lacks the key."""
    with plain_name(load, path) as name:
        source = f"read_parquet({literal(name)}, hive_partitioning = false, binary_as_string = true"
        try:
            described = load.connection.execute(f"describe select * from {source})").fetchall()
        except duckdb.Error as problem:
            raise NotATable("is not a Parquet file, or only a part of one") from problem
        found = [(str(row[0]), str(row[1]).lower()) for row in described]
        columns = _columns(load.table, found)
        aliased = ", ".join(f"{quoted(name)} as c{i}" for i, (name, _) in enumerate(found))
        try:
            return FileResult(rows_read=fast(load, columns, f"(select {aliased} from {source}))"))
        except duckdb.Error:
            pass
        written = ", ".join(f"{literal(name)}: {quoted(name)}" for name, _ in found)
        relation = f"""(
            select
                {aliased},
                row_number() over () as line,
                to_json({{{written}}})::varchar as content,
                null::varchar as failure
            from {source})
        )"""
        try:
            return careful(load, shown, columns, relation, extra(columns))
        except duckdb.Error as problem:
            raise NotATable("is a damaged Parquet file") from problem


def _columns(table: Table, found: list[tuple[str, str]]) -> Columns:
    """Where the contract's columns are among the file's, which are aliased c0, c1, ..."""
    columns = Columns(known={})
    for i, (name, kind) in enumerate(found):
        column, sql = contract_name(table, name, i), f"c{i}"
        if column not in table.columns:
            columns.unknown[column] = f"to_json({sql})"
        elif _is_native(table.columns[column], kind):
            columns.native[column] = f"{sql}::{table.columns[column]}"
        else:
            columns.known[column] = _text(kind, sql)
    if not set(table.primary_key) <= {*columns.known, *columns.native}:
        raise NotATable(lacks_key(table, [name for name, _ in found]))
    return columns


def _is_native(wanted: str, kind: str) -> bool:
    """Whether a Parquet column of type `kind` needs no way through text."""
    if wanted == "varchar[]":
        return kind.endswith("[]")
    return wanted == kind and (
        wanted in ("bigint", "boolean", "date", "timestamp") or wanted.startswith("decimal")
    )


def _text(kind: str, sql: str) -> str:
    """SQL for a Parquet column as the text that conversions read."""
    nested = kind.endswith("[]") or kind.startswith(("struct", "map"))
    return f"to_json({sql})::varchar" if nested else f"{sql}::varchar"
