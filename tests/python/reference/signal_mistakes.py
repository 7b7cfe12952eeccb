"""Deliberate misreadings of the signals of events and orders, each with the signal to change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from statistics import mean, median_high, median_low
from typing import Any

from reference import (
    behaviour,
    calendar_days,
    clock,
    event_signals,
    shop_signals,
    signals,
)
from reference.config import SEASONS, Config
from reference.mistakes import Mistake, configured, day_more, in_code, in_rows, instead, without

true_window = clock.in_window
true_of_type = event_signals.of_type
true_seconds = behaviour.seconds_of


def days_for(wrong: Mapping[int, int]) -> Mistake:
    """Windows of events of another length."""

    def found(events: Any, kind: str, as_of: date, n: int) -> Any:
        return true_of_type(events, kind, as_of, wrong.get(n, n))

    return in_code((event_signals, "of_type", found))


def read_as(kind: str, other: str) -> Mistake:
    """Events of one type taken for another."""

    def found(events: Any, wanted: str, as_of: date, n: int) -> Any:
        return true_of_type(events, other if wanted == kind else wanted, as_of, n)

    return in_code((event_signals, "of_type", found))


def forsaken(
    *, after: tuple[int, ...] = (0, 1), until: int = 1, each: bool = False
) -> Callable[..., int]:
    """`abandoned`, with orders so many days after, up to so many days before D."""

    def wrong(days: Any, order_days: Any, as_of: date) -> int:
        found = days if each else set(days)
        return sum(
            (as_of - day).days >= until
            and not any(day + timedelta(days=n) in order_days for n in after)
            for day in found
        )

    return wrong


def metrics_without(name: str) -> Mistake:
    """An event metric that the map forgot."""
    return configured(metrics={k: v for k, v in Config().metrics.items() if k != name})


def season(name: str, first: str, last: str) -> Mistake:
    """A season with other ends."""
    return configured(seasons={**SEASONS, name: (first, last)})


def seconds_read(change: Callable[[Any], float | None]) -> Mistake:
    """Another reading of the property Seconds."""
    return in_code((behaviour, "seconds_of", lambda p: change(behaviour.bag(p).get("Seconds"))))


def orders_sorted(key: Callable[[Any], Any]) -> Mistake:
    """Another idea of which order came first."""
    return in_code((shop_signals, "in_order", lambda found: sorted(found, key=key)))


def share_of_gross(orders: Any, returned: Any, as_of: date) -> Any:
    """Returns against all orders, not those of the window."""
    sold = sum((Fraction(o.value) for o in orders), Fraction(0))
    back = sum((r.value for r in returned if true_window(r.day, as_of, 365)), Fraction(0))
    return back / sold if sold > 0 else None


def feb_28(first: date, year: int) -> date:
    """An anniversary on the last of February."""
    try:
        return first.replace(year=year)
    except ValueError:
        return date(year, 2, 28)


def never_today(first: date, as_of: date) -> int:
    """An anniversary that today's is not."""
    return calendar_days.days_to_anniversary(first, as_of + timedelta(days=1)) + 1


def method_with(gateways: Callable[[Any], Any]) -> Mistake:
    """A payment method of gateways read differently."""
    true = shop_signals.payment_method
    return in_code(
        (
            shop_signals,
            "payment_method",
            lambda o, config: true(replace(o, gateways=gateways(o)), config),
        )
    )


def lists(column: str, change: Callable[[list[str]], list[str]]) -> Mistake:
    """A text list of orders read differently."""
    return in_rows("shopify.orders", lambda r: {column: change(r.get(column) or [])})


