"""Who gets a row at D: everybody of whom anything was known by then."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date

from reference.behaviour import Event
from reference.clock import Clock
from reference.identity import Identity
from reference.orders import OrderBook
from reference.raw import Raw, rows
from reference.survey import Answer


def first_days(
    raw: Raw,
    clock: Clock,
    people: Identity,
    books: Mapping[str, OrderBook],
    events: Mapping[str, list[Event]],
    answers: Mapping[str, list[Answer]],
) -> dict[str, dict[str, date]]:
    """The first day on which each customer key was known, by shop.

    A record without a creation date was always known.
    """
    first: dict[str, dict[str, date]] = defaultdict(dict)

    def see(shop_id: str, key: str | None, day: date) -> None:
        if key is not None:
            first[shop_id][key] = min(day, first[shop_id].get(key, day))

    for row in rows(raw, "shopify", "customers"):
        key = people.customer(row["shop_id"], row["customer_id"])
        see(row["shop_id"], key, clock.day(row["shop_id"], row.get("created_at")) or date.min)
    for row in rows(raw, "klaviyo", "profiles"):
        key = people.profile(row["shop_id"], row["profile_id"])
        see(row["shop_id"], key, clock.day(row["shop_id"], row.get("created_at")) or date.min)
    for shop_id, book in books.items():
        for order in book.orders.values():
            see(shop_id, order.customer_key, order.day)
    facts: Iterable[tuple[str, Event | Answer]] = (
        (shop_id, fact)
        for by_shop in (events, answers)
        for shop_id, found in by_shop.items()
        for fact in found
    )
    for shop_id, fact in facts:
        see(shop_id, fact.customer_key, fact.day)
    return first
