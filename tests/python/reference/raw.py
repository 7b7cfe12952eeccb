"""Raw rows as the definitions see them: one a key, blank text as null."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

Row = Mapping[str, Any]
Raw = Mapping[tuple[str, str], Sequence[Row]]

KEYS: dict[tuple[str, str], tuple[str, ...]] = {
    ("shopify", "shops"): ("shop_id",),
    ("shopify", "customers"): ("shop_id", "customer_id"),
    ("shopify", "orders"): ("shop_id", "order_id"),
    ("shopify", "order_lines"): ("shop_id", "order_line_id"),
    ("shopify", "refunds"): ("shop_id", "refund_id"),
    ("shopify", "refund_lines"): ("shop_id", "refund_line_id"),
    ("shopify", "returns"): ("shop_id", "return_id"),
    ("shopify", "return_lines"): ("shop_id", "return_line_id"),
    ("shopify", "products"): ("shop_id", "product_id"),
    ("klaviyo", "profiles"): ("shop_id", "profile_id"),
    ("klaviyo", "events"): ("shop_id", "event_id"),
    ("zigpoll", "responses"): ("shop_id", "response_id"),
    ("files", "tickets"): ("shop_id", "ticket_id"),
    ("files", "loyalty"): ("shop_id", "email", "event_at"),
    ("files", "reviews"): ("shop_id", "review_id"),
    ("files", "recommendations"): ("shop_id", "exposure_id"),
    ("files", "community"): ("shop_id", "email", "event_at"),
}

_BEFORE_ALL = datetime(1, 1, 1, tzinfo=UTC)


def blank_is_null(row: Row) -> dict[str, Any]:
    """The row with every blank text turned into null."""
    return {
        column: None if isinstance(value, str) and not value.strip() else value
        for column, value in row.items()
    }


def rows(raw: Raw, source: str, table: str) -> list[dict[str, Any]]:
    """The rows of a table, the latest of each key (`updated_at`, then `_loaded_at`)."""
    key_columns = KEYS[source, table]
    latest: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in map(blank_is_null, raw.get((source, table), ())):
        key = tuple(key_part(c, row[c]) for c in key_columns)
        if key not in latest or _age_rank(row) >= _age_rank(latest[key]):
            latest[key] = row
    return list(latest.values())


def key_part(column: str, value: Any) -> Any:
    """A value as keys compare it: an e-mail trimmed and in lower case."""
    return value.strip().lower() if column == "email" and value else value


def _age_rank(row: Row) -> tuple[datetime, datetime]:
    return row.get("updated_at") or _BEFORE_ALL, row.get("_loaded_at") or _BEFORE_ALL


def shop_ids(raw: Raw) -> set[str]:
    """Every shop that any row names."""
    return {row["shop_id"] for table in raw.values() for row in table}
