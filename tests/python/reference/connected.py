"""Which sources had anything to say of a shop by a day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from reference.clock import Clock
from reference.raw import Raw, rows

# The columns that date a row of each table, the first that holds something.
DATES: dict[str, tuple[str, ...]] = {
    "klaviyo.events": ("occurred_at",),
    "shopify.orders": ("processed_at", "created_at"),
    "zigpoll.responses": ("created_at",),
    "files.tickets": ("created_at",),
    "files.reviews": ("created_at",),
    "files.recommendations": ("shown_at",),
    "files.community": ("event_at",),
    "files.loyalty": ("event_at",),
}


@dataclass(frozen=True)
class Sources:
    """The first day of each (shop, table)."""

    first_days: Mapping[tuple[str, str], date]

    @classmethod
    def of(cls, raw: Raw, clock: Clock) -> Sources:
        """The sources of these shops; every dated row counts, whosever it is."""
        first: dict[tuple[str, str], date] = {}
        for table, columns in DATES.items():
            source, name = table.split(".")
            for row in rows(raw, source, name):
                moment = next((row[c] for c in columns if row.get(c)), None)
                day = clock.day(row["shop_id"], moment)
                if day is not None:
                    at = row["shop_id"], table
                    first[at] = min(day, first.get(at, day))
        return cls(first)

    def connected(self, shop_id: str, table: str, as_of: date) -> bool:
        """Whether a source holds a row of the shop dated <= D."""
        first = self.first_days.get((shop_id, table))
        return first is not None and first <= as_of
