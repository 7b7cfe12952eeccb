"""Which columns the marts have, and of what type: what every name in LookML is held against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SCHEMA = "marts"

# Relation -> column -> type in the words of the database, in the order of the columns.
Catalogue = Mapping[str, Mapping[str, str]]

_COLUMNS = f"""
    select table_name, column_name, lower(data_type)
    from information_schema.columns
    where table_schema = '{SCHEMA}'
    order by table_name, ordinal_position
"""


def read_catalogue(connection: Any) -> Catalogue:
    """The relations of the schema `marts`.

    `connection` is one of DuckDB, to the warehouse or the serving copy, or one of psycopg to the
    copy in Postgres: both know `information_schema`.
    """
    found: dict[str, dict[str, str]] = {}
    for relation, column, kind in connection.execute(_COLUMNS).fetchall():
        found.setdefault(relation, {})[column] = kind
    return found


def kind_of(data_type: str) -> str:
    """What a column is to LookML: string, yesno, number, date or timestamp."""
    name = data_type.lower()
    if name.startswith("timestamp"):
        return "timestamp"
    if name in ("date", "boolean"):
        return {"date": "date", "boolean": "yesno"}[name]
    numbers = ("decimal", "numeric", "double", "real", "float", "hugeint", "bigint", "smallint")
    return "number" if name.startswith((*numbers, "tinyint", "integer", "ubigint")) else "string"
