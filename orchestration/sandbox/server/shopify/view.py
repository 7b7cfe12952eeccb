"""One request's look at a shop: its rows, and what was written to them since the drop was made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from orchestration.sandbox.server.shopify.rows import Row, Rows
from orchestration.sandbox.server.state import Sandbox

# An app's reserved namespace: `$app:health` is stored under the id of the app that asks.
APP = "app--1"

# How far back an app sees orders without the scope read_all_orders.
ORDER_WINDOW = timedelta(days=60)

# Metafields that other apps of the shop keep: type -> [(namespace, key, type, column)].
_KEPT = {
    "Customer": [("facts", "birth_date", "date", "birth_date")],
    "Order": [
        ("customer_health", "resend_of_order_id", "single_line_text_field", "resend_of_order_id")
    ],
    "Product": [
        ("custom", name, "single_line_text_field", name)
        for name in ("family", "finish", "metal", "style")
    ],
}
_KEYS = {"Customer": "customer_id", "Order": "order_id", "Product": "product_id"}


def resolved(namespace: str | None) -> str:
    """A namespace as it is stored; none at all means the app's own."""
    if namespace is None or namespace == "$app":
        return APP
    if namespace.startswith("$app:"):
        return f"{APP}--{namespace.removeprefix('$app:')}"
    return namespace


class View:
    """What one request sees of a shop."""

    def __init__(self, sandbox: Sandbox, rows: Rows) -> None:
        self._sandbox = sandbox
        self.rows = rows
        self.shop = rows.shop_id

    @property
    def currency(self) -> str:
        """The shop's currency."""
        return str(self.rows.shop["currency_code"])

    @cached_property
    def _written(self) -> dict[str, dict[str, Any]]:
        return self._sandbox.store.all_held("shopify", self.shop)

    @cached_property
    def _tagged(self) -> dict[str, dict[str, Any]]:
        return self._sandbox.store.all_held("shopify tags", self.shop)

    def customer(self, customer_id: str) -> Row | None:
        """A customer who can be written to; one known by id alone is a row of nothing else."""
        if self._sandbox.store.fields("shopify", self.shop, customer_id) is None:
            return None
        return self.rows.customers.get(customer_id) or {
            "_type": "Customer",
            "customer_id": customer_id,
        }

    def customers(self) -> list[Row]:
        """The customers that a list shows, in the order of their ids."""
        gone = self._sandbox.store.gone("shopify", self.shop)
        return [
            row
            for row in self.rows.customers.values()
            if row["customer_id"] not in gone and (self._sandbox.shows_former or _is_there(row))
        ]

    def customer_of(self, order: Row) -> Row | None:
        """The customer of an order: after a merge, whoever was kept."""
        row: Row | None = self.rows.customers.get(order["customer_id"])
        if row is None:
            return None
        seen = set()
        while not self._sandbox.shows_former and row["merged_into_customer_id"] is not None:
            seen.add(row["customer_id"])
            following = self.rows.customers.get(row["merged_into_customer_id"])
            if following is None or following["customer_id"] in seen:
                break
            row = following
        return row

    def orders(self) -> list[Row]:
        """The orders that the app may see, in the order of their ids."""
        found = list(self.rows.orders.values())
        if not self._sandbox.missing_scopes("shopify", ["read_all_orders"]):
            return found
        # The shop's own last day stands for today, so that a drop tells the same every day.
        moments = [row["created_at"] for row in found if row["created_at"]]
        last = datetime.fromisoformat(max(moments)) if moments else datetime.max
        first = (last - ORDER_WINDOW).strftime("%Y-%m-%dT%H:%M:%S")
        return [row for row in found if (row["created_at"] or "") >= first]

    def products(self) -> list[Row]:
        """All products, in the order of their ids."""
        return list(self.rows.products.values())

    def product(self, product_id: str | None) -> Row | None:
        """A product; Shopify has nothing to show of one that was deleted."""
        return self.rows.products.get(product_id or "")

    def tags(self, customer: Row) -> list[str]:
        """A customer's tags, with those added and without those removed."""
        return tags_of(customer, self._tagged.get(customer["customer_id"], {}))

    def forget_tags(self) -> None:
        """Read the tags again when they are next asked for."""
        self.__dict__.pop("_tagged", None)

    def metafield(self, row: Row, namespace: str | None, key: str) -> Row | None:
        """One metafield of a customer, order or product."""
        space = resolved(namespace)
        if row["_type"] == "Customer":
            stored = self._written.get(row["customer_id"], {}).get(f"{space}.{key}")
            if stored is not None:
                return {"owner": row["customer_id"], "namespace": space, "key": key, **stored}
        for its_space, its_key, kind, column in _KEPT[row["_type"]]:
            if (its_space, its_key) == (space, key):
                return _kept(row, space, key, kind, row.get(column))
        return None

    def metafields(self, row: Row, namespace: str | None, keys: Sequence[str] | None) -> list[Row]:
        """The metafields of a customer, by namespace and key; `keys` are `namespace.key`."""
        customer_id = row["customer_id"]
        names = {f"{space}.{key}" for space, key, _, _ in _KEPT["Customer"]}
        names |= self._written.get(customer_id, {}).keys()
        found = [
            self.metafield(row, *name.rsplit(".", 1))
            for name in sorted(names)
            if keys is None or name in keys
        ]
        space = namespace and resolved(namespace)
        return [m for m in found if m is not None and space in (None, m["namespace"])]


def tags_of(customer: Row, changed: dict[str, Any]) -> list[str]:
    """The tags of a customer of the drop, with what was added and removed since."""
    removed = changed.get("removed", [])
    held = [tag for tag in customer.get("tags") or [] if tag not in removed]
    return list(dict.fromkeys([*held, *changed.get("added", [])]))


def _is_there(customer: Row) -> bool:
    return customer["merged_into_customer_id"] is None and customer["redacted_at"] is None


def _kept(row: Row, space: str, key: str, kind: str, value: Any) -> Row | None:
    if value is None:
        return None
    owner = row[_KEYS[row["_type"]]]
    return {"owner": owner, "namespace": space, "key": key, "type": kind, "value": str(value)}
