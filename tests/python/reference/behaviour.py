"""Events, de-duplicated and typed, and the behaviour score they add up to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from math import fsum, isfinite
from typing import Any

from reference.clock import Clock, decay
from reference.config import BehaviourCard, Config, fold
from reference.identity import Identity
from reference.raw import Raw, Row, rows

_AFTER_ALL = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Event:
    """One thing somebody did; `event_type` is null for a metric that maps to nothing."""

    customer_key: str
    day: date
    event_type: str | None
    is_bridal: bool
    product: str | None
    seconds: float | None


def deduplicated(found: Iterable[Row]) -> list[Row]:
    """The earliest of each (shop, metric, unique id), the smallest event id on a tie.

    An event without a unique id is nobody's duplicate.
    """
    kept: dict[tuple[Any, ...], Row] = {}
    for row in sorted(found, key=lambda r: (r.get("occurred_at") or _AFTER_ALL, r["event_id"])):
        if row.get("unique_id") is None:
            key: tuple[Any, ...] = (row["shop_id"], row["event_id"])
        else:
            key = (row["shop_id"], row.get("metric_name"), row["unique_id"])
        kept.setdefault(key, row)
    return list(kept.values())


def bag(properties: Any) -> Mapping[str, Any]:
    """The properties of an event; empty where they are no object."""
    if isinstance(properties, str):
        properties = json.loads(properties)
    return properties if isinstance(properties, Mapping) else {}


def product_of(properties: Any) -> str | None:
    """The ProductID as trimmed text; null when it is null or empty."""
    product = bag(properties).get("ProductID")
    return None if product is None else str(product).strip() or None


def number(value: Any) -> float | None:
    """A number, or a text that is one; neither NaN nor infinity."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except ValueError:
        return None
    return found if isfinite(found) else None


def seconds_of(properties: Any) -> float | None:
    """The Seconds of an event, when they are a number from nought up."""
    found = number(bag(properties).get("Seconds"))
    return None if found is None or found < 0 else found


def is_bridal(
    properties: Any, shop_id: str, families: Mapping[tuple[str, str], str], config: Config
) -> bool:
    """By the product's family; by the named collections where that is not known."""
    properties = bag(properties)
    product = product_of(properties)
    family = families.get((shop_id, product)) if product is not None else None
    if family is not None:
        return family == "bridal"
    named = properties.get("Collections") or []
    collections = [named] if isinstance(named, str) else named
    return any(config.collection_families.get(fold(str(c))) == "bridal" for c in collections)


def events(raw: Raw, clock: Clock, people: Identity, config: Config) -> dict[str, list[Event]]:
    """The dated, de-duplicated events of each shop that somebody did."""
    families = {
        (row["shop_id"], row["product_id"]): fold(row["family"])
        for row in rows(raw, "shopify", "products")
        if row.get("family")
    }
    found: dict[str, list[Event]] = {}
    for row in deduplicated(rows(raw, "klaviyo", "events")):
        shop_id = row["shop_id"]
        day = clock.day(shop_id, row.get("occurred_at"))
        if day is None or row.get("profile_id") is None:
            continue
        found.setdefault(shop_id, []).append(
            Event(
                customer_key=people.profile(shop_id, row["profile_id"]),
                day=day,
                event_type=config.metrics.get(row.get("metric_name") or ""),
                is_bridal=is_bridal(row.get("properties"), shop_id, families, config),
                product=product_of(row.get("properties")),
                seconds=seconds_of(row.get("properties")),
            )
        )
    return found


def behaviour(
    facts: Iterable[tuple[str | None, date]], as_of: date, card: BehaviourCard
) -> tuple[float, str, dict[str, float]]:
    """(score, band, contributions) of one customer's typed facts, purchases among them.

    The contributions are the uncapped sum of each event type, and `cap` where it bites.
    """
    parts: dict[str, list[float]] = {}
    for event_type, day in facts:
        if event_type is not None and event_type in card.weights and day <= as_of:
            weight = card.weights[event_type] * decay(day, as_of, card.half_life_days)
            parts.setdefault(event_type, []).append(weight)
    contributions = {event_type: fsum(values) for event_type, values in parts.items()}
    uncapped = fsum(value for values in parts.values() for value in values)
    score = min(card.cap, uncapped)
    if uncapped > card.cap:
        contributions["cap"] = card.cap - uncapped
    band = next(name for name, lowest in card.bands if score >= lowest)
    return score, band, contributions
