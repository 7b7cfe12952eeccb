"""The file drop behind a sandbox: the rows that the pretended vendors answer with.

Each table is read when it is first asked for, in the contract's columns and types; of rows with the
same key the latest stands. Answers are made by SQL here, so that a thousand events of a hundred
thousand cost no more than those thousand.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb

from orchestration.errors import HealthError
from orchestration.extract.contract import Table, tables

# A text that is no value of the column's type is null: what the vendor holds is never half a value.
_CAST = {"timestamp": "try_cast({0} as timestamptz) at time zone 'UTC'"}


class Drop:
    """The tables of `<directory>/<source>/<table>/*`; without a directory, all are empty.

    May be used from any thread; queries run one at a time.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory
        self._lock = threading.RLock()
        self._read: set[str] = set()
        self._db = duckdb.connect(config={"threads": 2, "memory_limit": "2GiB"})
        self._db.execute("set timezone = 'UTC'")

    def close(self) -> None:
        """Let go of the rows."""
        with self._lock:
            self._db.close()

    def table(self, source: str, name: str) -> str:
        """The name under which a raw table of the contract can be queried; reads it when new."""
        relation = f"{source}_{name}"
        with self._lock:
            if relation not in self._read:
                self._create(tables()[source, name], relation)
                self._read.add(relation)
        return relation

    def query(self, sql: str, values: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query over tables that `table` has named."""
        with self._lock:
            return self._db.execute(sql, list(values)).fetchall()

    def rows(self, sql: str, values: Iterable[Any] = ()) -> list[dict[str, Any]]:
        """The rows of a query, by column."""
        with self._lock:
            found = self._db.execute(sql, list(values))
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def keep(self, name: str, sql: str) -> str:
        """A table of a query's rows, made once; gives its name."""
        with self._lock:
            if name not in self._read:
                self._db.execute(f"create table {name} as {sql}")
                self._read.add(name)
        return name

    def _create(self, table: Table, relation: str) -> None:
        columns = {name: kind for name, kind in table.payload.items() if name != "_extra"}
        typed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        self._db.execute(f"create table {relation} ({typed})")
        folder = (self._directory or Path()) / table.source / table.name
        files = sorted(folder.glob("*")) if self._directory else []
        for path in files:
            found = self._reader(path, columns)
            if found is None:
                continue
            select, held = found
            cells = [
                _CAST.get(kind, "try_cast({0} as " + kind + ")").format(f'"{name}"')
                if name in held
                else f"null::{kind}"
                for name, kind in columns.items()
            ]
            try:
                self._db.execute(f"insert into {relation} select {', '.join(cells)} from {select}")
            except duckdb.Error as error:
                raise HealthError(f"{path} cannot be read as a table of rows.") from error
        keys = ", ".join(table.primary_key)
        latest = f"{table.version_column} desc nulls last, " if table.version_column else ""
        missing = " or ".join(f"{key} is null" for key in table.primary_key)
        self._db.execute(f"delete from {relation} where {missing}")
        self._db.execute(
            f"delete from {relation} where rowid not in (select rowid from {relation} "
            f"qualify row_number() over (partition by {keys} order by {latest}rowid desc) = 1)"
        )

    def _reader(self, path: Path, columns: dict[str, str]) -> tuple[str, set[str]] | None:
        """What reads a file, and the columns that it has; None when it is no table's file."""
        quoted = "'" + str(path).replace("'", "''") + "'"
        match path.suffix:
            case ".parquet":
                reader = f"read_parquet({quoted})"
            case ".csv":
                reader = f"read_csv({quoted}, header = true, all_varchar = true)"
            case ".jsonl":
                # Lists stay lists; all else is text until it is cast.
                kinds = {
                    name: kind if kind.endswith("[]") or kind == "json" else "varchar"
                    for name, kind in columns.items()
                }
                listed = ", ".join(f"{name}: '{kind}'" for name, kind in kinds.items())
                return (
                    f"read_json({quoted}, format = 'newline_delimited', columns = {{{listed}}})",
                    set(columns),
                )
            case _:
                return None
        try:
            held = {row[0] for row in self._db.execute(f"describe from {reader}").fetchall()}
        except duckdb.Error as error:
            raise HealthError(f"{path} cannot be read as a table of rows.") from error
        return reader, held & set(columns)
