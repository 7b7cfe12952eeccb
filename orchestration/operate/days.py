"""Shop days as Dagster sees them: its partitions, and which of them is the latest."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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


def days_of_run(tags: Mapping[str, str]) -> list[date]:
    """The days that a run is about, from its tags: one, a range with both ends, or none."""
    first = tags.get("dagster/asset_partition_range_start", tags.get("dagster/partition"))
    last = tags.get("dagster/asset_partition_range_end", tags.get("dagster/partition"))
    return (
        days_between(date.fromisoformat(first), date.fromisoformat(last)) if first and last else []
    )


def days_between(first: date, last: date) -> list[date]:
    """All days from the first to the last, both included."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def first_missed(done: Collection[date], last: date, at_most: int) -> date:
    """Where scoring must begin so that it ends with `last`, looking back `at_most` days.

    The first day without scores after some day that has them; `last` itself where there is none,
    as when nothing was ever scored.
    """
    window = days_between(last - timedelta(days=at_most - 1), last)
    return next((d for d in window if d not in done and any(s < d for s in done)), last)
