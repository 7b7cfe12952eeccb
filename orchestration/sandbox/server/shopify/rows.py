"""What a pretended Shopify shop holds: rows of the file drop, joined as the API's objects are.

A row is a dictionary of the contract's columns with `_type`, the name of its GraphQL type; children
hang on their parents in lists. Money and moments are text already, as Shopify writes them. A shop
is read when it is first asked for and kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Any

from orchestration.extract.contract import tables
from orchestration.sandbox.server.drop import Drop

Row = dict[str, Any]

# Type of a row -> (table, its key); the order of ids is that of numbers, as far as they are any.
_TABLES = {
    "Customer": ("customers", "customer_id"),
    "Order": ("orders", "order_id"),
    "LineItem": ("order_lines", "order_line_id"),
    "Refund": ("refunds", "refund_id"),
    "RefundLineItem": ("refund_lines", "refund_line_id"),
    "Return": ("returns", "return_id"),
    "ReturnLineItem": ("return_lines", "return_line_id"),
    "Fulfillment": ("fulfillments", "fulfillment_id"),
    "OrderTransaction": ("transactions", "transaction_id"),
    "Product": ("products", "product_id"),
}

# `2026-10-31T12:00:00Z`, with a fraction of a second where there is one.
_MOMENT = "replace({0}::varchar, ' ', 'T') || 'Z'"
# `335.42`, `310.0`.
_AMOUNT = "case when {0} = trunc({0}) then {0}::bigint || '.0' else rtrim({0}::varchar, '0') end"


class Rows:
    """The rows of one shop. Children whose parent is not there are not there either."""

    def __init__(self, drop: Drop, shop_id: str) -> None:
        self._drop = drop
        self.shop_id = shop_id

    @cached_property
    def shop(self) -> Row:
        """The shop itself; what the drop does not tell of it is as for a shop that is new."""
        table = self._drop.table("shopify", "shops")
        found = self._drop.rows(f"select * from {table} where shop_id = ?", [self.shop_id])
        known = found[0] if found else {"name": None, "iana_timezone": None, "currency_code": None}
        return {
            "_type": "Shop",
            "shop_id": self.shop_id,
            "name": known["name"] or self.shop_id,
            "iana_timezone": known["iana_timezone"] or "Etc/UTC",
            "currency_code": known["currency_code"] or "USD",
        }

    @cached_property
    def customers(self) -> dict[str, Row]:
        """All customers, those merged and redacted too, by id."""
        return self._by_id("Customer")

    @cached_property
    def products(self) -> dict[str, Row]:
        """Products by id, with `_collections`: rows of id and title."""
        found = self._by_id("Product")
        numbers = _numbered(row["collections"] or [] for row in found.values())
        for row in found.values():
            row["_collections"] = [
                {"_type": "Collection", "collection_id": numbers[title], "title": title}
                for title in row["collections"] or []
            ]
        return found

    @cached_property
    def orders(self) -> dict[str, Row]:
        """Orders by id, with `_lines`, `_refunds`, `_returns`, `_fulfillments`, `_transactions`."""
        found = self._by_id("Order")
        for kind, name in (
            ("LineItem", "_lines"),
            ("Refund", "_refunds"),
            ("Return", "_returns"),
            ("Fulfillment", "_fulfillments"),
            ("OrderTransaction", "_transactions"),
        ):
            children = self._grouped(kind, "order_id")
            for order_id, order in found.items():
                order[name] = children.get(order_id, [])
                for child in order[name]:
                    child["_order"] = order
        refunded, returned = (
            self._grouped("RefundLineItem", "refund_id"),
            self._grouped("ReturnLineItem", "return_id"),
        )
        for order in found.values():
            lines = {line["order_line_id"]: line for line in order["_lines"]}
            for parents, key, children in (
                ("_refunds", "refund_id", refunded),
                ("_returns", "return_id", returned),
            ):
                for parent in order[parents]:
                    parent["_lines"] = children.get(parent[key], [])
                    for child in parent["_lines"]:
                        child["_order"] = order
                        child["_line"] = lines.get(child["order_line_id"])
        return found

    @cached_property
    def refunds(self) -> dict[str, Row]:
        """Refunds by id."""
        return {r["refund_id"]: r for order in self.orders.values() for r in order["_refunds"]}

    @cached_property
    def returns(self) -> dict[str, Row]:
        """Returns by id."""
        return {r["return_id"]: r for order in self.orders.values() for r in order["_returns"]}

    def _by_id(self, kind: str) -> dict[str, Row]:
        key = _TABLES[kind][1]
        return {row[key]: row for row in self._read(kind)}

    def _grouped(self, kind: str, parent: str) -> dict[str, list[Row]]:
        found = defaultdict(list)
        for row in self._read(kind):
            found[row[parent]].append(row)
        return found

    def _read(self, kind: str) -> list[Row]:
        name, key = _TABLES[kind]
        table = self._drop.table("shopify", name)
        written = {"timestamp": _MOMENT, "decimal(18,4)": _AMOUNT}
        cells = [
            f"{written.get(its, '{0}').format(column)} as {column}"
            for column, its in tables()["shopify", name].payload.items()
        ]
        return self._drop.rows(
            f"select '{kind}' as _type, {', '.join(cells)} from {table} where shop_id = ? "
            f"order by try_cast({key} as hugeint), {key}",
            [self.shop_id],
        )


def _numbered(lists: Iterable[list[str]]) -> dict[str, int]:
    """A number for each title, so that every list is in the order of its numbers.

    Shopify does not tell the order in which a product stands in collections; by their ids, older
    ones come first. Lists that contradict each other are numbered by name.
    """
    before: dict[str, set[str]] = {}
    for titles in lists:
        for position, title in enumerate(titles):
            before.setdefault(title, set()).update(titles[:position])
    try:
        ordered = list(
            TopologicalSorter({t: sorted(before[t]) for t in sorted(before)}).static_order()
        )
    except CycleError:
        ordered = sorted(before)
    return {title: 9_000_000_000 + number for number, title in enumerate(ordered, start=1)}
