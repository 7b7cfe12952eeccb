"""Signals of offers shown, tickets, loyalty, reviews and community."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from fractions import Fraction
from typing import Any

from reference.clock import in_window
from reference.config import Config
from reference.files import Deed, Exposure, LoyaltyEvent, Ticket


def offer_signals(shown: Iterable[Exposure], as_of: date, config: Config) -> dict[str, Any]:
    """Add-ons offered in 180 days, and warranties of 365 that were not taken by D."""
    shown = list(shown)
    return {
        "addon_offered_180d": sum(
            e.surface in config.offer_surfaces and in_window(e.day, as_of, 180) for e in shown
        ),
        "warranty_refused_365d": sum(
            e.surface == "warranty"
            and in_window(e.day, as_of, 365)
            and not is_by(e.accepted_day, as_of)
            for e in shown
        ),
    }


def is_by(day: date | None, as_of: date) -> bool:
    """Whether something had happened by D."""
    return day is not None and day <= as_of


def ticket_signals(tickets: Iterable[Ticket], as_of: date) -> dict[str, Any]:
    """Contacts of 90 days, and the tickets that are open at D."""
    tickets = list(tickets)
    return {
        "support_contacts_90d": sum(
            t.contacts for t in tickets if t.created_day and in_window(t.created_day, as_of, 90)
        ),
        "open_tickets": sum(
            is_by(t.created_day, as_of) and not is_by(t.closed_day, as_of) for t in tickets
        ),
    }


def change(event: LoyaltyEvent) -> Fraction:
    """What an event adds to the balance: a redemption takes away, whatever its sign."""
    points = Fraction(event.points)
    return -abs(points) if event.kind == "redeem" else points


def loyalty_signals(events: Iterable[LoyaltyEvent], as_of: date) -> dict[str, Any]:
    """The balance at D; null for somebody who never took part."""
    changes = [change(e) for e in events if e.day <= as_of]
    return {"loyalty_points": sum(changes) if changes else None}


def review_signals(reviews: Iterable[Deed], as_of: date) -> dict[str, Any]:
    """Reviews of 365 days."""
    return {"reviews_365d": sum(in_window(r.day, as_of, 365) for r in reviews)}


def community_signals(deeds: Iterable[Deed], as_of: date) -> dict[str, Any]:
    """Community events of 365 days, and the referrals among them."""
    recent = [d for d in deeds if in_window(d.day, as_of, 365)]
    return {
        "referrals_365d": sum(d.kind == "referral" for d in recent),
        "community_events_365d": len(recent),
    }
