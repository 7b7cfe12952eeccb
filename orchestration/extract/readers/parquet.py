"""Parquet, with whatever types its writer chose."""

from __future__ import annotations

from pathlib import Path

from orchestration.extract.contract import Table
from orchestration.extract.landing import literal, quoted
from orchestration.extract.readers.base import (
    GAVE_UP,
    Columns,
    Format,
    Load,
    NotATable,
    careful,
    contract_name,
    extra,
    fast,
    lacks_key,
    plain_names,
)

Schema = tuple[tuple[str, str], ...]
"""The names and types of a file's columns, in order."""


def _source(names: str) -> str:
    """SQL that reads Parquet files, without the closing bracket."""
    return f"read_parquet({names}, hive_partitioning = false, binary_as_string = true"


def _schema(load: Load, path: Path) -> Schema:
    """The columns of a file; files with the same ones are alike.

    Raises `NotATable` when it is no Parquet file, or lacks the key.
    """
    with plain_names(load, [path]) as names:
        try:
            described = load.connection.execute(f"describe from {_source(names)})").fetchall()
        except GAVE_UP as problem:
            raise NotATable("is not a Parquet file, or only a part of one") from problem
    schema = tuple((str(row[0]), str(row[1]).lower()) for row in described)
    _columns(load.table, schema)
    return schema


def _aliased(schema: Schema) -> str:
    """SQL that names the file's columns c0, c1, ..., whatever they are called."""
    return ", ".join(f"{quoted(name)} as c{i}" for i, (name, _) in enumerate(schema))


def _fast(load: Load, paths: list[Path], schema: Schema) -> int:
    """Read files of one schema."""
    with plain_names(load, paths) as names:
        relation = f"(select {_aliased(schema)} from {_source(names)}))"
        return fast(load, _columns(load.table, schema), relation)


def _careful(load: Load, path: Path, shown: str, schema: Schema) -> tuple[int, int]:
    """Take rows one by one; a row's line is its number. Raises `NotATable` for damaged pages."""
    columns = _columns(load.table, schema)
    written = ", ".join(f"{literal(name)}: {quoted(name)}" for name, _ in schema)
    with plain_names(load, [path]) as names:
        relation = f"""(
            select
                {_aliased(schema)},
                row_number() over () as line,
                to_json({{{written}}})::varchar as content,
                null::varchar as failure
            from {_source(names)})
        )"""
        try:
            return careful(load, shown, columns, relation, extra(columns))
        except GAVE_UP as problem:
            raise NotATable("is a damaged Parquet file") from problem


def _columns(table: Table, found: Schema) -> Columns:
    """Where the contract's columns are among the file's, which are called c0, c1, ..."""
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


FORMAT = Format(_schema, _fast, _careful)
