"""The webhooks that the sandbox sends: what the API cannot tell, signed as Shopify signs."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import duckdb
import pytest
from sandbox_shop import SHOP, rows

from orchestration.extract.files import load_directory
from orchestration.receive import inbox
from orchestration.receive.landing import land_inbox
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
    with pytest.raises(ValueError, match="orders/paid"):
        list(deliveries(sandbox, SHOP, ["orders/paid"]))


# --- orders and customers, told as well ----------------------------------------------------------

# What a webhook tells of each table, as `docs/webhooks.md` has it; enums are told in small letters.
TOLD = {
    "orders": "order_id, customer_id, coalesce(email, ''), created_at, "
    "coalesce(processed_at, created_at), updated_at, "
    "cancelled_at, is_test, lower(financial_status), lower(fulfillment_status), currency_code, "
    "presentment_currency_code, subtotal_amount, discount_amount, tax_amount, shipping_amount, "
    "total_amount, shipping_country_code, shipping_postal_code, payment_gateways, discount_codes, "
    "source_name, tags",
    "order_lines": "order_line_id, order_id, product_id, variant_id, sku, title, vendor, quantity, "
    "unit_price_amount, discount_amount, is_gift_card, offer_id, offer_kind",
    "refunds": "refund_id, order_id, created_at",
    "refund_lines": "refund_line_id, refund_id, order_line_id, quantity, subtotal_amount, "
    "tax_amount",
    "fulfillments": "fulfillment_id, order_id, created_at, status",
    "customers": "customer_id, email, phone, first_name, last_name, created_at, updated_at, "
    "default_country_code, default_postal_code",
}


def test_orders_and_customers_told_by_webhooks_are_those_of_the_drop(
    sandbox: Sandbox, drop: Path, tmp_path: Path
) -> None:
    moment = datetime(2026, 11, 2, 12)
    by_files, by_webhooks = tmp_path / "files.duckdb", tmp_path / "webhooks.duckdb"
    load_directory(drop, by_files, loaded_at=moment)
    folder = inbox.inbox_folder(by_webhooks)
    # Every fourth of them: each is synced to disk.
    found = list(deliveries(sandbox, SHOP, ["orders/updated", "customers/update"]))[::4]
    for headers, body in found:
        kept = inbox.Delivery(
            source="shopify",
            shop_id=SHOP,
            topic=headers["X-Shopify-Topic"],
            delivery_id=headers["X-Shopify-Webhook-Id"],
            triggered_at=headers["X-Shopify-Triggered-At"],
            received_at="2026-11-02T12:00:00+00:00",
            body=body.decode(),
        )
        inbox.keep(folder, kept)
    land_inbox(by_webhooks, loaded_at=moment)
    with duckdb.connect() as connection:
        for name, path in (("files", by_files), ("webhooks", by_webhooks)):
            connection.execute(f"attach '{path}' as {name} (read_only)")
        counts = {}
        for table, columns in TOLD.items():
            told, there = (
                f"select {columns} from {name}.raw_shopify.{table} where shop_id = '{SHOP}'"
                for name in ("webhooks", "files")
            )
            counts[table] = connection.execute(f"select count(*) from ({told})").fetchall()[0][0]
            assert connection.execute(f"{told} except all {there}").fetchall() == [], table
    assert counts["orders"] + counts["customers"] == len(found)
    assert min(counts.values()) > 20
    assert counts["order_lines"] > counts["orders"]
