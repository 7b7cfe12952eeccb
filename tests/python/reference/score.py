"""All scores of all customers at D, in one row each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from reference.audit import colours, preference_audit
from reference.behaviour import Event, behaviour, events
from reference.clock import Clock
from reference.config import Config, version_on
from reference.connected import Sources
from reference.feedback import Mark, marks
from reference.files import Files, Person
from reference.identity import Identity, normal_email
from reference.known import first_days
from reference.orders import ZERO, Area, Order, OrderBook, normal_area, order_books
from reference.points import health
from reference.raw import Raw, rows, shop_ids
from reference.rfm import group, rank_scores, spending
from reference.segments import segments
from reference.signals import Facts, signals
from reference.survey import Answer, answers, preferences
from reference.tiers import loyalty_tier, ltv_tier
from reference.trust import Components, components_by, rate

AsOf = date | Mapping[str, date]
ScoreRow = dict[str, Any]
NOTHING = OrderBook({}, (), ())


@dataclass(frozen=True)
class World:
    """Everything the raw tables say, dated and attributed, before any D is chosen."""

    shops: frozenset[str]
    books: Mapping[str, OrderBook]
    events: Mapping[str, list[Event]]
    answers: Mapping[str, list[Answer]]
    files: Files
    marks: Mapping[Person, list[Mark]]
    sources: Sources
    colours: Mapping[Person, str]
    first_days: Mapping[str, Mapping[str, date]]
    home_areas: Mapping[str, Area]
    birth_dates: Mapping[str, date]
    config: Config

    @classmethod
    def of(cls, raw: Raw, config: Config | None = None) -> World:
        """Read the raw tables once; score them at as many days as you like."""
        config = config or Config()
        clock = Clock.of(raw)
        people = Identity.of(raw)
        books = order_books(raw, clock, people, config)
        found_events = events(raw, clock, people, config)
        found_answers = answers(raw, clock, people, config)
        files = Files.of(raw, clock, people)
        homes: dict[str, Area] = {}
        births: dict[str, date] = {}
        for row in rows(raw, "shopify", "customers"):
            key = people.customer(row["shop_id"], row["customer_id"])
            area = normal_area(row.get("default_country_code"), row.get("default_postal_code"))
            # the surviving record alone speaks; those merged into it do not
            if key != f"{row['shop_id']}:{row['customer_id']}":
                continue
            if area:
                homes[key] = area
            if row.get("birth_date"):
                births[key] = row["birth_date"]
        return cls(
            frozenset(shop_ids(raw)),
            books,
            found_events,
            found_answers,
            files,
            marks(raw, clock, people, files, config),
            Sources.of(raw, clock),
            colours(raw),
            first_days(raw, clock, people, books, found_events, found_answers),
            homes,
            births,
            config,
        )

    def score(self, as_of: AsOf) -> dict[tuple[str, str], ScoreRow]:
        """One row a known customer."""
        found: dict[tuple[str, str], ScoreRow] = {}
        for shop_id, day in self.days(as_of).items():
            for key, row in _score_shop(self, shop_id, day).items():
                found[shop_id, key] = row
        return found

    def postal_trust(self, as_of: AsOf) -> dict[tuple[str, str, str], ScoreRow]:
        """One row an area, (shop, country, postal code), to which any order dated <= D went."""
        found: dict[tuple[str, str, str], ScoreRow] = {}
        for shop_id, day in self.days(as_of).items():
            for area, row in _areas(self, shop_id, day).items():
                found[shop_id, *area] = {"as_of_date": day, **row}
        return found

    def known(self, as_of: AsOf) -> set[tuple[str, str]]:
        """(shop, customer key) of everybody known at D."""
        return {
            (shop_id, key)
            for shop_id, day in self.days(as_of).items()
            for key, first in self.first_days.get(shop_id, {}).items()
            if first <= day
        }

    def days(self, as_of: AsOf) -> dict[str, date]:
        """D of each shop; a shop that the mapping leaves out is not scored."""
        if isinstance(as_of, date):
            return dict.fromkeys(sorted(self.shops), as_of)
        return {s: as_of[s] for s in sorted(self.shops) if s in as_of}


def _areas(world: World, shop_id: str, as_of: date) -> dict[Area, ScoreRow]:
    card = version_on(world.config.trust, as_of)
    book = world.books.get(shop_id, NOTHING)
    parts = components_by("area", book, as_of, card)
    seen = {o.area for o in book.orders.values() if o.area and o.day <= as_of}
    rows_by_area: dict[Area, ScoreRow] = {}
    for area in seen:
        components = parts.get(area, Components())
        score, rating = rate(components, card)
        rows_by_area[area] = {
            "trust_score": score,
            "trust_rating": rating,
            "trust_components": components.sums(),
            "orders": components.orders,
        }
    return rows_by_area


def _latest_areas(book: OrderBook, as_of: date) -> dict[str, Area]:
    latest: dict[str, Order] = {}
    for order in sorted(book.orders.values(), key=lambda o: (o.day, o.moment, o.order_id)):
        if order.customer_key and order.area and order.day <= as_of:
            latest[order.customer_key] = order
    return {key: order.area for key, order in latest.items() if order.area}


def _score_shop(world: World, shop_id: str, as_of: date) -> dict[str, ScoreRow]:
    config = world.config
    points_card = version_on(config.points, as_of)
    behaviour_card = version_on(config.behaviour, as_of)
    trust_card = version_on(config.trust, as_of)
    book = world.books.get(shop_id, NOTHING)

    counted = book.counted(as_of)
    orders_of: dict[str, list[Order]] = defaultdict(list)
    for order in counted.values():
        if order.customer_key:
            orders_of[order.customer_key].append(order)
    returns_of = defaultdict(list)
    for back in book.returns:
        if back.order_id in counted:
            returns_of[counted[back.order_id].customer_key].append(back)
    events_of = defaultdict(list)
    for event in world.events.get(shop_id, ()):
        events_of[event.customer_key].append(event)
    answers_of = defaultdict(list)
    for answer in world.answers.get(shop_id, ()):
        answers_of[answer.customer_key].append(answer)

    areas = _areas(world, shop_id, as_of)
    latest_areas = _latest_areas(book, as_of)
    trust_parts = components_by("customer_key", book, as_of, trust_card)
    buyers = spending(book, as_of)
    scale = config.rfm_scale
    recency = {k: b.recency_days for k, b in buyers.items()}
    r_scores = rank_scores(recency, scale, low_is_good=True)
    f_scores = rank_scores({k: b.frequency for k, b in buyers.items()}, scale, low_is_good=False)
    m_scores = rank_scores({k: b.monetary for k, b in buyers.items()}, scale, low_is_good=False)

    colour_by_product = {p: c for (s, p), c in world.colours.items() if s == shop_id}

    found: dict[str, ScoreRow] = {}
    for key in (k for k, first in world.first_days.get(shop_id, {}).items() if first <= as_of):
        taste = preferences(answers_of[key], as_of, config.survey_answer_ttl_days)
        facts = [(e.event_type, e.day) for e in events_of[key]]
        facts += [("purchase", o.day) for o in orders_of[key]]
        behaviour_score, band, parts = behaviour(facts, as_of, behaviour_card)
        trust = trust_parts.get(key, Components())
        trust_score, rating = rate(trust, trust_card)
        area = world.home_areas.get(key) or latest_areas.get(key)
        postal = areas.get(area) if area else None
        buyer = buyers.get(key)
        rfm = (r_scores[key], f_scores[key], m_scores[key]) if buyer else None
        frequency = buyer.frequency if buyer else 0
        monetary = buyer.monetary if buyer else ZERO
        derived = {
            "rfm_group": group(config.rfm_preset, *rfm) if rfm else None,
            "loyalty_tier": loyalty_tier(frequency, monetary, config),
            "behaviour_score": behaviour_score,
            "trust_score": trust_score,
            "trust_rating": rating,
            "postal_trust_score": postal["trust_score"] if postal else None,
        }
        facts_of = Facts(
            shop_id=shop_id,
            events=events_of[key],
            orders=orders_of[key],
            returns=returns_of[key],
            net_spend=monetary,
            birth_date=world.birth_dates.get(key),
            exposures=world.files.exposures.get((shop_id, key), []),
            tickets=world.files.tickets.get((shop_id, key), []),
            loyalty=world.files.loyalty.get((shop_id, key), []),
            reviews=world.files.reviews.get((shop_id, key), []),
            community=world.files.community.get((shop_id, key), []),
            marks=world.marks.get((shop_id, key), []),
        )
        values = signals(facts_of, taste, derived, world.sources, as_of, config)
        health_score, bucket, points = health(values, points_card)
        found[key] = {
            "shop_id": shop_id,
            "customer_key": key,
            "as_of_date": as_of,
            "health_score": health_score,
            "health_bucket": bucket,
            "points_contributions": points,
            "signals": values,
            "segments": segments(values, config),
            "preference_audit": preference_audit(
                taste["finish"], events_of[key], colour_by_product, as_of
            ),
            "scorecard_version": points_card.version,
            "behaviour_band": band,
            "behaviour_contributions": parts,
            "trust_components": trust.sums(),
            "postal_area": area,
            "postal_trust_rating": postal["trust_rating"] if postal else "unknown",
            "recency_days": buyer.recency_days if buyer else None,
            "frequency": frequency,
            "monetary": monetary,
            "r_score": rfm[0] if rfm else None,
            "f_score": rfm[1] if rfm else None,
            "m_score": rfm[2] if rfm else None,
            "ltv_tier": ltv_tier(monetary),
            **taste,
            **derived,
        }
    return found


def score(raw: Raw, as_of: AsOf, config: Config | None = None) -> dict[tuple[str, str], ScoreRow]:
    """The score rows of all known customers at D, by (shop, customer key)."""
    return World.of(raw, config).score(as_of)


def postal_trust(
    raw: Raw, as_of: AsOf, config: Config | None = None
) -> dict[tuple[str, str, str], ScoreRow]:
    """The trust of postal areas at D, by (shop, country, postal code)."""
    return World.of(raw, config).postal_trust(as_of)


def known_customers(raw: Raw, as_of: AsOf, config: Config | None = None) -> set[tuple[str, str]]:
    """(shop, customer key) of everybody known at D."""
    return World.of(raw, config).known(as_of)


def unattributed(raw: Raw, as_of: AsOf) -> dict[str, dict[str, int]]:
    """By shop, how many `orders` and `answers` dated <= D bear neither customer nor e-mail."""
    clock = Clock.of(raw)
    counts: dict[str, dict[str, int]] = {
        s: {"orders": 0, "answers": 0} for s in sorted(shop_ids(raw))
    }
    moments = (
        ("orders", rows(raw, "shopify", "orders"), ("processed_at", "created_at")),
        ("answers", rows(raw, "zigpoll", "responses"), ("created_at",)),
    )
    for name, found, columns in moments:
        for row in found:
            shop_id = row["shop_id"]
            until = as_of if isinstance(as_of, date) else as_of.get(shop_id)
            moment = next((row[c] for c in columns if row.get(c)), None)
            day = clock.day(shop_id, moment)
            alone = not row.get("customer_id") and not normal_email(row.get("email"))
            if alone and day is not None and until is not None and day <= until:
                counts[shop_id][name] += 1
    return counts
