"""Earlier versions of raw rows, kept when another takes their place, so that what was known can be
told later.

Beside each raw table stands `_earlier_<table>`: its columns and `_replaced_at`, the load that
brought the next version. A row was known from its `_loaded_at` until then.
"""

from __future__ import annotations

from datetime import datetime

import duckdb

from orchestration.extract.contract import Table, tables


def relation(table: Table) -> str:
    """The name in SQL of the table of earlier versions."""
    return f'{table.schema}."_earlier_{table.name}"'


def _columns(table: Table, alias: str = "") -> str:
    return ", ".join(f'{alias}"{column}"' for column in table.columns)


def _exists(connection: duckdb.DuckDBPyConnection, table: Table) -> bool:
    found = connection.execute(
        "select count(*) from duckdb_tables() where database_name = current_database() "
        "and schema_name = $schema and table_name = $name",
        {"schema": table.schema, "name": f"_earlier_{table.name}"},
    ).fetchone()
    return bool(found and found[0])


def _ensure(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Create the table of earlier versions, or add columns that the contract gained."""
    columns = ", ".join(f'"{name}" {kind}' for name, kind in table.columns.items())
    connection.execute(
        f"create table if not exists {relation(table)} ({columns}, _replaced_at timestamp not null)"
    )
    there = {row[0] for row in connection.execute(f"describe {relation(table)}").fetchall()}
    for name, kind in table.columns.items():
        if name not in there:
            connection.execute(f'alter table {relation(table)} add column "{name}" {kind}')


def keep(connection: duckdb.DuckDBPyConnection, table: Table, replaced: str) -> None:
    """Keep the rows that are about to be replaced.

    `replaced` is a select of `old_row`, the rowid of a stored row, and `at`, the `_loaded_at` of
    what takes its place. A version that was replaced within its own load was never known.
    """
    known = f"""
        from {table.schema}."{table.name}" as t
        inner join ({replaced}) as r on t.rowid = r.old_row
        where t._loaded_at < r.at
    """
    if connection.execute(f"select 1 {known} limit 1").fetchone() is None:
        return
    _ensure(connection, table)
    connection.execute(
        f"insert into {relation(table)} ({_columns(table)}, _replaced_at) "
        f"select {_columns(table, 't.')}, r.at {known}"
    )


def erase(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Blank the personal columns of all versions of what has been erased since."""
    if not table.erased_by or not table.personal or not _exists(connection, table):
        return
    blank = ", ".join(f'"{column}" = null' for column in table.personal)
    filled = " or ".join(f'e."{column}" is not null' for column in table.personal)
    same = " and ".join(f'e."{key}" = t."{key}"' for key in table.primary_key)
    connection.execute(f"""
        update {relation(table)} as e set {blank}
        from {table.schema}."{table.name}" as t
        where {same} and t."{table.erased_by}" is not null and ({filled})
    """)


def roll_back(connection: duckdb.DuckDBPyConnection, known: datetime) -> int:
    """Leave in every raw table the rows that were known at a moment (naive UTC), and no others.

    Destroys what was learned later: for copies of a warehouse. Returns how many rows are left.
    """
    left = 0
    there = {
        (row[0], row[1])
        for row in connection.execute(
            "select schema_name, table_name from duckdb_tables() "
            "where database_name = current_database()"
        ).fetchall()
    }
    for table in tables().values():
        if (table.schema, table.name) not in there:
            continue
        stored = f'{table.schema}."{table.name}"'
        connection.execute(f"delete from {stored} where _loaded_at > $known", {"known": known})
        if (table.schema, f"_earlier_{table.name}") in there:
            connection.execute(
                f"insert into {stored} ({_columns(table)}) select {_columns(table)} "
                f"from {relation(table)} where _loaded_at <= $known and _replaced_at > $known",
                {"known": known},
            )
        counted = connection.execute(f"select count(*) from {stored}").fetchone()
        left += counted[0] if counted else 0
    return left
