"""Functions that read a value from a row: (row, view, arguments) -> value.

Objects without an id of their own, such as money, are rows of a few keys.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any

from orchestration.sandbox.server.shopify.rows import Row
from orchestration.sandbox.server.shopify.view import View

Field = Callable[[Any, View, Mapping[str, Any]], Any]

_REASONS = frozenset(
    {
        "COLOR",
        "DEFECTIVE",
        "NOT_AS_DESCRIBED",
        "OTHER",
        "SIZE_TOO_LARGE",
        "SIZE_TOO_SMALL",
        "STYLE",
        "UNWANTED",
        "WRONG_ITEM",
    }
)


def gid(kind: str, tail: Any) -> str:
    """A global id: `gid://shopify/Order/1`."""
    return f"gid://shopify/{kind}/{tail}"


def global_id(kind: str, key: str) -> Field:
    """The global id of a row."""
    return lambda row, view, given: gid(kind, row[key])


def text(key: str) -> Field:
    """A value as it stands."""
    return lambda row, view, given: row[key]


def words(key: str) -> Field:
    """A text that is empty where there is none."""
    return lambda row, view, given: row[key] or ""


def texts(key: str) -> Field:
    """A list that is empty where there is none."""
    return lambda row, view, given: row[key] or []


def cut(key: str) -> Field:
    """A list that `first` cuts."""
    return lambda row, view, given: row[key][: given.get("first")]


def word(key: str, otherwise: str | None = None) -> Field:
    """An enum, which Shopify writes in capitals."""
    return lambda row, view, given: row[key].upper() if row[key] else otherwise


def bag(key: str) -> Field:
    """Money of an order, or of what belongs to one."""

    def read(row: Row, view: View, given: Mapping[str, Any]) -> Row:
        order = row.get("_order", row)
        # The drop knows no exchange rate: what the customer saw is the same figure.
        return {
            "amount": row[key] or "0.0",
            "shop": order["currency_code"],
            "shown": order["presentment_currency_code"] or order["currency_code"],
        }

    return read


def address(kind: str, country: str, code: str) -> Field:
    """An address of a country and a postal code."""

    def read(row: Row, view: View, given: Mapping[str, Any]) -> Row | None:
        if row[country] is None and row[code] is None:
            return None
        tail = row.get("order_id") or row["customer_id"]
        return {"id": gid("MailingAddress", tail), "country": row[country], "zip": row[code]}

    return read


def contact(key: str, state: str) -> Field:
    """An e-mail address or telephone number, with its consent."""

    def read(row: Row, view: View, given: Mapping[str, Any]) -> Row | None:
        if row[key] is None:
            return None
        return {"address": row[key], "state": (row[state] or "NOT_SUBSCRIBED").upper()}

    return read


def journey(row: Row, view: View, given: Mapping[str, Any]) -> Row | None:
    """Where the customer came from, if it is known."""
    source = row["acquisition_source"]
    return (
        None if source is None else {"id": gid("CustomerVisit", row["order_id"]), "source": source}
    )


def discounts(row: Row, view: View, given: Mapping[str, Any]) -> list[Row]:
    """All discounts of a line, as one allocation."""
    return [row] if row["discount_amount"] not in (None, "0.0") else []


def attributes(row: Row, view: View, given: Mapping[str, Any]) -> list[Row]:
    """The offer that a line was sold by, as custom attributes."""
    named = (("_offer_id", row["offer_id"]), ("_offer_kind", row["offer_kind"]))
    return [{"key": key, "value": value} for key, value in named if value is not None]


def product(row: Row, view: View, given: Mapping[str, Any]) -> Row | None:
    """The product of a line."""
    return view.product(row["product_id"])


def variant(row: Row, view: View, given: Mapping[str, Any]) -> Row | None:
    """The variant of a line."""
    if row["variant_id"] is None:
        return None
    return {"variant_id": row["variant_id"], "_product": view.product(row["product_id"]) or {}}


def only_variant(row: Row, view: View, given: Mapping[str, Any]) -> list[Row]:
    """The one variant of a product."""
    # The drop has one price and one cost a product, so each has one variant.
    return [{"variant_id": f"{row['product_id']}00", "_product": row}]


def price(row: Row, view: View, given: Mapping[str, Any]) -> Row:
    """The price of a product."""
    return {"amount": row["price_amount"] or "0.0", "code": view.currency}


def cost(row: Row, view: View, given: Mapping[str, Any]) -> Row | None:
    """What a variant costs the shop."""
    cost = row["_product"].get("cost_amount")
    return None if cost is None else {"amount": cost, "code": view.currency}


def reason(row: Row, view: View, given: Mapping[str, Any]) -> str:
    """Why an item came back, in one of Shopify's words."""
    reason = row["reason"]
    return "UNKNOWN" if reason is None else reason if reason in _REASONS else "OTHER"


def note(row: Row, view: View, given: Mapping[str, Any]) -> str:
    """Why an item came back, in the shop's own words."""
    reason = row["reason"]
    return "" if reason is None or reason in _REASONS else str(reason)


def definition(row: Row, view: View, given: Mapping[str, Any]) -> Row | None:
    """Why an item came back, as the shop defines its reasons."""
    reason = row["reason"]
    if reason is None:
        return None
    handle = re.sub(r"[^a-z0-9]+", "-", reason.lower()).strip("-")
    return {"handle": handle, "name": reason}


def metafield(row: Row, view: View, given: Mapping[str, Any]) -> Row | None:
    """One metafield."""
    return view.metafield(row, given.get("namespace"), given["key"])


def metafields(row: Row, view: View, given: Mapping[str, Any]) -> list[Row]:
    """All metafields of a namespace."""
    return view.metafields(row, given.get("namespace"), given.get("keys"))


def digest(value: str) -> str:
    """What `compareDigest` of a metafield with this value is."""
    return hashlib.sha256(value.encode()).hexdigest()
