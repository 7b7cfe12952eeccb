"""Shopify's JSONL as temporary tables, and whether all of it is there.

A bulk result holds parents and children on lines of their own, in no order, with keys that depend
on what the line is of. `stage` reads it once, with all keys of the stream as columns, and adds
what the line is of (`kind`, the third part of its gid). `selects` then takes what it needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from orchestration.errors import HealthError
from orchestration.extract.api.loads import Told
from orchestration.extract.landing import literal, scalar

MOST_BYTES_A_LINE = 64 << 20

_MONEY = "STRUCT(shopMoney STRUCT(amount DECIMAL(18, 4)))"
_VALUE = "STRUCT(value VARCHAR)"
_ID = "STRUCT(id VARCHAR)"

_COLUMNS = {
    "customers": {
        "firstName": "VARCHAR",
        "lastName": "VARCHAR",
        "createdAt": "TIMESTAMPTZ",
        "updatedAt": "TIMESTAMPTZ",
        "tags": "VARCHAR[]",
        "defaultEmailAddress": "STRUCT(emailAddress VARCHAR, marketingState VARCHAR)",
        "defaultPhoneNumber": "STRUCT(phoneNumber VARCHAR, marketingState VARCHAR)",
        "defaultAddress": "STRUCT(countryCodeV2 VARCHAR, zip VARCHAR)",
        "statistics": "STRUCT(rfmGroup VARCHAR, predictedSpendTier VARCHAR)",
        "birth_date": _VALUE,
    },
    "products": {
        "title": "VARCHAR",
        "vendor": "VARCHAR",
        "productType": "VARCHAR",
        "updatedAt": "TIMESTAMPTZ",
        "family": _VALUE,
        "metal": _VALUE,
        "finish": _VALUE,
        "style": _VALUE,
        "price": "DECIMAL(18, 4)",
        "inventoryItem": "STRUCT(unitCost STRUCT(amount DECIMAL(18, 4)))",
    },
    "orders": {
        "email": "VARCHAR",
        "createdAt": "TIMESTAMPTZ",
        "processedAt": "TIMESTAMPTZ",
        "updatedAt": "TIMESTAMPTZ",
        "cancelledAt": "TIMESTAMPTZ",
        "test": "BOOLEAN",
        "tags": "VARCHAR[]",
        "sourceName": "VARCHAR",
        "customer": _ID,
        "displayFinancialStatus": "VARCHAR",
        "displayFulfillmentStatus": "VARCHAR",
        "currencyCode": "VARCHAR",
        "presentmentCurrencyCode": "VARCHAR",
        "subtotalPriceSet": _MONEY,
        "totalDiscountsSet": _MONEY,
        "totalTaxSet": _MONEY,
        "totalShippingPriceSet": _MONEY,
        "totalPriceSet": _MONEY,
        "shippingAddress": "STRUCT(countryCodeV2 VARCHAR, zip VARCHAR)",
        "paymentGatewayNames": "VARCHAR[]",
        "discountCodes": "VARCHAR[]",
        "customerJourneySummary": "STRUCT(firstVisit STRUCT(source VARCHAR))",
        "resend_of_order_id": _VALUE,
        "refunds": "STRUCT(id VARCHAR, createdAt TIMESTAMPTZ)[]",
        "fulfillments": (
            "STRUCT(id VARCHAR, createdAt TIMESTAMPTZ, deliveredAt TIMESTAMPTZ, status VARCHAR)[]"
        ),
        "transactions": (
            "STRUCT(id VARCHAR, kind VARCHAR, status VARCHAR, gateway VARCHAR, "
            f"createdAt TIMESTAMPTZ, amountSet {_MONEY})[]"
        ),
        "sku": "VARCHAR",
        "title": "VARCHAR",
        "vendor": "VARCHAR",
        "quantity": "BIGINT",
        "isGiftCard": "BOOLEAN",
        "product": _ID,
        "variant": _ID,
        "originalUnitPriceSet": _MONEY,
        "discountAllocations": f"STRUCT(allocatedAmountSet {_MONEY})[]",
        "customAttributes": 'STRUCT("key" VARCHAR, "value" VARCHAR)[]',
        "status": "VARCHAR",
    },
}

_KINDS = {
    "customers": ("Customer", ()),
    "products": ("Product", ("Collection", "ProductVariant")),
    "orders": ("Order", ("LineItem", "Return")),
}
"""What the lines of a stream are of: the root, and its children."""

_PAGE = {"Refund": "refundLineItems", "Return": "returnLineItems"}
_LINE = {
    "Refund": f"id VARCHAR, quantity BIGINT, lineItem {_ID}, "
    f"subtotalSet {_MONEY}, totalTaxSet {_MONEY}",
    "Return": "id VARCHAR, quantity BIGINT, returnReason VARCHAR, returnReasonNote VARCHAR, "
    f"fulfillmentLineItem STRUCT(lineItem {_ID})",
}


def reader(stream: str, files: Sequence[Path]) -> str:
    """SQL: what reads bulk results of a stream, every key as a column of its type."""
    return _reader({"id": "VARCHAR", "__parentId": "VARCHAR", **_COLUMNS[stream]}, files)


def stage(
    connection: duckdb.DuckDBPyConnection, stream: str, files: Sequence[Path], who: str
) -> None:
    """Read bulk results into the temporary table `bulk_<stream>`, one row a line.

    Raises `HealthError` when a file is no JSONL of this stream.
    """
    select = f"select *, split_part(id, '/', 4) as kind from {reader(stream, files)}"
    _create(connection, f"bulk_{stream}", select, who)


def stage_shop(connection: duckdb.DuckDBPyConnection, file: Path, who: str) -> None:
    """Read the answer about the shop itself into `bulk_shop`."""
    columns = {"shop": "STRUCT(name VARCHAR, ianaTimezone VARCHAR, currencyCode VARCHAR)"}
    _create(connection, "bulk_shop", f"from {_reader(columns, [file])}", who)


def stage_lines(
    connection: duckdb.DuckDBPyConnection, kind: str, files: Sequence[Path], who: str
) -> None:
    """Read the second pass's answers (`Refund` or `Return`, one object a line) into `lines_<kind>`.

    An object whose lines took several pages stands on several rows.
    """
    columns = {"id": "VARCHAR", _PAGE[kind]: f"STRUCT(nodes STRUCT({_LINE[kind]})[])"}
    select = f"select id, {_PAGE[kind]}.nodes as nodes from {_reader(columns, files)}"
    _create(connection, f"lines_{kind}", select, who)


def _reader(columns: dict[str, str], files: Sequence[Path]) -> str:
    if not files:
        nulls = ", ".join(f'null::{kind} as "{name}"' for name, kind in columns.items())
        return f"(select {nulls} where false)"
    typed = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in columns.items())
    listed = ", ".join(literal(str(path)) for path in files)
    return (
        f"read_json([{listed}], format = 'newline_delimited', columns = {{{typed}}}, "
        f"maximum_object_size = {MOST_BYTES_A_LINE})"
    )


def _create(connection: duckdb.DuckDBPyConnection, relation: str, select: str, who: str) -> None:
    try:
        connection.execute(f"create or replace temp table {relation} as {select}")
    except (duckdb.InvalidInputException, duckdb.ConversionException) as error:
        said = str(error).partition("Error: ")[2].splitlines()[0][:200]
        raise HealthError(
            f"{who} sent a result that cannot be read, so nothing of it has landed: {said}"
        ) from error


def unstage(connection: duckdb.DuckDBPyConnection) -> None:
    """Drop what `stage` and `stage_lines` have made."""
    streams = [f"bulk_{stream}" for stream in ("shop", *_COLUMNS)]
    for name in (*streams, *(f"lines_{kind}" for kind in _PAGE)):
        connection.execute(f"drop table if exists temp.{name}")


def counts(
    connection: duckdb.DuckDBPyConnection, stream: str, objects: int, roots: int
) -> list[Told]:
    """Shopify's counts of a bulk result beside what was staged of it.

    `objects` and `roots` are its `objectCount` and `rootObjectCount`. A line of an unknown kind,
    or a child without its parent, counts as missing.
    """
    root, children = _KINDS[stream]
    known = ", ".join(literal(kind) for kind in (root, *children))
    bulk = f"bulk_{stream}"
    staged = scalar(connection, f"select count(*) from {bulk} where kind in ({known})")
    found = scalar(connection, f"select count(*) from {bulk} where kind = {literal(root)}")
    below = f"select count(*) from {bulk} as c where c.__parentId is not null"
    parents = f"select id from {bulk} where kind = {literal(root)}"
    with_parent = (
        f"select count(*) from {bulk} as c semi join ({parents}) as p on p.id = c.__parentId"
    )
    return [
        Told("objects in the bulk result", objects, staged),
        Told(stream, roots, found),
        Told(
            f"lines that belong to {stream}",
            scalar(connection, below),
            scalar(connection, with_parent) if children else 0,
        ),
    ]


def ids_of(connection: duckdb.DuckDBPyConnection, kind: str) -> list[str]:
    """The gids of all refunds or returns of the staged orders, in order."""
    source = {
        "Refund": "select unnest(refunds).id as id from bulk_orders where kind = 'Order'",
        "Return": "select id from bulk_orders where kind = 'Return'",
    }[kind]
    return [str(row[0]) for row in connection.execute(f"{source} order by 1").fetchall()]


def counted_lines(connection: duckdb.DuckDBPyConnection, kind: str, asked: int) -> Told:
    """How many refunds or returns were asked for their lines, beside how many answered."""
    found = scalar(connection, f"select count(distinct id) from lines_{kind}")
    return Told(f"{kind.lower()}s with their lines", asked, found)
