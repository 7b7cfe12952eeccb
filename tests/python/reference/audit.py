"""Where what a customer looks at contradicts the finish that they stated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from reference.behaviour import Event
from reference.clock import in_window
from reference.config import fold
from reference.raw import Raw, Row, rows

LEAST_VIEWS = 5


def colour_of(product: Row) -> str | None:
    """A product's finish, else its metal, as answers name them."""
    return fold(product.get("finish") or product.get("metal")).replace(" ", "_") or None


def colours(raw: Raw) -> dict[tuple[str, str], str]:
    """The colour of each (shop, product) that has one."""
    found = {
        (row["shop_id"], row["product_id"]): colour_of(row)
        for row in rows(raw, "shopify", "products")
    }
    return {product: colour for product, colour in found.items() if colour}


def most_viewed(views: Mapping[str, int], stated: str) -> str:
    """The colour with most views; of a tie the stated one, else the alphabetically first."""
    most = max(views.values())
    tied = sorted(colour for colour, n in views.items() if n == most)
    return stated if stated in tied else tied[0]


def preference_audit(
    stated: str | None,
    events: Iterable[Event],
    colour_by_product: Mapping[str, str],
    as_of: date,
) -> dict[str, Any] | None:
    """One customer's row at D; null without a stated finish or with too few views."""
    views = Counter(
        colour_by_product[e.product]
        for e in events
        if e.event_type == "product_view" and in_window(e.day, as_of, 90)
        if e.product is not None and e.product in colour_by_product
    )
    total = sum(views.values())
    if stated is None or total < LEAST_VIEWS:
        return None
    viewed = most_viewed(views, stated)
    return {
        "stated_finish": stated,
        "viewed_finish": viewed,
        "viewed_views": views[viewed],
        "stated_views": views[stated],
        "total_views": total,
        "contradicts": viewed != stated,
    }
