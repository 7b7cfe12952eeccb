"""Opening the warehouse: one file, one writer, sentences instead of stack traces."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from orchestration.errors import HealthError


@contextmanager
def connect(path: Path, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection in UTC, closed on leaving.

    Raises `HealthError` when the file is missing (read only), held by another process, or is no
    database.
    """
    if read_only and not path.exists():
        raise HealthError(f"There is no warehouse at {path}. Run `health load` and `health build`.")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        connection = duckdb.connect(str(path), read_only=read_only)
    except duckdb.IOException as error:
        if "not a valid DuckDB database" in str(error):
            raise HealthError(
                f"{path} is no DuckDB database: move it away, or set DUCKDB_PATH to the warehouse."
            ) from error
        if "lock" not in str(error):
            raise
        holder = re.search(r"PID (\d+)", str(error))
        who = f"process {holder.group(1)}" if holder else "another process"
        raise HealthError(
            f"The warehouse {path} is held by {who}. DuckDB lets one process write at a time: "
            "wait for it to end, or close the program that has the file open."
        ) from error
    try:
        connection.execute("set TimeZone = 'UTC'")
        yield connection
    finally:
        connection.close()


def holders(connection: duckdb.DuckDBPyConnection, source: str, table: str) -> list[str]:
    """The relation that holds a raw table's rows, in a list; empty while there is none.

    Where nothing has landed, the rows come in another layout, which staging knows once it was
    built.
    """
    there = {
        f"{schema}.{name}"
        for schema, name in connection.execute(
            "select table_schema, table_name from information_schema.tables"
        ).fetchall()
    }
    raw, staging = f"raw_{source}.{table}", f"staging.stg_{source}__{table}"
    if raw in there and connection.execute(f"select 1 from {raw} limit 1").fetchone():
        return [raw]
    return [staging] if staging in there else []
