"""How each field of the schema is read from a row: one table, for queries and for bulk operations.

A field is a function of (row, view, arguments). A connection gives all its rows; whoever asked cuts
pages out of them. Objects without an id of their own, such as money, are rows of a few keys.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any

from orchestration.sandbox.server.shopify.rows import Row
from orchestration.sandbox.server.shopify.view import View

Field = Callable[[Any, View, Mapping[str, Any]], Any]

# An interface has one kind of row here; those of `Node` say themselves what they are.
CONCRETE = {"ReturnLineItemType": "ReturnLineItem"}

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


def _id(kind: str, key: str) -> Field:
    return lambda row, view, given: gid(kind, row[key])


def _text(key: str) -> Field:
    return lambda row, view, given: row[key]


def _words(key: str) -> Field:
    return lambda row, view, given: row[key] or ""


def _list(key: str) -> Field:
    return lambda row, view, given: row[key] or []


def _cut(key: str) -> Field:
    """A list that `first` cuts."""
    return lambda row, view, given: row[key][: given.get("first")]


def _word(key: str, otherwise: str | None = None) -> Field:
    """An enum, which Shopify writes in capitals."""
    return lambda row, view, given: row[key].upper() if row[key] else otherwise


def _bag(key: str) -> Field:
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


def _address(kind: str, country: str, code: str) -> Field:
    def read(row: Row, view: View, given: Mapping[str, Any]) -> Row | None:
        if row[country] is None and row[code] is None:
            return None
        tail = row.get("order_id") or row["customer_id"]
        return {"id": gid("MailingAddress", tail), "country": row[country], "zip": row[code]}

    return read


def _contact(key: str, state: str) -> Field:
    def read(row: Row, view: View, given: Mapping[str, Any]) -> Row | None:
        if row[key] is None:
            return None
        return {"address": row[key], "state": (row[state] or "NOT_SUBSCRIBED").upper()}

    return read


def _journey(row: Row, view: View, given: Mapping[str, Any]) -> Row | None:
    source = row["acquisition_source"]
    return (
        None if source is None else {"id": gid("CustomerVisit", row["order_id"]), "source": source}
    )


def _discounts(row: Row, view: View, given: Mapping[str, Any]) -> list[Row]:
    return [row] if row["discount_amount"] not in (None, "0.0") else []


def _attributes(row: Row, view: View, given: Mapping[str, Any]) -> list[Row]:
    named = (("_offer_id", row["offer_id"]), ("_offer_kind", row["offer_kind"]))
    return [{"key": key, "value": value} for key, value in named if value is not None]


def _product(row: Row, view: View, given: Mapping[str, Any]) -> Row | None:
    return None if row["product_id"] is None else view.product(row["product_id"])


def _variant(row: Row, view: View, given: Mapping[str, Any]) -> Row | None:
    if row["variant_id"] is None:
        return None
    return {"variant_id": row["variant_id"], "_product": view.product(row["product_id"])}


def _only_variant(row: Row, view: View, given: Mapping[str, Any]) -> list[Row]:
    # The drop has one price and one cost a product, so each has one variant.
    return [{"variant_id": f"{row['product_id']}00", "_product": row}]


def _price(row: Row, view: View, given: Mapping[str, Any]) -> Row:
    return {"amount": row["price_amount"] or "0.0", "code": view.currency}


def _cost(row: Row, view: View, given: Mapping[str, Any]) -> Row | None:
    cost = row["_product"].get("cost_amount")
    return None if cost is None else {"amount": cost, "code": view.currency}


def _reason(row: Row, view: View, given: Mapping[str, Any]) -> str:
    reason = row["reason"]
    return "UNKNOWN" if reason is None else reason if reason in _REASONS else "OTHER"


def _note(row: Row, view: View, given: Mapping[str, Any]) -> str:
    reason = row["reason"]
    return "" if reason is None or reason in _REASONS else str(reason)


def _definition(row: Row, view: View, given: Mapping[str, Any]) -> Row | None:
    reason = row["reason"]
    if reason is None:
        return None
    handle = re.sub(r"[^a-z0-9]+", "-", reason.lower()).strip("-")
    return {"handle": handle, "name": reason}


def _metafield(row: Row, view: View, given: Mapping[str, Any]) -> Row | None:
    return view.metafield(row, given.get("namespace"), given["key"])


def _metafields(row: Row, view: View, given: Mapping[str, Any]) -> list[Row]:
    return view.metafields(row, given.get("namespace"), given.get("keys"))


def digest(value: str) -> str:
    """What `compareDigest` of a metafield with this value is."""
    return hashlib.sha256(value.encode()).hexdigest()


FIELDS: dict[str, dict[str, Field]] = {
    "Shop": {
        "id": _id("Shop", "shop_id"),
        "name": _text("name"),
        "myshopifyDomain": lambda row, view, given: f"{row['shop_id']}.myshopify.com",
        "ianaTimezone": _text("iana_timezone"),
        "currencyCode": _text("currency_code"),
    },
    "Customer": {
        "id": _id("Customer", "customer_id"),
        "legacyResourceId": _text("customer_id"),
        "firstName": _text("first_name"),
        "lastName": _text("last_name"),
        "createdAt": _text("created_at"),
        "updatedAt": _text("updated_at"),
        "tags": lambda row, view, given: view.tags(row),
        "defaultAddress": _address("Customer", "default_country_code", "default_postal_code"),
        "defaultEmailAddress": _contact("email", "email_marketing_state"),
        "defaultPhoneNumber": _contact("phone", "sms_marketing_state"),
        "statistics": lambda row, view, given: row,
        "metafield": _metafield,
        "metafields": _metafields,
    },
    "CustomerEmailAddress": {"emailAddress": _text("address"), "marketingState": _text("state")},
    "CustomerPhoneNumber": {"phoneNumber": _text("address"), "marketingState": _text("state")},
    "CustomerStatistics": {
        "predictedSpendTier": _word("predicted_spend_tier"),
        "rfmGroup": _word("rfm_group"),
    },
    "MailingAddress": {"id": _text("id"), "countryCodeV2": _text("country"), "zip": _text("zip")},
    "Metafield": {
        "id": lambda row, view, given: gid("Metafield", row["owner"] + row["key"]),
        "namespace": _text("namespace"),
        "key": _text("key"),
        "type": _text("type"),
        "value": _text("value"),
        "compareDigest": lambda row, view, given: digest(row["value"]),
    },
    "Order": {
        "id": _id("Order", "order_id"),
        "legacyResourceId": _text("order_id"),
        "name": lambda row, view, given: f"#{row['order_id']}",
        "email": _text("email"),
        "customer": lambda row, view, given: view.customer_of(row),
        "createdAt": _text("created_at"),
        "processedAt": lambda row, view, given: row["processed_at"] or row["created_at"],
        "updatedAt": _text("updated_at"),
        "cancelledAt": _text("cancelled_at"),
        "test": lambda row, view, given: bool(row["is_test"]),
        "displayFinancialStatus": _word("financial_status"),
        "displayFulfillmentStatus": _word("fulfillment_status", "UNFULFILLED"),
        "currencyCode": _text("currency_code"),
        "presentmentCurrencyCode": _text("presentment_currency_code"),
        "subtotalPriceSet": _bag("subtotal_amount"),
        "totalDiscountsSet": _bag("discount_amount"),
        "totalTaxSet": _bag("tax_amount"),
        "totalShippingPriceSet": _bag("shipping_amount"),
        "totalPriceSet": _bag("total_amount"),
        "shippingAddress": _address("Order", "shipping_country_code", "shipping_postal_code"),
        "paymentGatewayNames": _list("payment_gateways"),
        "discountCodes": _list("discount_codes"),
        "sourceName": _text("source_name"),
        "customerJourneySummary": _journey,
        "tags": _list("tags"),
        "metafield": _metafield,
        "lineItems": _list("_lines"),
        "refunds": _cut("_refunds"),
        "returns": _list("_returns"),
        "fulfillments": _cut("_fulfillments"),
        "transactions": _cut("_transactions"),
    },
    "CustomerJourneySummary": {
        "ready": lambda row, view, given: True,
        "firstVisit": lambda row, view, given: row,
    },
    "CustomerVisit": {"id": _text("id"), "source": _text("source")},
    "LineItem": {
        "id": _id("LineItem", "order_line_id"),
        "title": _words("title"),
        "name": _words("title"),
        "sku": _text("sku"),
        "vendor": _text("vendor"),
        "quantity": _text("quantity"),
        "isGiftCard": lambda row, view, given: bool(row["is_gift_card"]),
        "originalUnitPriceSet": _bag("unit_price_amount"),
        "totalDiscountSet": _bag("discount_amount"),
        "discountAllocations": _discounts,
        "customAttributes": _attributes,
        "product": _product,
        "variant": _variant,
    },
    "DiscountAllocation": {"allocatedAmountSet": _bag("discount_amount")},
    "Attribute": {"key": _text("key"), "value": _text("value")},
    "Refund": {
        "id": _id("Refund", "refund_id"),
        "createdAt": _text("created_at"),
        "order": _text("_order"),
        "refundLineItems": _list("_lines"),
    },
    "RefundLineItem": {
        "id": _id("RefundLineItem", "refund_line_id"),
        "lineItem": _text("_line"),
        "quantity": _text("quantity"),
        "subtotalSet": _bag("subtotal_amount"),
        "totalTaxSet": _bag("tax_amount"),
    },
    "Return": {
        "id": _id("Return", "return_id"),
        "name": lambda row, view, given: f"#{row['order_id']}-R1",
        "createdAt": _text("created_at"),
        "status": _word("status"),
        "order": _text("_order"),
        "returnLineItems": _list("_lines"),
    },
    "ReturnLineItem": {
        "id": _id("ReturnLineItem", "return_line_id"),
        "quantity": _text("quantity"),
        "returnReason": _reason,
        "returnReasonDefinition": _definition,
        "returnReasonNote": _note,
        "fulfillmentLineItem": lambda row, view, given: row["_line"],
    },
    "ReturnReasonDefinition": {
        "id": lambda row, view, given: gid("ReturnReasonDefinition", row["handle"]),
        "handle": _text("handle"),
        "name": _text("name"),
    },
    "FulfillmentLineItem": {
        "id": _id("FulfillmentLineItem", "order_line_id"),
        "lineItem": lambda row, view, given: row,
    },
    "Fulfillment": {
        "id": _id("Fulfillment", "fulfillment_id"),
        "createdAt": _text("created_at"),
        "deliveredAt": _text("delivered_at"),
        "status": _word("status"),
    },
    "OrderTransaction": {
        "id": _id("OrderTransaction", "transaction_id"),
        "createdAt": _text("created_at"),
        "kind": _word("kind"),
        "status": _word("status"),
        "gateway": _text("gateway"),
        "amountSet": _bag("amount"),
    },
    "Product": {
        "id": _id("Product", "product_id"),
        "legacyResourceId": _text("product_id"),
        "title": _words("title"),
        "vendor": _words("vendor"),
        "productType": _words("product_type"),
        "updatedAt": _text("updated_at"),
        "priceRangeV2": lambda row, view, given: row,
        "metafield": _metafield,
        "variants": _only_variant,
        "collections": _list("_collections"),
    },
    "ProductPriceRangeV2": {"minVariantPrice": _price, "maxVariantPrice": _price},
    "ProductVariant": {
        "id": _id("ProductVariant", "variant_id"),
        "price": lambda row, view, given: row["_product"].get("price_amount") or "0.0",
        "inventoryItem": lambda row, view, given: row,
    },
    "InventoryItem": {"id": _id("InventoryItem", "variant_id"), "unitCost": _cost},
    "Collection": {"id": _id("Collection", "collection_id"), "title": _text("title")},
    "MoneyBag": {
        "shopMoney": lambda row, view, given: {"amount": row["amount"], "code": row["shop"]},
        "presentmentMoney": lambda row, view, given: {
            "amount": row["amount"],
            "code": row["shown"],
        },
    },
    "MoneyV2": {
        "amount": _text("amount"),
        "currencyCode": _text("code"),
    },
}
