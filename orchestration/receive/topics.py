"""What the receiver takes, and the rows that stand in it.

Payloads are those of Shopify's published samples, REST-shaped. `docs/webhooks.md` tells what they
lack.
"""

from __future__ import annotations

from dataclasses import dataclass

RETURNS = ("request", "approve", "close", "cancel", "decline", "reopen")
PRIVACY = ("customers/data_request", "customers/redact", "shop/redact")

TOPICS: dict[str, tuple[str, ...]] = {
    "shopify": (
        "orders/create",
        "orders/updated",
        "refunds/create",
        *(f"returns/{step}" for step in RETURNS),
        *(f"customers/{step}" for step in ("create", "update", "merge", "delete")),
        *PRIVACY,
    ),
    "zigpoll": ("responses",),
}


@dataclass(frozen=True)
class Part:
    """Rows of one raw table that stand in payloads; `sql/<name>.sql` takes them out, as text.

    They stand in topics that begin with one of `topics`. What a payload does not tell stays as it
    is stored: columns that the SQL leaves out, and those in `keeps` where it yields null. A part
    that is `bare` brings its columns and nothing else.
    """

    name: str
    source: str
    table: str
    topics: tuple[str, ...]
    keeps: tuple[str, ...] = ()
    bare: bool = False


_ORDERS = ("orders/",)
_REFUNDS = ("orders/", "refunds/")
_CUSTOMERS = ("customers/",)
_CONSENT_AND_TAGS = ("email_marketing_state", "sms_marketing_state", "tags")

PARTS = (
    Part("shopify_orders", "shopify", "orders", _ORDERS),
    Part("shopify_order_lines", "shopify", "order_lines", _ORDERS),
    Part("shopify_fulfillments", "shopify", "fulfillments", _ORDERS),
    Part("shopify_refunds", "shopify", "refunds", _REFUNDS),
    Part("shopify_refund_lines", "shopify", "refund_lines", _REFUNDS),
    Part("shopify_transactions", "shopify", "transactions", _REFUNDS),
    Part("shopify_returns", "shopify", "returns", ("returns/",), keeps=("order_id", "created_at")),
    Part("shopify_customers", "shopify", "customers", _CUSTOMERS, keeps=_CONSENT_AND_TAGS),
    Part("shopify_customer_deletions", "shopify", "customers", _CUSTOMERS),
    Part("shopify_customer_marks", "shopify", "customers", _CUSTOMERS, bare=True),
    Part("zigpoll_responses", "zigpoll", "responses", ("responses",)),
)
