"""Signals of what a customer bought and sent back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from reference.calendar_days import days_to_anniversary, in_season
from reference.clock import age_days, in_window
from reference.config import Config
from reference.orders import Order, ReturnLine

RETURNS_180D = {
    "returns_size_fit_180d": "size_fit",
    "returns_style_mismatch_180d": "style_mismatch",
    "returns_gift_180d": "gift_return",
}


def in_order(orders: Iterable[Order]) -> list[Order]:
    """The first order first; of the same moment the lesser id, as text."""
    return sorted(orders, key=lambda o: (o.moment, o.order_id))


def payment_method(order: Order, config: Config) -> str | None:
    """`financing` or `full_pay`; null when the order names no gateway."""
    if not order.gateways:
        return None
    return "financing" if order.gateways & config.financing else "full_pay"


def aov_band(average: Fraction, config: Config) -> str | None:
    """The highest band whose least average is reached."""
    return next((band for band, least in config.aov_bands if average >= Fraction(least)), None)


def usual_gap(orders: Sequence[Order]) -> Fraction | None:
    """The mean days between the orders, first to last; null with fewer than two."""
    if len(orders) < 2:
        return None
    return Fraction((orders[-1].day - orders[0].day).days, len(orders) - 1)


def returned_share(
    orders: Iterable[Order], returned: Iterable[ReturnLine], as_of: date
) -> Fraction | None:
    """Value returned in 365 days over value ordered in them; null when nothing was."""
    sold = sum((Fraction(o.value) for o in orders if in_window(o.day, as_of, 365)), Fraction(0))
    back = sum((r.value for r in returned if in_window(r.day, as_of, 365)), Fraction(0))
    return back / sold if sold > 0 else None


def order_signals(
    counted: Iterable[Order],
    returned: Iterable[ReturnLine],
    net_spend: Decimal,
    as_of: date,
    config: Config,
) -> dict[str, Any]:
    """One customer's signals at D from counted orders and what came back of them."""
    orders = in_order(counted)
    returned = list(returned)
    groups = [r.reason_group for r in returned if in_window(r.day, as_of, 180)]
    values: dict[str, Any] = {
        "orders_365d": sum(in_window(o.day, as_of, 365) for o in orders),
        "orders_lifetime": len(orders),
        "net_spend": net_spend,
        "addon_accepted_180d": sum(o.has_addon and in_window(o.day, as_of, 180) for o in orders),
        **{name: groups.count(reason) for name, reason in RETURNS_180D.items()},
    }
    if not orders:
        return values
    first, last = orders[0], orders[-1]
    average = sum((Fraction(o.value) for o in orders), Fraction(0)) / len(orders)
    since_last, gap = age_days(last.day, as_of), usual_gap(orders)
    return {
        **values,
        "previous_aov": average,
        "aov_band": aov_band(average, config),
        "days_since_first_order": age_days(first.day, as_of),
        "days_since_last_order": since_last,
        "days_between_orders": gap,
        "days_past_usual_gap": None if gap is None else since_last - gap,
        "last_payment_method": payment_method(last, config),
        "acquisition_source": first.acquisition_source,
        "acquisition_offer": "discount" if first.has_discount else "full_price",
        "seasonal_order_share": Fraction(
            sum(in_season(o.day, config.seasons) for o in orders), len(orders)
        ),
        "return_value_share_365d": returned_share(orders, returned, as_of),
        "days_to_first_order_anniversary": days_to_anniversary(first.day, as_of),
    }
