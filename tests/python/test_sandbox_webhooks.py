"""The webhooks that the sandbox sends: what the API cannot tell, signed as Shopify signs."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from sandbox_shop import SHOP, rows

from orchestration.sandbox.server import Delivery, Sandbox, deliveries, running


@pytest.fixture
def sandbox(drop: Path) -> Iterator[Sandbox]:
    found = Sandbox.from_drop(drop)
    yield found
    found.close()


def told(sandbox: Sandbox, topic: str) -> list[Delivery]:
    return [delivery for delivery in deliveries(sandbox, SHOP) if delivery.topic == topic]


def tail(global_id: str) -> str:
    return global_id.rpartition("/")[2]


def test_every_merge_of_the_drop_is_told_once(sandbox: Sandbox, drop: Path) -> None:
    found = [json.loads(delivery.body) for delivery in told(sandbox, "customers/merge")]
    columns = "customer_id, merged_into_customer_id"
    wanted = rows(drop, "shopify/customers", columns, "merged_into_customer_id is not null")
    assert wanted
    assert sorted(
        (
            tail(content["admin_graphql_api_customer_deleted_id"]),
            tail(content["admin_graphql_api_customer_kept_id"]),
        )
        for content in found
    ) == sorted(wanted)
    assert {content["status"] for content in found} == {"completed"}


def test_every_erasure_is_told_with_its_orders_and_its_time(sandbox: Sandbox, drop: Path) -> None:
    found = told(sandbox, "customers/redact")
    columns = "customer_id, redacted_at::timestamp"
    wanted = dict(rows(drop, "shopify/customers", columns, "redacted_at is not null"))
    assert wanted
    assert len(found) == len(wanted)
    for delivery in found:
        content = json.loads(delivery.body)
        customer = str(content["customer"]["id"])
        at = datetime.fromisoformat(delivery.headers["X-Shopify-Triggered-At"])
        assert at.replace(tzinfo=None) == wanted[customer]
        assert at.utcoffset().total_seconds() == 0  # type: ignore[union-attr]
        orders = rows(drop, "shopify/orders", "order_id", f"customer_id = '{customer}'")
        assert [str(order) for order in content["orders_to_redact"]] == [o for (o,) in orders]
        assert content["shop_domain"] == "aurelia.myshopify.com"
        # Shopify sends whole numbers as ids.
        assert isinstance(content["customer"]["id"], int)


def test_each_is_signed_and_named_for_good(sandbox: Sandbox) -> None:
    found = list(deliveries(sandbox, SHOP))
    secret = sandbox.webhook_secret(SHOP).encode()
    for headers, body in found:
        digest = hmac.new(secret, body, hashlib.sha256).digest()
        assert headers["X-Shopify-Hmac-Sha256"] == base64.b64encode(digest).decode()
        assert headers["X-Shopify-Shop-Domain"] == "aurelia.myshopify.com"
    ids = [delivery.headers["X-Shopify-Webhook-Id"] for delivery in found]
    assert len(set(ids)) == len(ids)
    again = [delivery.headers["X-Shopify-Webhook-Id"] for delivery in deliveries(sandbox, SHOP)]
    assert again == ids
    with running(sandbox) as urls:
        exported = urls.environment["SHOPIFY_WEBHOOK_SECRET__AURELIA"]
    assert exported == sandbox.webhook_secret(SHOP)


def test_a_topic_that_is_not_sent_is_an_error(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="orders/create"):
        list(deliveries(sandbox, SHOP, ["orders/create"]))
