"""What the file drops tell of a person: offers, tickets, loyalty, reviews, community."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from reference.clock import Clock
from reference.config import fold
from reference.identity import Identity
from reference.raw import Raw, Row, rows

Person = tuple[str, str]
Points = Decimal | int


@dataclass(frozen=True)
class Exposure:
    """An offer that was shown, and perhaps taken."""

    surface: str
    day: date
    accepted_day: date | None


@dataclass(frozen=True)
class Ticket:
    """A call for help; `moment` is its close, else its creation."""

    ticket_id: str
    created_day: date | None
    closed_day: date | None
    contacts: int
    moment: datetime | None
    csat: float | None


@dataclass(frozen=True)
class LoyaltyEvent:
    """Points that came or went."""

    day: date
    kind: str
    points: Points


@dataclass(frozen=True)
class Deed:
    """A review, or a community event of some kind."""

    day: date
    kind: str


@dataclass(frozen=True)
class Files:
    """The facts of each (shop, customer key)."""

    exposures: Mapping[Person, list[Exposure]]
    tickets: Mapping[Person, list[Ticket]]
    loyalty: Mapping[Person, list[LoyaltyEvent]]
    reviews: Mapping[Person, list[Deed]]
    community: Mapping[Person, list[Deed]]

    @classmethod
    def of(cls, raw: Raw, clock: Clock, people: Identity) -> Files:
        """The attributed facts of these shops; all but tickets are dated."""
        files = cls(*(defaultdict(list) for _ in range(5)))
        for table, found, date_column, read in (
            ("recommendations", files.exposures, "shown_at", _exposure),
            ("tickets", files.tickets, None, _ticket),
            ("loyalty", files.loyalty, "event_at", _loyalty_event),
            ("reviews", files.reviews, "created_at", _deed),
            ("community", files.community, "event_at", _deed),
        ):
            add: Any = found
            for row in rows(raw, "files", table):
                shop_id = row["shop_id"]
                # of these tables only recommendations bear a customer id
                key = people.bearer(shop_id, row.get("customer_id"), row.get("email"))
                day = clock.day(shop_id, row.get(date_column)) if date_column else None
                if key is not None and (day is not None or date_column is None):
                    add[shop_id, key].append(read(row, day, clock))
        return files


def _exposure(row: Row, day: Any, clock: Clock) -> Exposure:
    accepted = clock.day(row["shop_id"], row.get("accepted_at"))
    return Exposure(fold(row.get("surface")), day, accepted)


def _ticket(row: Row, _: Any, clock: Clock) -> Ticket:
    contacts = row.get("contacts")
    return Ticket(
        ticket_id=row["ticket_id"],
        created_day=clock.day(row["shop_id"], row.get("created_at")),
        closed_day=clock.day(row["shop_id"], row.get("closed_at")),
        contacts=1 if contacts is None else contacts,
        moment=row.get("closed_at") or row.get("created_at"),
        csat=row.get("csat"),
    )


def _loyalty_event(row: Row, day: Any, _: Clock) -> LoyaltyEvent:
    return LoyaltyEvent(day, fold(row.get("kind")), row.get("points") or 0)


def _deed(row: Row, day: Any, _: Clock) -> Deed:
    return Deed(day, fold(row.get("kind")))
