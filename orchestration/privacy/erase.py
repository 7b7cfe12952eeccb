"""Taking one person out of the warehouse, in one transaction of the caller's.

Raw rows go as landing keeps them out afterwards; what was made of them is deleted where it speaks
of the person, and nothing else is touched: scores of others stay what they were acted upon.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

import duckdb

from orchestration.activate import forgotten as destinations
from orchestration.extract import forgotten, landing
from orchestration.extract.contract import tables
from orchestration.extract.forgotten import literal, quoted
from orchestration.privacy.person import ADDRESSES, Person, raw_relations
from orchestration.privacy.places import Place, places
from orchestration.receive.privacy import answer_requests

# What models and tests made. Tables of other schemas are somebody else's, Fivetran's for one: the
# proof looks into them, and nothing is deleted there.
_MADE = {"staging", "intermediate", "features", "history", "marts", "activation", "quality"}
# Orders stay for the books, without whom they are of.
BLANKED = {
    ("marts", "orders"): ("customer_key", "shipping_postal_code"),
    ("marts", "order_lines"): ("customer_key",),
}
DELETED, KEPT = "deleted", "blanked, kept for the books"

# What the push needs, and what no person stands in.
_APART = {
    ("activation", "ledger"),
    ("activation", "rejected"),
    ("activation", "in_flight"),
    ("activation", "forgotten"),
    ("activation", "switches"),
}


@dataclass(frozen=True)
class Removed:
    """How many rows of a table were touched, and what became of them in a word or two."""

    place: str
    rows: int
    what: str

    @property
    def schema(self) -> str:
        """The schema of the table."""
        return self.place.partition(".")[0]

    @property
    def is_made(self) -> bool:
        """Whether the rows were made from others, and the next build would not make them again."""
        return not self.schema.startswith("raw_") and self.what == DELETED


def erase(
    connection: duckdb.DuckDBPyConnection, person: Person, moment: datetime
) -> tuple[list[Removed], list[tuple[str, int]]]:
    """Take a person out of every table; call it inside a transaction. `moment` is naive UTC.

    Returns what was touched, in order, and how many objects of each destination wait to be cleared.
    """
    waiting = _queue(connection, person, moment)
    forgotten.remember(connection, person.shop_id, person.ids, moment)
    removed = _from_raw(connection)
    removed += erase_made(connection, person)
    answered = answer_requests(connection, moment)
    removed.append(Removed("raw_shopify._privacy_requests", answered, "marked as handled"))
    return [one for one in removed if one.rows], waiting


def _queue(
    connection: duckdb.DuckDBPyConnection, person: Person, moment: datetime
) -> list[tuple[str, int]]:
    """Leave the push what it needs to clear the destinations."""
    landing.ensure_table(connection, tables()["shopify", "customers"])
    gone = connection.execute(
        "select customer_id from raw_shopify.customers where shop_id = $shop "
        "and (merged_into_customer_id is not null or redacted_at is not null)",
        {"shop": person.shop_id},
    ).fetchall()
    return destinations.queue(
        connection,
        person.shop_id,
        {
            "klaviyo": person.ids.get("profile", frozenset()),
            "postscript": person.ids.get("subscriber", frozenset()),
            "shopify": person.ids.get("customer", frozenset()),
        },
        person.keys,
        moment,
        {str(one) for (one,) in gone} & person.ids.get("customer", frozenset()),
    )


def _from_raw(connection: duckdb.DuckDBPyConnection) -> list[Removed]:
    """Delete or blank the rows of whoever is remembered as forgotten, earlier versions too."""
    return [
        Removed(
            relation.replace('"', ""),
            forgotten.take_out(connection, table, relation, whenever=True),
            KEPT if table.forget.blank else DELETED,
        )
        for table, relation in raw_relations(connection)
    ]


def erase_made(connection: duckdb.DuckDBPyConnection, person: Person) -> list[Removed]:
    """Take out what models made of a person, and mentions of them in raw rows of others."""
    removed = []
    for place in places(connection):
        name = f"{place.schema}.{place.table}"
        if (place.schema, place.table) in _APART:
            continue
        if place.schema.startswith("raw_") and place.table != "_rejected":
            removed.append(Removed(name, _black_out(connection, person, place), "mentions blanked"))
            continue
        if place.schema not in _MADE and not place.schema.startswith("raw_"):
            continue
        is_theirs, values = place.speaks_of(person)
        if blank := BLANKED.get((place.schema, place.table)):
            sql = f"update {place.relation} set " + ", ".join(f"{c} = null" for c in blank)
            what = KEPT
        else:
            sql, what = f"delete from {place.relation}", DELETED
        touched = connection.execute(f"{sql} where {is_theirs}", values).fetchone()
        removed.append(Removed(name, int(touched[0]) if touched else 0, what))
    return removed


def _black_out(connection: duckdb.DuckDBPyConnection, person: Person, place: Place) -> int:
    """Blank the person's addresses where a raw row of somebody else mentions them."""
    names = [name for kind in ADDRESSES for name in person.addresses(kind)]
    if not names or not place.has_shop:
        return 0
    pattern = literal("|".join(re.escape(name) + r"\b" for name in names))
    texts = [
        row[0]
        for row in connection.execute(
            "select column_name from duckdb_columns() where database_name = current_database() "
            "and schema_name = $schema and table_name = $table "
            "and data_type in ('VARCHAR', 'JSON') and column_name <> 'shop_id'",
            {"schema": place.schema, "table": place.table},
        ).fetchall()
    ]
    values = {
        c: f"regexp_replace(cast({quoted(c)} as varchar), {pattern}, 'forgotten', 'gi')"
        for c in texts
    }
    mentions = " or ".join(
        f"regexp_matches(cast({quoted(c)} as varchar), {pattern}, 'i')" for c in texts
    )
    if not texts:
        return 0
    touched = connection.execute(
        f"update {place.relation} set {', '.join(f'{quoted(c)} = {v}' for c, v in values.items())} "
        f"where shop_id = $shop and ({mentions})",
        {"shop": person.shop_id},
    ).fetchone()
    return int(touched[0]) if touched else 0
