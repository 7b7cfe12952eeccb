"""Everything a rule may ask of a customer, with the sources that must have spoken first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from reference.behaviour import Event
from reference.calendar_days import days_to_anniversary
from reference.config import Config
from reference.connected import Sources
from reference.event_signals import event_signals
from reference.feedback import Mark, feedback_signals
from reference.file_signals import (
    community_signals,
    loyalty_signals,
    offer_signals,
    review_signals,
    ticket_signals,
)
from reference.files import Deed, Exposure, LoyaltyEvent, Ticket
from reference.orders import ZERO, Order, ReturnLine
from reference.shop_signals import order_signals

STATED = ("gift_intent", "finish", "style", "product_pref_tag")


@dataclass(frozen=True)
class Facts:
    """All that concerns one customer: orders and returns counted at D, the rest of any day."""

    shop_id: str
    events: list[Event] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    returns: list[ReturnLine] = field(default_factory=list)
    net_spend: Decimal = ZERO
    birth_date: date | None = None
    exposures: list[Exposure] = field(default_factory=list)
    tickets: list[Ticket] = field(default_factory=list)
    loyalty: list[LoyaltyEvent] = field(default_factory=list)
    reviews: list[Deed] = field(default_factory=list)
    community: list[Deed] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)


def days_to_birthday(born: date | None, as_of: date) -> int | None:
    """Days from D to the next birthday; null for the unknown and the unborn."""
    return None if born is None or born > as_of else days_to_anniversary(born, as_of)


def signals(
    facts: Facts,
    taste: Mapping[str, str | None],
    derived: Mapping[str, Any],
    sources: Sources,
    as_of: date,
    config: Config,
) -> dict[str, Any]:
    """The signals of one customer at D that have a value.

    A table that is not connected yet gives none of its signals; nothing dated <= D is lost by
    that, for a fact connects its table.
    """
    order_days = {o.day for o in facts.orders}
    by_table = {
        "klaviyo.events": event_signals(facts.events, order_days, as_of),
        "shopify.orders": order_signals(
            facts.orders, facts.returns, facts.net_spend, as_of, config
        ),
        "files.recommendations": offer_signals(facts.exposures, as_of, config),
        "files.tickets": ticket_signals(facts.tickets, as_of),
        "files.loyalty": loyalty_signals(facts.loyalty, as_of),
        "files.reviews": review_signals(facts.reviews, as_of),
        "files.community": community_signals(facts.community, as_of),
    }
    likelihood = taste["addon_likelihood"]
    values: dict[str, Any] = {
        "days_to_birthday": days_to_birthday(facts.birth_date, as_of),
        "addon_likelihood": None if likelihood is None else int(likelihood),
        **{name: taste[name] for name in STATED},
        **feedback_signals(facts.marks, as_of, config),
        **derived,
    }
    for table, found in by_table.items():
        if sources.connected(facts.shop_id, table, as_of):
            values.update(found)
    return {name: value for name, value in values.items() if value is not None}
