"""Webhooks as Shopify sends them, for tests: published shapes, headers, signatures."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

SECRET = "shpss_of_the_test"


def signature(body: bytes, secret: str = SECRET) -> str:
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def headers(
    topic: str,
    body: bytes,
    *,
    shop: str = "aurelia",
    secret: str = SECRET,
    number: object = 1,
    at: str = "2026-06-01T12:00:00Z",
) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "X-Shopify-Topic": topic,
        "X-Shopify-Hmac-Sha256": signature(body, secret),
        "X-Shopify-Shop-Domain": f"{shop}.myshopify.com",
        "X-Shopify-API-Version": "2026-07",
        "X-Shopify-Webhook-Id": f"b54557e4-0000-4000-8000-{number}",
        "X-Shopify-Triggered-At": at,
    }


def money(amount: str, presentment: str | None = None) -> dict[str, Any]:
    return {
        "shop_money": {"amount": amount, "currency_code": "USD"},
        "presentment_money": {"amount": presentment or amount, "currency_code": "CAD"},
    }


def line(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": number,
        "admin_graphql_api_id": f"gid://shopify/LineItem/{number}",
        "title": "Aurora Ring",
        "vendor": "Aurelia",
        "sku": "AU-1",
        "product_id": 788032119674292922,
        "variant_id": 12,
        "quantity": 2,
        "gift_card": False,
        "price": "99.00",
        "price_set": money("89.99", "120.00"),
        "total_discount": "0.00",
        "properties": [],
        "discount_allocations": [],
    } | fields


def refund(number: int, order_id: int | None, **fields: Any) -> dict[str, Any]:
    return {
        "id": number,
        "order_id": order_id,
        "created_at": "2026-06-03T08:00:00-04:00",
        "refund_line_items": [
            {
                "id": number * 10 + 1,
                "quantity": 1,
                "line_item_id": 11,
                "subtotal": 89.99,
                "total_tax": 5.0,
                "subtotal_set": money("89.99"),
                "total_tax_set": money("5.00"),
            }
        ],
        "transactions": [
            {
                "id": number * 10 + 2,
                "order_id": order_id,
                "kind": "refund",
                "gateway": "shopify_payments",
                "status": "success",
                "created_at": "2026-06-03T08:00:01-04:00",
                "amount": "94.99",
            }
        ],
    } | fields


def order(number: int = 820982911946154508, **fields: Any) -> dict[str, Any]:
    return {
        "id": number,
        "admin_graphql_api_id": f"gid://shopify/Order/{number}",
        "created_at": "2026-06-01T08:00:00-04:00",
        "processed_at": "2026-06-01T08:00:00-04:00",
        "updated_at": "2026-06-01T08:00:05-04:00",
        "cancelled_at": None,
        "test": False,
        "email": "jon@example.com",
        "currency": "USD",
        "presentment_currency": "CAD",
        "financial_status": "paid",
        "fulfillment_status": None,
        "payment_gateway_names": ["shopify_payments", "gift_card"],
        "discount_codes": [{"code": "SPRING", "amount": "5.00", "type": "fixed_amount"}],
        "source_name": "web",
        "tags": "vip, first order",
        "subtotal_price": "174.98",
        "subtotal_price_set": money("174.98", "230.00"),
        "total_discounts": "5.00",
        "total_discounts_set": money("5.00"),
        "total_tax": "10.00",
        "total_tax_set": money("10.00"),
        "total_price": "194.98",
        "total_price_set": money("194.98"),
        "total_shipping_price_set": money("10.00"),
        "customer": {"id": 115310627314723954, "email": "john@example.com"},
        "shipping_address": {"zip": "40003", "country_code": "US"},
        "line_items": [line(11)],
        "fulfillments": [],
        "refunds": [],
        "returns": [],
    } | fields


def customer(number: int = 706405506930370084, **fields: Any) -> dict[str, Any]:
    return {
        "id": number,
        "admin_graphql_api_id": f"gid://shopify/Customer/{number}",
        "created_at": "2026-05-01T08:00:00-04:00",
        "updated_at": "2026-06-01T08:00:00-04:00",
        "first_name": "Bob",
        "last_name": "Biller",
        "email": "bob@biller.com",
        "phone": None,
        "default_address": {"country_code": "CA", "zip": "K2P 2L8"},
    } | fields


def merge(gone: int, kept: int, status: str = "completed") -> dict[str, Any]:
    return {
        "admin_graphql_api_customer_kept_id": f"gid://shopify/Customer/{kept}",
        "admin_graphql_api_customer_deleted_id": f"gid://shopify/Customer/{gone}",
        "admin_graphql_api_job_id": None,
        "status": status,
        "errors": [],
    }


def redact(number: int | None, email: str = "john@example.com") -> dict[str, Any]:
    return {
        "shop_id": 954889,
        "shop_domain": "aurelia.myshopify.com",
        "customer": {"id": number, "email": email, "phone": "555-625-1199"},
        "orders_to_redact": [299938, 280263],
    }


def returned(status: str, number: int = 5, **fields: Any) -> dict[str, Any]:
    return {
        "id": number,
        "admin_graphql_api_id": f"gid://shopify/Return/{number}",
        "status": status,
    } | fields


def text(payload: Any) -> bytes:
    return json.dumps(payload).encode()
