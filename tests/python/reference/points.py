"""The points health score: the rules that signals fire, and the floor."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from reference.config import PointsCard, Rule

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


def health(values: Mapping[str, Any], card: PointsCard) -> tuple[int, str, dict[str, int]]:
    """(score, band, contributions); the contributions hold `floor` where it lifted the sum."""
    contributions = {r.rule_id: r.points for r in card.rules if fires(r, values.get(r.signal))}
    total = sum(contributions.values())
    if total < 0:
        contributions["floor"] = -total
    score = max(0, total)
    return score, next(name for name, lowest in card.bands if score >= lowest), contributions
