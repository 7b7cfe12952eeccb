"""Orders and customers as Shopify's webhooks have them, which is as its older REST API did.

What the GraphQL API has and a webhook does not is not here: payments, the day of delivery, where a
customer came from, metafields; a customer's tags and consent.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from orchestration.sandbox.server.shopify.rows import Row, Rows

# A word of the Admin API -> that of REST, which has none for an order with nothing sent yet.
_FULFILMENT = {"unfulfilled": None, "partially_fulfilled": "partial"}


def order(rows: Rows, row: Row) -> dict[str, Any]:
    """The body of `orders/create` and `orders/updated`."""
    status = (row["fulfillment_status"] or "unfulfilled").lower()
    return {
        "id": number(row["order_id"]),
        "admin_graphql_api_id": f"gid://shopify/Order/{row['order_id']}",
        "name": f"#{row['order_id']}",
        "email": row["email"] or "",
        "contact_email": row["email"],
        "created_at": _local(rows, row["created_at"]),
        "processed_at": _local(rows, row["processed_at"] or row["created_at"]),
        "updated_at": _local(rows, row["updated_at"]),
        "cancelled_at": _local(rows, row["cancelled_at"]),
        "test": bool(row["is_test"]),
        "financial_status": (row["financial_status"] or "").lower() or None,
        "fulfillment_status": _FULFILMENT.get(status, status),
        "currency": row["currency_code"],
        "presentment_currency": row["presentment_currency_code"],
        **_money(row, "subtotal_price", row["subtotal_amount"]),
        **_money(row, "total_discounts", row["discount_amount"]),
        **_money(row, "total_tax", row["tax_amount"]),
        **_money(row, "total_price", row["total_amount"]),
        "total_shipping_price_set": _set(row, row["shipping_amount"]),
        "payment_gateway_names": row["payment_gateways"] or [],
        "discount_codes": [
            {"code": code, "amount": _two(row["discount_amount"]), "type": "percentage"}
            for code in row["discount_codes"] or []
        ],
        "source_name": row["source_name"],
        "tags": ", ".join(row["tags"] or []),
        "customer": _customer_of(rows, row),
        "shipping_address": _address(row["shipping_country_code"], row["shipping_postal_code"]),
        "line_items": [_line(row, line) for line in row["_lines"]],
        "fulfillments": [
            {
                "id": number(parcel["fulfillment_id"]),
                "order_id": number(row["order_id"]),
                "created_at": _local(rows, parcel["created_at"]),
                "status": parcel["status"],
            }
            for parcel in row["_fulfillments"]
        ],
        "refunds": [_refund(rows, row, refund) for refund in row["_refunds"]],
    }


def customer(rows: Rows, row: Row) -> dict[str, Any]:
    """The body of `customers/create` and `customers/update`."""
    return {
        "id": number(row["customer_id"]),
        "admin_graphql_api_id": f"gid://shopify/Customer/{row['customer_id']}",
        "email": row["email"],
        "phone": row["phone"],
        "first_name": row["first_name"],
        "last_name": row["last_name"],
        "created_at": _local(rows, row["created_at"]),
        "updated_at": _local(rows, row["updated_at"]),
        "default_address": _address(row["default_country_code"], row["default_postal_code"]),
    }


def number(text: str) -> int | str:
    """An id as webhooks have it: a number."""
    return int(text) if text.isdecimal() else text


def _line(order: Row, line: Row) -> dict[str, Any]:
    given = (("_offer_id", line["offer_id"]), ("_offer_kind", line["offer_kind"]))
    discount = line["discount_amount"]
    allocated = {"amount": _two(discount), "amount_set": _set(order, discount)}
    return {
        "id": number(line["order_line_id"]),
        "product_id": line["product_id"] and number(line["product_id"]),
        "variant_id": line["variant_id"] and number(line["variant_id"]),
        "sku": line["sku"],
        "title": line["title"],
        "vendor": line["vendor"],
        "quantity": line["quantity"],
        "price": _two(line["unit_price_amount"]),
        "price_set": _set(order, line["unit_price_amount"]),
        "gift_card": bool(line["is_gift_card"]),
        "properties": [{"name": name, "value": value} for name, value in given if value],
        "discount_allocations": [allocated] if Decimal(discount or 0) else [],
    }


def _refund(rows: Rows, order: Row, refund: Row) -> dict[str, Any]:
    return {
        "id": number(refund["refund_id"]),
        "order_id": number(refund["order_id"]),
        "created_at": _local(rows, refund["created_at"]),
        "refund_line_items": [
            {
                "id": number(line["refund_line_id"]),
                "line_item_id": number(line["order_line_id"]),
                "quantity": line["quantity"],
                "subtotal": float(line["subtotal_amount"] or 0),
                "subtotal_set": _set(order, line["subtotal_amount"]),
                "total_tax": float(line["tax_amount"] or 0),
                "total_tax_set": _set(order, line["tax_amount"]),
            }
            for line in refund["_lines"]
        ],
        "transactions": [],
    }


def _customer_of(rows: Rows, row: Row) -> dict[str, Any] | None:
    found = rows.customers.get(row["customer_id"])
    return None if found is None else {"id": number(found["customer_id"]), "email": found["email"]}


def _address(country: str | None, code: str | None) -> dict[str, Any] | None:
    return None if country is None and code is None else {"country_code": country, "zip": code}


def _money(order: Row, name: str, value: str | None) -> dict[str, Any]:
    return {name: _two(value), f"{name}_set": _set(order, value)}


def _set(order: Row, value: str | None) -> dict[str, Any]:
    def one(currency: str) -> dict[str, str]:
        return {"amount": _two(value), "currency_code": currency}

    return {
        "shop_money": one(order["currency_code"]),
        "presentment_money": one(order["presentment_currency_code"] or order["currency_code"]),
    }


def _two(value: str | None) -> str:
    """Money with the two decimals that webhooks have, more where the drop has more."""
    amount = Decimal(value or 0)
    return f"{amount:.2f}" if amount == round(amount, 2) else str(amount)


def _local(rows: Rows, moment: str | None) -> str | None:
    """A moment with the offset of the shop's zone, as webhooks have it."""
    if moment is None:
        return None
    zone = ZoneInfo(rows.shop["iana_timezone"])
    return datetime.fromisoformat(moment).astimezone(zone).isoformat()
