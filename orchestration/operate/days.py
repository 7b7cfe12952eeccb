"""Shop days as Dagster sees them: its partitions, and which of them is the latest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from dagster import DailyPartitionsDefinition

DAYS_A_YEAR = 366


def leading_zone(zones: Sequence[str], year: int = 2024) -> str:
    """The zone in which a day ends first; of equals, the first by name."""
    days = [datetime(year, 1, 1) + timedelta(days=d) for d in range(DAYS_A_YEAR)]

    def ahead(zone: str) -> timedelta:
        info = ZoneInfo(zone)
        return max(info.utcoffset(day) or timedelta() for day in days)

    return min(zones, key=lambda zone: (-ahead(zone), zone))


def daily_partitions(first_day: date, zones: Sequence[str]) -> DailyPartitionsDefinition:
    """One partition a shop day, up to the last day that is over in at least one of the zones.

    A partition stands for the calendar date, which every shop has in its own zone.
    """
    return DailyPartitionsDefinition(
        start_date=first_day.isoformat(), timezone=leading_zone(zones), fmt="%Y-%m-%d"
    )


def yesterday(zone: str, now: datetime) -> date:
    """The last day that is over in `zone` at the aware instant `now`."""
    return now.astimezone(ZoneInfo(zone)).date() - timedelta(days=1)


def latest_days(zones: Sequence[str], now: datetime) -> set[date]:
    """The day before the present one in each zone: two dates where zones lie on either side of
    midnight."""
    return {yesterday(zone, now) for zone in zones}