EVENT_MISTAKES: dict[tuple[str, str], Mistake] = {
    ("product_views_30d", "31 days"): day_more(event_signals),
    ("product_views_30d", "29 days"): day_more(event_signals, -1),
    ("collection_visits_30d", "views, not days"): instead(
        "event_signals", lambda v, *_: {"collection_visits_30d": v["bridal_views_30d"]}
    ),
    ("comparison_clicks_30d", "31 days"): days_for({30: 31}),
    ("shop_app_taps_30d", "29 days"): days_for({30: 29}),
    ("wishlist_adds_30d", "31 days"): days_for({30: 31}),
    ("coupons_applied_30d", "29 days"): days_for({30: 29}),
    ("products_viewed_30d", "untrimmed"): in_code(
        (behaviour, "product_of", lambda p: str(behaviour.bag(p).get("ProductID") or "") or None)
    ),
    ("products_viewed_30d", "blank ones count"): in_code(
        (behaviour, "product_of", lambda p: str(behaviour.bag(p).get("ProductID")).strip())
    ),
    ("products_viewed_30d", "all events"): instead(
        "event_signals",
        lambda _, events, __, as_of: {
            "products_viewed_30d": len(
                {e.product for e in events if e.product and true_window(e.day, as_of, 30)}
            )
        },
    ),
    ("add_to_cart_rate_30d", "nought without a view"): in_code(
        (event_signals, "share", lambda a, b: Fraction(a, b) if b else Fraction(0))
    ),
    ("add_to_cart_rate_30d", "at most one"): instead(
        "event_signals",
        lambda v, *_: {"add_to_cart_rate_30d": v["add_to_cart_rate_30d"] and Fraction(1)},
    ),
    ("carts_abandoned_30d", "31 days"): days_for({30: 31}),
    ("carts_abandoned_30d", "29 days"): days_for({30: 29}),
    ("carts_abandoned_30d", "same day only"): in_code(
        (event_signals, "abandoned", forsaken(after=(0,)))
    ),
    ("carts_abandoned_30d", "next day only"): in_code(
        (event_signals, "abandoned", forsaken(after=(1,)))
    ),
    ("carts_abandoned_30d", "two days"): in_code(
        (event_signals, "abandoned", forsaken(after=(0, 1, 2)))
    ),
    ("carts_abandoned_30d", "the day before"): in_code(
        (event_signals, "abandoned", forsaken(after=(-1, 0, 1)))
    ),
    ("carts_abandoned_30d", "today's"): in_code((event_signals, "abandoned", forsaken(until=0))),
    ("carts_abandoned_30d", "not yesterday's"): in_code(
        (event_signals, "abandoned", forsaken(until=2))
    ),
    ("carts_abandoned_30d", "events, not days"): in_code(
        (event_signals, "abandoned", forsaken(each=True))
    ),
    ("carts_abandoned_30d", "cancelled orders clear"): in_rows(
        "shopify.orders", lambda r: {"cancelled_at": None}
    ),
    ("carts_abandoned_30d", "test orders clear"): in_rows(
        "shopify.orders", lambda r: {"is_test": False}
    ),
    ("checkouts_abandoned_30d", "same day only"): in_code(
        (event_signals, "abandoned", forsaken(after=(0,)))
    ),
    ("checkouts_abandoned_30d", "carts"): read_as("checkout_start", "add_to_cart"),
    ("median_seconds_on_product_30d", "lower middle"): in_code(
        (event_signals, "median", median_low)
    ),
    ("median_seconds_on_product_30d", "upper middle"): in_code(
        (event_signals, "median", median_high)
    ),
    ("median_seconds_on_product_30d", "mean"): in_code((event_signals, "median", mean)),
    ("median_seconds_on_product_30d", "negative ones"): seconds_read(behaviour.number),
    ("median_seconds_on_product_30d", "above nought"): in_code(
        (behaviour, "seconds_of", lambda p: true_seconds(p) or None)
    ),
    ("median_seconds_on_product_30d", "texts left out"): seconds_read(
        lambda s: None if isinstance(s, str) else true_seconds({"Seconds": s})
    ),
    ("median_seconds_on_product_30d", "missing is nought"): in_code(
        (behaviour, "seconds_of", lambda p: true_seconds(p) or 0.0)
    ),
    ("median_seconds_on_product_30d", "true is one"): seconds_read(
        lambda s: 1.0 if s is True else true_seconds({"Seconds": s})
    ),
    ("product_views_without_order_30d", "with one, too"): instead(
        "event_signals",
        lambda v, *_: {"product_views_without_order_30d": v["product_views_30d"]},
    ),
    ("product_views_without_order_30d", "no order ever"): instead(
        "event_signals",
        lambda v, _, days, __: {
            "product_views_without_order_30d": 0 if days else v["product_views_30d"]
        },
    ),
    ("product_views_without_order_30d", "cancelled orders count"): in_rows(
        "shopify.orders", lambda r: {"cancelled_at": None}
    ),
    ("email_click_rate_90d", "opens"): read_as("email_click", "email_open"),
    ("email_click_rate_90d", "91 days"): days_for({90: 91}),
    ("email_click_rate_90d", "89 days"): days_for({90: 89}),
    ("email_click_rate_90d", "of those opened"): read_as("email_received", "email_open"),
    ("email_click_rate_90d", "nought without a mail"): in_code(
        (event_signals, "share", lambda a, b: Fraction(a, b) if b else Fraction(0))
    ),
    ("support_doc_views_90d", "30 days"): days_for({90: 30}),
    ("support_doc_views_90d", "unmapped"): metrics_without("Viewed Support Article"),
}
ORDER_MISTAKES: dict[tuple[str, str], Mistake] = {
    ("orders_365d", "366 days"): day_more(shop_signals),
    ("orders_365d", "364 days"): day_more(shop_signals, -1),
    ("orders_lifetime", "null without one"): instead(
        "order_signals", lambda v, *_: {"orders_lifetime": v["orders_lifetime"] or None}
    ),
    ("net_spend", "before refunds"): without("shopify.refunds"),
    ("net_spend", "null without an order"): instead(
        "order_signals",
        lambda v, *_: {"net_spend": v["net_spend"] if v["orders_lifetime"] else None},
    ),
    ("days_since_first_order", "cancelled ones"): in_rows(
        "shopify.orders", lambda r: {"cancelled_at": None}
    ),
    ("days_between_orders", "by all orders"): in_code(
        (
            shop_signals,
            "usual_gap",
            lambda o: Fraction((o[-1].day - o[0].day).days, len(o)) if len(o) > 1 else None,
        )
    ),
    ("days_between_orders", "by distinct days"): in_code(
        (
            shop_signals,
            "usual_gap",
            lambda o: (
                Fraction((o[-1].day - o[0].day).days, n - 1)
                if (n := len({x.day for x in o})) > 1
                else None
            ),
        )
    ),
    ("days_past_usual_gap", "never below nought"): instead(
        "order_signals",
        lambda v, *_: {
            "days_past_usual_gap": None
            if v.get("days_past_usual_gap") is None
            else max(0, v["days_past_usual_gap"])
        },
    ),
    ("aov_band", "above 150"): configured(
        aov_bands=(
            *((b, n + Decimal("0.005")) for b, n in Config().aov_bands[:3]),
            ("below_150", Decimal(0)),
        )
    ),
    ("last_payment_method", "by letter"): lists(
        "payment_gateways", lambda g: [x if x == x.lower() else "?" for x in g]
    ),
    ("last_payment_method", "untrimmed"): lists(
        "payment_gateways", lambda g: [x if x == x.strip() else "?" for x in g]
    ),
    ("last_payment_method", "the first gateway"): lists("payment_gateways", lambda g: g[:1]),
    ("last_payment_method", "blank ones count"): method_with(lambda o: o.gateways or {"none"}),
    ("last_payment_method", "of the first order"): orders_sorted(
        lambda o: (-o.moment.timestamp(), o.order_id)
    ),
    ("last_payment_method", "ids as numbers"): orders_sorted(
        lambda o: (o.moment, o.order_id.zfill(9))
    ),
    ("last_payment_method", "by day, then id"): orders_sorted(lambda o: (o.day, o.order_id)),
    ("last_payment_method", "of cancelled orders"): in_rows(
        "shopify.orders", lambda r: {"cancelled_at": None}
    ),
    ("acquisition_source", "ids as numbers"): orders_sorted(
        lambda o: (o.moment, o.order_id.zfill(9))
    ),
    ("acquisition_source", "untrimmed"): in_rows(
        "shopify.orders",
        lambda r: {
            "acquisition_source": f"<{r['acquisition_source']}>"
            if r.get("acquisition_source")
            and r["acquisition_source"] != r["acquisition_source"].strip()
            else r.get("acquisition_source")
        },
    ),
    ("acquisition_source", "first that names one"): instead(
        "order_signals",
        lambda _, orders, *__: {
            "acquisition_source": next(
                (
                    o.acquisition_source
                    for o in shop_signals.in_order(orders)
                    if o.acquisition_source
                ),
                None,
            )
        },
    ),
    ("acquisition_source", "of cancelled orders"): in_rows(
        "shopify.orders", lambda r: {"cancelled_at": None}
    ),
    ("acquisition_offer", "amounts ignored"): in_rows(
        "shopify.orders", lambda r: {"discount_amount": None}
    ),
    ("acquisition_offer", "codes ignored"): in_rows(
        "shopify.orders", lambda r: {"discount_codes": None}
    ),
    ("acquisition_offer", "blank codes count"): lists(
        "discount_codes", lambda codes: ["x"] * len(codes)
    ),
    ("acquisition_offer", "of the last order"): orders_sorted(
        lambda o: (-o.moment.timestamp(), o.order_id)
    ),
    **{
        ("seasonal_order_share", f"{name} {first}..{last}"): season(name, first, last)
        for name, first, last in (
            ("christmas", "11-16", "12-31"),
            ("christmas", "11-14", "12-31"),
            ("christmas", "11-15", "12-30"),
            ("christmas", "11-15", "01-01"),
            ("valentines", "01-26", "02-14"),
            ("valentines", "01-24", "02-14"),
            ("valentines", "01-25", "02-13"),
            ("valentines", "01-25", "02-15"),
            ("mothers_day", "04-26", "05-14"),
            ("mothers_day", "04-24", "05-14"),
            ("mothers_day", "04-25", "05-13"),
            ("mothers_day", "04-25", "05-15"),
        )
    },
    ("return_value_share_365d", "366 days"): day_more(shop_signals),
    ("return_value_share_365d", "of all orders"): in_code(
        (shop_signals, "returned_share", share_of_gross)
    ),
    ("return_value_share_365d", "at most one"): instead(
        "order_signals",
        lambda v, *_: {
            "return_value_share_365d": None
            if v.get("return_value_share_365d") is None
            else min(Fraction(1), v["return_value_share_365d"])
        },
    ),
    ("days_to_first_order_anniversary", "28 February"): in_code(
        (calendar_days, "anniversary", feb_28)
    ),
    ("days_to_first_order_anniversary", "not today"): in_code(
        (shop_signals, "days_to_anniversary", never_today)
    ),
    ("days_to_first_order_anniversary", "since, not to"): in_code(
        (shop_signals, "days_to_anniversary", lambda d, at: (at - d).days % 365)
    ),
    ("days_to_first_order_anniversary", "years of 365 days"): in_code(
        (shop_signals, "days_to_anniversary", lambda d, at: (d - at).days % 365)
    ),
    ("days_to_birthday", "28 February"): in_code((calendar_days, "anniversary", feb_28)),
    ("days_to_birthday", "not today"): in_code((signals, "days_to_anniversary", never_today)),
    ("days_to_birthday", "of the unborn"): in_code(
        (
            signals,
            "days_to_birthday",
            lambda d, at: None if d is None else calendar_days.days_to_anniversary(d, at),
        )
    ),
    ("days_to_birthday", "born today is unborn"): in_code(
        (
            signals,
            "days_to_birthday",
            lambda d, at: (
                None if d is None or d >= at else calendar_days.days_to_anniversary(d, at)
            ),
        )
    ),
    ("days_to_birthday", "of records merged away"): in_rows(
        "shopify.customers",
        lambda r: {
            "merged_into_customer_id": None
            if r.get("birth_date")
            else r.get("merged_into_customer_id")
        },
    ),
}
