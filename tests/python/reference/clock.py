"""The shop day: the calendar date of a moment in the shop's own time zone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from reference.raw import Raw, rows


@dataclass(frozen=True)
class Clock:
    """The zones of the shops; a shop without one keeps UTC."""

    zones: Mapping[str, str]

    @classmethod
    def of(cls, raw: Raw) -> Clock:
        """The clock of these shops."""
        return cls(
            {
                row["shop_id"]: row["iana_timezone"]
                for row in rows(raw, "shopify", "shops")
                if row.get("iana_timezone")
            }
        )

    def day(self, shop_id: str, moment: datetime | None) -> date | None:
        """The shop day of `moment` (aware), or null."""
        if moment is None:
            return None
        zone = ZoneInfo(self.zones.get(shop_id, "UTC"))
        return moment.astimezone(UTC).astimezone(zone).date()


def age_days(day: date, as_of: date) -> int:
    """Whole days from a fact to D; negative for a fact of the future."""
    return (as_of - day).days


def decay(day: date, as_of: date, half_life_days: float) -> float:
    """The weight `2 ^ (-age / half-life)` of a fact."""
    return float(2.0 ** (-age_days(day, as_of) / half_life_days))


def in_window(day: date, as_of: date, days: int) -> bool:
    """Whether a fact falls on one of the shop days D-n+1 .. D."""
    return 0 <= age_days(day, as_of) < days
