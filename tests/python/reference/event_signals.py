"""Signals of what a customer did in the shop and with its e-mails."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, timedelta
from fractions import Fraction
from statistics import median
from typing import Any

from reference.behaviour import Event
from reference.clock import in_window

COUNTS_30D = {
    "comparison_clicks_30d": "comparison_click",
    "shop_app_taps_30d": "shop_app_tap",
    "wishlist_adds_30d": "wishlist_add",
    "coupons_applied_30d": "coupon_applied",
}


def of_type(events: Iterable[Event], event_type: str, as_of: date, days: int) -> list[Event]:
    """The events of one type in a window."""
    return [e for e in events if e.event_type == event_type and in_window(e.day, as_of, days)]


def share(some: int, of_all: int) -> Fraction | None:
    """A ratio, or null without anything to divide by."""
    return Fraction(some, of_all) if of_all else None


def abandoned(days: Collection[date], order_days: Collection[date], as_of: date) -> int:
    """Days before D that no order followed on the same day or the next."""
    return sum(
        day < as_of and day not in order_days and day + timedelta(days=1) not in order_days
        for day in set(days)
    )


def event_signals(
    events: Iterable[Event], order_days: Collection[date], as_of: date
) -> dict[str, Any]:
    """One customer's signals at D from events; `order_days` are those of the counted orders."""
    events = list(events)
    views = of_type(events, "product_view", as_of, 30)
    carts = of_type(events, "add_to_cart", as_of, 30)
    checkouts = of_type(events, "checkout_start", as_of, 30)
    received = of_type(events, "email_received", as_of, 90)
    clicked = of_type(events, "email_click", as_of, 90)
    seconds = [e.seconds for e in views if e.seconds is not None]
    has_ordered = any(in_window(day, as_of, 30) for day in order_days)
    return {
        "bridal_views_30d": sum(e.is_bridal for e in views),
        "collection_visits_30d": len({e.day for e in views if e.is_bridal}),
        "product_views_30d": len(views),
        "products_viewed_30d": len({e.product for e in views if e.product is not None}),
        "add_to_cart_rate_30d": share(len(carts), len(views)),
        "carts_abandoned_30d": abandoned([e.day for e in carts], order_days, as_of),
        "checkouts_abandoned_30d": abandoned([e.day for e in checkouts], order_days, as_of),
        "median_seconds_on_product_30d": median(seconds) if seconds else None,
        "product_views_without_order_30d": 0 if has_ordered else len(views),
        "email_click_rate_90d": share(len(clicked), len(received)),
        "support_doc_views_90d": len(of_type(events, "support_doc_view", as_of, 90)),
        **{name: len(of_type(events, kind, as_of, 30)) for name, kind in COUNTS_30D.items()},
    }
