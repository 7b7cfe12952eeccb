"""Where a person may be met: every table with text in it, and whether a row speaks of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb

from orchestration.extract.forgotten import quoted
from orchestration.privacy.person import Person

# Columns that hold a whole identifier, however short it is.
_WHOLE = {
    "customer_id": "customer",
    "external_id": "customer",
    "shopify_customer_id": "customer",
    "surviving_customer_id": "customer",
    "merged_into_customer_id": "customer",
    "profile_id": "profile",
    "subscriber_id": "subscriber",
    "participant_id": "participant",
}


@dataclass(frozen=True)
class Place:
    """A table of an open database, with the columns in which text may stand."""

    schema: str
    table: str
    columns: tuple[str, ...]
    has_shop: bool

    @property
    def relation(self) -> str:
        """Its name in SQL."""
        return f"{quoted(self.schema)}.{quoted(self.table)}"

    def speaks_of(
        self, person: Person, leave_out: tuple[str, ...] = ()
    ) -> tuple[str, dict[str, Any]]:
        """SQL: whether a row speaks of a person, and its parameters.

        Rows of another shop do not: there they would be another customer.
        """
        columns = [c for c in self.columns if c not in leave_out]
        if not columns:
            return "false", {}
        text = ", ".join(f"cast({quoted(c)} as varchar)" for c in columns)
        parts = [f"regexp_matches(lower(concat_ws(chr(31), {text})), $pattern)"]
        values: dict[str, Any] = {"pattern": person.pattern}
        for column in columns:
            kind = _WHOLE.get(column, "")
            if self.has_shop and person.ids.get(kind):
                parts.append(f"list_contains(${kind}, {quoted(column)})")
                values[kind] = sorted(person.ids[kind])
        found = f"({' or '.join(parts)})"
        if self.has_shop:
            found = f"(shop_id is null or shop_id = $shop) and {found}"
            values["shop"] = person.shop_id
        return found, values


def places(connection: duckdb.DuckDBPyConnection) -> Iterator[Place]:
    """Every table of the current database in which text may stand, in order."""
    found = connection.execute(
        """
        select
            schema_name, table_name,
            list(column_name order by column_index) filter (
                where data_type like '%VARCHAR%' or data_type like '%JSON%'
            ),
            bool_or(column_name = 'shop_id')
        from duckdb_columns()
        semi join duckdb_tables() using (database_name, schema_name, table_name)
        where database_name = current_database()
        group by 1, 2 order by 1, 2
        """
    ).fetchall()
    for schema, table, columns, has_shop in found:
        if columns:
            yield Place(schema, table, tuple(columns), has_shop)
