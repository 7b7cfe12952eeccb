"""The points health score: signals, the rules they fire, the floor."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from reference.behaviour import Event
from reference.clock import in_window
from reference.config import PointsCard, Rule
from reference.orders import Order, ReturnLine

NUMBERS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
    "=": operator.eq,
    "!=": operator.ne,
}


def fires(rule: Rule, value: Any) -> bool:
    """Whether the rule holds; a signal that is absent fires nothing."""
    if value is None:
        return False
    if rule.operator == "in":
        return value in str(rule.threshold).split("|")
    if isinstance(rule.threshold, Decimal):
        return NUMBERS[rule.operator](Fraction(value), Fraction(rule.threshold))
    return bool(rule.operator == "=" and value == rule.threshold)


def signals(
    events: Iterable[Event],
    counted: Iterable[Order],
    returned: Iterable[ReturnLine],
    tag: str | None,
    as_of: date,
) -> dict[str, Any]:
    """One customer's signals at D that the default card asks for."""
    orders = list(counted)
    groups = [r.reason_group for r in returned if in_window(r.day, as_of, 180)]
    return {
        "bridal_views_30d": sum(
            e.event_type == "product_view" and e.is_bridal and in_window(e.day, as_of, 30)
            for e in events
        ),
        "previous_aov": (
            sum((Fraction(o.value) for o in orders), Fraction(0)) / len(orders) if orders else None
        ),
        "addon_accepted_180d": sum(o.has_addon and in_window(o.day, as_of, 180) for o in orders),
        "product_pref_tag": tag,
        "returns_size_fit_180d": groups.count("size_fit"),
        "returns_style_mismatch_180d": groups.count("style_mismatch"),
        "returns_gift_180d": groups.count("gift_return"),
    }


def health(values: Mapping[str, Any], card: PointsCard) -> tuple[int, str, dict[str, int]]:
    """(score, band, contributions); the contributions hold `floor` where it lifted the sum."""
    contributions = {r.rule_id: r.points for r in card.rules if fires(r, values.get(r.signal))}
    total = sum(contributions.values())
    if total < 0:
        contributions["floor"] = -total
    score = max(0, total)
    return score, next(name for name, lowest in card.bands if score >= lowest), contributions
