"""Writing simulated tables as files, in the columns and types of the raw contract."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import duckdb

from orchestration.extract.contract import Table, tables

FileFormat = Literal["parquet", "jsonl"]

PREFIX = "simulated-"
COPY_OPTIONS = {
    "parquet": "format parquet, compression zstd",
    "jsonl": "format json",
}


def column_expression(column: str, data_type: str, file_format: FileFormat) -> str:
    """How a column is written: moments as UTC with their zone, money with two decimals."""
    parquet = file_format == "parquet"
    if data_type == "timestamp":
        # Parquet carries the zone in its type, JSON in the text.
        written = column if parquet else f"strftime({column}, '%Y-%m-%dT%H:%M:%SZ')"
    elif data_type.startswith("decimal"):
        written = f"{column}::decimal(18, 2)" if parquet else f"{column}::decimal(18, 2)::varchar"
    elif data_type == "json":
        written = f"{column}::varchar" if parquet else f"{column}::json"
    else:
        written = f"{column}::{data_type}"
    return f"{written} as {column}"


def write_table(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    directory: Path,
    part: int,
    file_format: FileFormat,
) -> int:
    """Write one part of one table, ordered by its key, and return its number of rows.

    A part without rows leaves no file: an empty JSONL file is no table.
    """
    columns = ",\n    ".join(
        column_expression(column, data_type, file_format)
        for column, data_type in table.payload.items()
    )
    folder = directory / table.source / table.name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{PREFIX}{part:04d}.{file_format}"
    key = ", ".join(f"{table.source}_{table.name}.{column}" for column in table.primary_key)
    row = connection.execute(
        f"copy (\nselect\n    {columns}\nfrom {table.source}_{table.name}\norder by {key}\n) "
        f"to {_quoted(path)} ({COPY_OPTIONS[file_format]})"
    ).fetchone()
    rows = int(row[0]) if row else 0
    if rows == 0:
        path.unlink()
    return rows


def clear_drop(directory: Path) -> None:
    """Remove what an earlier simulation left in `directory`, and nothing else."""
    for source, name in tables():
        for file_format in COPY_OPTIONS:
            for path in (directory / source / name).glob(f"{PREFIX}*.{file_format}"):
                path.unlink()


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
