"""The copy of the marts that readers open, so that nobody but us ever opens the warehouse.

DuckDB lets one process write a file, or many read it. The copy is made beside the old one and takes
its place in one move: who has the old file open keeps it as it was, who opens the path sees either
the old copy or the new one, each of them whole.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from orchestration.errors import HealthError
from orchestration.warehouse import connect

log = logging.getLogger(__name__)

# Marts may be views of what is in `history`, and of one table that a command fills. What
# destinations are sent is not for readers.
SCHEMAS = ("marts", "history")
BESIDES = ("activation.outlook",)
# The tests that compare a day with the one before it keep what they found in the schema `quality`.
GUARDS = ("score_rows_of_the_day", "score_shift")
# Marts know people by their key alone; a column of these names is a mistake, and it stays here.
PERSONAL = {"birth_date", "email", "first_name", "last_name", "phone"}


@dataclass(frozen=True)
class Copy:
    """What was copied: rows by table, and the views, all as `schema.name`.

    `left_out` are views that read something which is not copied.
    """

    path: Path
    rows: dict[str, int]
    views: list[str]
    left_out: list[str]


def publish_serving(warehouse: Path, out: Path) -> Path:
    """Copy the schemas `marts` and `history` of the warehouse to the file `out`; returns `out`.

    Raises `HealthError` as `copy_marts` does.
    """
    made = copy_marts(warehouse, out)
    if made.left_out:
        log.info("Not in %s, for they read what is not: %s", out, ", ".join(made.left_out))
    return made.path


def copy_marts(warehouse: Path, out: Path) -> Copy:
    """Copy the marts to `out` in one move, and say what was copied.

    Raises `HealthError` when the warehouse is held, when it has no marts, when a test of the last
    build holds the scores back, and when a mart has a column of personal data. `out` is then left
    as it was.
    """
    if out.stem in SCHEMAS:
        raise HealthError(f"{out} would bear the name of a schema in it: choose another.")
    if problems := held_back(warehouse):
        raise HealthError("Readers keep the copy they have. " + " ".join(problems))
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh = out.with_name(f".{out.name}.new")
    with _alone(out.parent) as folder:
        try:
            # What a publisher left that was killed.
            _remove(fresh)
            made = _copy(warehouse, fresh, out)
            with fresh.open("rb") as written:
                os.fsync(written.fileno())
            fresh.replace(out)
            os.fsync(folder)
        finally:
            _remove(fresh)
    return made


def held_back(warehouse: Path) -> list[str]:
    """What the tests of the last build found that holds the scores back, a sentence each."""
    with connect(warehouse, read_only=True) as connection:
        there = connection.execute(
            "select table_name from duckdb_tables() where schema_name = 'quality' "
            "and list_contains(?, table_name) order by table_name",
            [GUARDS],
        ).fetchall()
        return [
            str(problem)
            for (name,) in there
            for (problem,) in connection.execute(
                f"select problem from quality.{name} order by problem"
            ).fetchall()
        ]


@contextmanager
def _alone(folder: Path) -> Iterator[int]:
    """Hold a folder against other publishers until the block ends; its descriptor."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)


def _remove(fresh: Path) -> None:
    for path in (fresh, fresh.with_name(f"{fresh.name}.wal")):
        path.unlink(missing_ok=True)


def _copy(warehouse: Path, fresh: Path, out: Path) -> Copy:
    """Write the copy to the file `fresh`, whose connection is closed when this returns."""
    with connect(fresh) as connection:
        connection.execute(f"attach '{_quoted(warehouse)}' as warehouse (read_only)")
        refuse_personal_data(connection, "warehouse")
        rows = {}
        for schema, name in _tables(connection):
            connection.execute(f"create schema if not exists {schema}")
            copied = connection.execute(
                f"create table {schema}.{name} as from warehouse.{schema}.{name}"
            ).fetchone()
            rows[f"{schema}.{name}"] = int(copied[0]) if copied else 0
        if not any(name.startswith("marts.") for name in rows):
            raise HealthError("Nothing has been scored yet. Run `health load` and `health build`.")
        views, left_out = _make_views(connection)
        # Each for itself, hundreds of statements would be as many writes to the disk.
        connection.execute("begin")
        for statement in _comments(connection, {*rows, *views}):
            connection.execute(statement)
        connection.execute("commit")
    return Copy(out, rows, views, left_out)


def _tables(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Schema and name of the warehouse's tables that readers get."""
    return connection.execute(
        "select schema_name, table_name from duckdb_tables() where database_name = 'warehouse' "
        "and (list_contains($schemas, schema_name) "
        "or list_contains($besides, schema_name || '.' || table_name)) order by all",
        {"schemas": SCHEMAS, "besides": BESIDES},
    ).fetchall()


def _make_views(connection: duckdb.DuckDBPyConnection) -> tuple[list[str], list[str]]:
    """Make each view whose relations are all there, in whatever order that takes.

    Returns the views that were made and those that were not, as `schema.name`.
    """
    waiting = dict(
        connection.execute(
            "select schema_name || '.' || view_name, sql from duckdb_views() "
            "where database_name = 'warehouse' and list_contains(?, schema_name) order by all",
            [SCHEMAS],
        ).fetchall()
    )
    made: list[str] = []
    before = -1
    while before < len(made):
        before = len(made)
        for name, sql in list(waiting.items()):
            try:
                # Views name schema and table alone (macros/dialect/views.sql).
                connection.execute(sql)
            except duckdb.CatalogException:
                continue
            made.append(name)
            del waiting[name]
    return made, list(waiting)


def _comments(connection: duckdb.DuckDBPyConnection, relations: set[str]) -> list[str]:
    """The statements that describe relations and columns as the warehouse does."""
    described = connection.execute(
        """
        select 'table', schema_name || '.' || table_name, '', comment from duckdb_tables()
        where database_name = 'warehouse' and comment is not null
        union all
        select 'view', schema_name || '.' || view_name, '', comment from duckdb_views()
        where database_name = 'warehouse' and comment is not null
        union all
        select 'column', schema_name || '.' || table_name, '."' || column_name || '"', comment
        from duckdb_columns() where database_name = 'warehouse' and comment is not null
        """
    ).fetchall()
    return [
        f"comment on {kind} {relation}{column} is '{_quoted(comment)}'"
        for kind, relation, column, comment in described
        if relation in relations
    ]


def refuse_personal_data(connection: duckdb.DuckDBPyConnection, database: str) -> None:
    """Raise `HealthError` when a relation for readers has a column of personal data."""
    found = connection.execute(
        "select schema_name || '.' || table_name || '.' || column_name from duckdb_columns() "
        "where database_name = ? and list_contains(?, schema_name) "
        "and list_contains(?, lower(column_name)) order by all",
        [database, SCHEMAS, sorted(PERSONAL)],
    ).fetchall()
    if found:
        raise HealthError(
            f"{', '.join(name for (name,) in found)}: personal data stays in the warehouse. Keep "
            "customer_key alone in the marts."
        )


def _quoted(text: object) -> str:
    return str(text).replace("'", "''")
