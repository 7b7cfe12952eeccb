"""How the report says numbers, dates, names and changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True)
class Change:
    """How a figure moved, in words; `mood` is better, worse or same, `direction` up, down or ""."""

    mood: str
    text: str
    direction: str = ""


def number(value: float | Decimal) -> str:
    """A whole number with thousands marked."""
    return f"{value:,.0f}"


def short(value: float | Decimal) -> str:
    """A number in few characters: 950, 12.3k, 5.3M."""
    size = float(value)
    for limit, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        # What would be rounded up to 1,000 of a unit is 1 of the next.
        if abs(size) >= limit * 0.9995:
            scaled = size / limit
            return f"{scaled:.0f}{unit}" if abs(scaled) >= 99.95 else f"{scaled:.1f}{unit}"
    return f"{size:.0f}"


def share(part: float, whole: float) -> str:
    """A part of a whole in percent: one decimal below ten, none above; 0 of 0 is 0%."""
    percent = 100 * part / whole if whole else 0.0
    if part and percent < 0.05:
        return "below 0.1%"
    if part < whole and percent >= 99.5:
        return f"{min(percent, 99.9):.1f}%"
    return f"{percent:.1f}%" if 0 < percent < 9.95 else f"{percent:.0f}%"


def count(amount: int, thing: str) -> str:
    """`1 customer`, `2,016 customers`."""
    return f"{amount:,} {thing}" if amount == 1 else f"{amount:,} {thing}s"


def day(value: date, beside: date | None = None) -> str:
    """A date as people write it: 31 October 2026; beside a date of the same year, 31 October."""
    if beside and beside.year == value.year:
        return f"{value.day} {value:%B}"
    return f"{value.day} {value:%B %Y}"


def words(name: str) -> str:
    """A name of the warehouse as people say it: at_risk is at risk, vip is VIP."""
    return "VIP" if name == "vip" else name.replace("_", " ")


def sentence(text: str) -> str:
    """The same text with a capital first."""
    return text[:1].upper() + text[1:]


def change(difference: float, step: float, text: str, good: str) -> Change:
    """A change in words; `good` is the good direction, up or down, or empty where none is known.

    Differences below half a `step` are none.
    """
    if abs(difference) < step / 2:
        return Change("same", "unchanged")
    direction = "up" if difference > 0 else "down"
    if not good:
        return Change("same", f"{direction} {text}", direction)
    mood = "better" if direction == good else "worse"
    return Change(mood, f"{mood}: {direction} {text}", direction)
