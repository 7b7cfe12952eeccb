"""The webhooks of a pretended shop: what its API cannot tell, signed to be sent.

Topics, headers and bodies are as Shopify publishes them. A merge and an erasure are told in this
way alone; orders and customers can be told as well, each as it is now.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestration.sandbox.server import payloads
from orchestration.sandbox.server.shopify.rows import Row, Rows
from orchestration.sandbox.server.state import Sandbox

API_VERSION = "2026-07"

# What a shop of the drop is told of when nothing else is asked: what the API cannot tell.
TOPICS = ("customers/merge", "customers/redact")

# What is told: a name that tells it from others, when it happened (UTC), and the body.
Told = tuple[str, datetime, dict[str, Any]]

_FORMER = """
select customer_id, email, phone, merged_into_customer_id, redacted_at, updated_at
from {customers}
where shop_id = ? and {which} is not null
order by coalesce(redacted_at, updated_at), customer_id
"""
_ORDERED = "select order_id from {orders} where shop_id = ? and customer_id = ? order by order_id"


@dataclass(frozen=True)
class Delivery:
    """One webhook: its headers and its body, to be sent by POST as they are."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def topic(self) -> str:
        """What it tells of."""
        return self.headers["X-Shopify-Topic"]

    def __iter__(self) -> Iterator[Any]:
        return iter((self.headers, self.body))


def deliveries(sandbox: Sandbox, shop: str, topics: Iterable[str] = TOPICS) -> Iterator[Delivery]:
    """The webhooks of a shop, in the order of the topics and then of time.

    Signed with the shop's `sandbox.webhook_secret`. Raises `ValueError` for a topic that the
    sandbox does not send.
    """
    for topic in topics:
        if topic not in _TOLD:
            raise ValueError(f"The sandbox sends no webhooks of the topic {topic}.")
        for name, moment, content in _TOLD[topic](sandbox, shop):
            yield signed(sandbox, shop, topic, content, moment=moment, name=name)


def signed(
    sandbox: Sandbox, shop: str, topic: str, content: Any, *, moment: datetime, name: str
) -> Delivery:
    """One webhook; `moment` (UTC) is when it happened, `name` what tells it from others."""
    body = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
    digest = hmac.new(sandbox.webhook_secret(shop).encode(), body, hashlib.sha256).digest()
    # The same event has the same ids, however often it is sent.
    event = uuid.uuid5(uuid.NAMESPACE_URL, f"{shop}/{topic}/{name}")
    headers = {
        "Content-Type": "application/json",
        "X-Shopify-Topic": topic,
        "X-Shopify-Hmac-Sha256": base64.b64encode(digest).decode(),
        "X-Shopify-Shop-Domain": f"{shop}.myshopify.com",
        "X-Shopify-API-Version": API_VERSION,
        "X-Shopify-Webhook-Id": str(event),
        "X-Shopify-Event-Id": str(uuid.uuid5(event, "event")),
        "X-Shopify-Triggered-At": moment.isoformat() + "Z",
    }
    return Delivery(headers, body)


def _former(sandbox: Sandbox, shop: str, which: str) -> list[dict[str, Any]]:
    customers = sandbox.drop.table("shopify", "customers")
    return sandbox.drop.rows(_FORMER.format(customers=customers, which=which), [shop])


def _merges(sandbox: Sandbox, shop: str) -> Iterator[Told]:
    for row in _former(sandbox, shop, "merged_into_customer_id"):
        kept, gone = row["merged_into_customer_id"], row["customer_id"]
        yield (
            f"{gone}-{kept}",
            row["updated_at"],
            {
                "admin_graphql_api_customer_kept_id": f"gid://shopify/Customer/{kept}",
                "admin_graphql_api_customer_deleted_id": f"gid://shopify/Customer/{gone}",
                "admin_graphql_api_job_id": None,
                "status": "completed",
                "errors": [],
            },
        )


def _redactions(sandbox: Sandbox, shop: str) -> Iterator[Told]:
    orders = sandbox.drop.table("shopify", "orders")
    for row in _former(sandbox, shop, "redacted_at"):
        found = sandbox.drop.query(_ORDERED.format(orders=orders), [shop, row["customer_id"]])
        yield (
            row["customer_id"],
            row["redacted_at"],
            {
                "shop_id": _number(shop),
                "shop_domain": f"{shop}.myshopify.com",
                "customer": {
                    "id": payloads.number(row["customer_id"]),
                    "email": row["email"],
                    "phone": row["phone"],
                },
                "orders_to_redact": [payloads.number(order_id) for (order_id,) in found],
            },
        )


def _orders(sandbox: Sandbox, shop: str) -> Iterator[Told]:
    rows = Rows(sandbox.drop, shop)
    for row in rows.orders.values():
        yield _changed(row, row["order_id"], payloads.order(rows, row))


def _customers(sandbox: Sandbox, shop: str) -> Iterator[Told]:
    rows = Rows(sandbox.drop, shop)
    for row in rows.customers.values():
        yield _changed(row, row["customer_id"], payloads.customer(rows, row))


def _changed(row: Row, object_id: str, content: dict[str, Any]) -> Told:
    text = row["updated_at"] or row["created_at"]
    moment = datetime.fromisoformat(text).replace(tzinfo=None) if text else datetime(1970, 1, 1)
    return f"{object_id}-{text}", moment, content


def _number(shop: str) -> int:
    """A shop's number, which the drop does not know."""
    return int.from_bytes(hashlib.sha256(shop.encode()).digest()[:4])


_TOLD: dict[str, Callable[[Sandbox, str], Iterator[Told]]] = {
    "customers/merge": _merges,
    "customers/redact": _redactions,
    "customers/update": _customers,
    "orders/updated": _orders,
}
