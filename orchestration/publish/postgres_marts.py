"""What is to stand in Postgres: the marts of the serving copy, with types, keys and days."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from orchestration.errors import HealthError
from orchestration.publish.serving import PERSONAL

SCHEMA = "marts"
DAY = "as_of_date"
# Columns that readers look rows up by.
INDEXED = ("customer_key", DAY)

# DuckDB's types as Postgres has them. Of integers, those that Postgres lacks take the next larger.
# JSON stays text: it keeps its characters, can be compared, and is one `::jsonb` away.
TYPES = {
    "BIGINT": "bigint",
    "BLOB": "bytea",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "DOUBLE": "double precision",
    "FLOAT": "real",
    "HUGEINT": "numeric(38,0)",
    "INTEGER": "integer",
    "SMALLINT": "smallint",
    "TIMESTAMP": "timestamp without time zone",
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
    "TINYINT": "smallint",
    "UBIGINT": "numeric(38,0)",
    "UHUGEINT": "numeric(38,0)",
    "UINTEGER": "bigint",
    "USMALLINT": "integer",
    "UTINYINT": "smallint",
}
# What a value is cast to in DuckDB where the type it has would reach Postgres as another.
CASTS = {
    "numeric(38,0)": "DECIMAL(38, 0)",
    "smallint": "SMALLINT",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "text": "VARCHAR",
    "text[]": "VARCHAR[]",
    "timestamp without time zone": "TIMESTAMP",
}


@dataclass(frozen=True)
class Column:
    """A column, its type in Postgres and its description."""

    name: str
    type: str
    comment: str | None


@dataclass(frozen=True)
class Mart:
    """A table to be in Postgres; `key` is empty where no test says what identifies a row."""

    name: str
    columns: tuple[Column, ...]
    comment: str | None
    key: tuple[str, ...]

    @property
    def has_days(self) -> bool:
        """Whether its rows belong to scored days."""
        return any(column.name == DAY and column.type == "date" for column in self.columns)


def postgres_type(duckdb_type: str) -> str:
    """The type in Postgres, as Postgres itself spells it. What has no counterpart is text."""
    if decimal := re.fullmatch(r"DECIMAL\((\d+),\s*(\d+)\)", duckdb_type):
        return f"numeric({decimal[1]},{decimal[2]})"
    if duckdb_type.endswith("[]") and not duckdb_type.endswith("[][]"):
        return f"{postgres_type(duckdb_type.removesuffix('[]'))}[]"
    return TYPES.get(duckdb_type, "text")


def marts_of(copy: duckdb.DuckDBPyConnection, keys: Mapping[str, tuple[str, ...]]) -> list[Mart]:
    """The marts of a serving copy, in the order of their names.

    Raises `HealthError` when there are none, and when one has a column of personal data.
    """
    words = dict(
        copy.execute(
            "select table_name, comment from duckdb_tables() where schema_name = $1 union all "
            "select view_name, comment from duckdb_views() where schema_name = $1",
            [SCHEMA],
        ).fetchall()
    )
    columns: dict[str, list[Column]] = {}
    for table, name, type_, comment in copy.execute(
        "select table_name, column_name, data_type, comment from duckdb_columns() "
        "where schema_name = ? and not internal order by table_name, column_index",
        [SCHEMA],
    ).fetchall():
        columns.setdefault(table, []).append(Column(name, postgres_type(type_), comment))
    personal = [
        f"{SCHEMA}.{table}.{column.name}"
        for table, found in columns.items()
        for column in found
        if column.name.lower() in PERSONAL
    ]
    if personal:
        raise HealthError(
            f"{', '.join(personal)}: personal data stays in the warehouse. Keep customer_key alone "
            "in the marts."
        )
    if not columns:
        raise HealthError("Nothing has been scored yet. Run `health load` and `health build`.")
    return [
        Mart(table, tuple(found), words.get(table), _key(keys.get(table, ()), found))
        for table, found in columns.items()
    ]


def _key(key: tuple[str, ...], columns: list[Column]) -> tuple[str, ...]:
    """The key, unless the manifest is of another project than the copy."""
    return key if {*key} <= {column.name for column in columns} else ()


def keys_of(manifest: Path) -> dict[str, tuple[str, ...]]:
    """What identifies a row of each mart: the columns of its `unique_key` test in dbt's manifest.

    A model that has several tests of the kind takes the one with the fewest columns.
    """
    nodes = json.loads(manifest.read_text())["nodes"]
    keys: dict[str, tuple[str, ...]] = {}
    for node in nodes.values():
        test = node.get("test_metadata") or {}
        model = nodes.get(node.get("attached_node") or "")
        if test.get("name") != "unique_key" or model is None or model["schema"] != SCHEMA:
            continue
        arguments = test["kwargs"].get("arguments") or test["kwargs"]
        key, name = tuple(arguments["key"]), model["alias"]
        if name not in keys or len(key) < len(keys[name]):
            keys[name] = key
    return keys


def first_days(copy: duckdb.DuckDBPyConnection, days: int) -> dict[str, date]:
    """Where the last `days` scored days of each shop begin, by shop id."""
    there = copy.execute(
        "select count(*) from duckdb_columns() where schema_name = ? "
        "and table_name = 'scored_days' and list_contains(['shop_id', ?], column_name)",
        [SCHEMA, DAY],
    ).fetchone()
    if there != (2,):
        return {}
    return dict(
        copy.execute(
            f"select shop_id, min({DAY}) from (select shop_id, {DAY} "
            f"from {SCHEMA}.scored_days qualify row_number() over "
            f"(partition by shop_id order by {DAY} desc) <= ?) group by shop_id order by all",
            [days],
        ).fetchall()
    )


def selection(mart: Mart, first: Mapping[str, date]) -> str:
    """The query, in DuckDB, of a mart's rows that go to Postgres, cast to what arrives there."""
    names = {column.name for column in mart.columns}
    chosen = ", ".join(_cast(column) for column in mart.columns)
    sql = f"select {chosen} from {SCHEMA}.{quoted(mart.name)}"
    if not mart.has_days or not first:
        return sql
    # The plain bound reaches into views that open intervals to days; the other is each shop's.
    bounds = [f"{DAY} >= date '{min(first.values())}'"]
    if "shop_id" in names:
        bounds += [
            f"not (shop_id = {literal(shop)} and {DAY} < date '{day}')"
            for shop, day in first.items()
        ]
    return f"{sql} where {DAY} is null or ({' and '.join(bounds)})"


def _cast(column: Column) -> str:
    name = quoted(column.name)
    cast = CASTS.get(column.type)
    return f"{name}::{cast} as {name}" if cast else name


def quoted(name: str) -> str:
    """An identifier, safe in DuckDB and in Postgres."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text, safe in DuckDB and in Postgres."""
    return "'" + text.replace("'", "''") + "'"
