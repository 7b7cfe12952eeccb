"""Days of the year: anniversaries and seasons."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date


def anniversary(first: date, year: int) -> date:
    """The day in `year`; 29 February is 1 March in a year without one."""
    try:
        return first.replace(year=year)
    except ValueError:
        return date(year, 3, 1)


def days_to_anniversary(first: date, as_of: date) -> int:
    """Days from D to the next anniversary, 0 on the day itself."""
    this_year = anniversary(first, as_of.year)
    coming = this_year if this_year >= as_of else anniversary(first, as_of.year + 1)
    return (coming - as_of).days


def in_season(day: date, seasons: Mapping[str, tuple[str, str]]) -> bool:
    """Whether a day lies in a season, which may span the new year."""
    at = day.strftime("%m-%d")
    return any(
        first <= at <= last if first <= last else at >= first or at <= last
        for first, last in seasons.values()
    )
