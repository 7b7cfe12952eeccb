"""A shop that has just begun: each source first speaks on a day of its own, or never."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, time, timedelta
from random import Random

from reference.maker import Maker, Tables

SOURCES = ("events", "orders", "answers", "tickets", "loyalty", "reviews", "offers", "community")


def young_shop(shop_id: str, zone: str | None, days: Sequence[date], seed: int) -> Tables:
    """A dozen people; which source begins on which day goes by the seed.

    The first row of a source is nobody's where that is possible; people follow a day later.
    """
    m = Maker(shop_id, zone, tuple(days), Random(f"{seed}/{shop_id}"))
    if zone is not None:
        m.add("shopify.shops", name=shop_id, iana_timezone=zone, currency_code="USD")
    people = [m.customer(birth_date=date(1990, 1, 1) if n % 2 else None) for n in range(12)]
    emails = [f" C{who}@Example.com" for who in people]
    profiles = [m.profile(external_id=who) for who in people[:6]]
    begins = dict(
        zip(m.rng.sample(SOURCES, len(SOURCES)), (0, 1, 1, 1, 2, 2, 3, None), strict=True)
    )
    # one of the two that matter most begins within the days, whatever the draw
    begins["orders" if seed % 2 else "events"] = 1 + seed // 2 % 2
    for source, day_number in begins.items():
        if day_number is None:
            continue
        first = m.days[0] + timedelta(days=day_number)
        _first_row(m, source, first)
        for n in range(4):
            _row(m, source, first + timedelta(days=1), n, people, emails, profiles)
    # no date, no connection
    m.ticket(emails[0], None)
    m.review(emails[0], None)
    m.exposure("warranty", None, email=emails[0])
    m.event(profiles[0], None, "Viewed Product")
    m.order(people[0], m.days[0], "70.00", created_at=None, processed_at=None)
    return m.tables


def _first_row(m: Maker, source: str, day: date) -> None:
    """The row that connects a source, at the first moment of the day, and nobody's if it can be."""
    moment = m.at(day, time(0))
    if source == "events":
        m.event(None, moment, "Clicked SMS")
    elif source == "orders":
        m.order(None, day, "10.00", clock=time(0), is_test=True)
    elif source == "answers":
        m.answer(moment, "Which style do you prefer?", "Halo", email=None)
    elif source == "tickets":
        m.ticket(None, moment, closed_at=moment)
    elif source == "loyalty":
        m.loyalty("stranger@example.com", moment, "enrol", None)
    elif source == "reviews":
        m.review(None, moment)
    elif source == "offers":
        m.exposure("pdp", moment)
    else:
        m.community("stranger@example.com", moment, None)


def _row(
    m: Maker,
    source: str,
    day: date,
    n: int,
    people: Sequence[str],
    emails: Sequence[str],
    profiles: Sequence[str],
) -> None:
    """Something that one of the people did."""
    moment, email = m.at(day, time(23, 59, 59)), m.rng.choice(emails)
    if source == "events":
        m.event(m.rng.choice(profiles), moment, ("Viewed Product", "Added to Cart")[n % 2])
    elif source == "orders":
        m.order(m.rng.choice(people), day, "80.00")
    elif source == "answers":
        m.answer(moment, "nps", str(n), email=email)
    elif source == "tickets":
        m.ticket(email, moment)
    elif source == "loyalty":
        m.loyalty(email, moment, "earn", 10)
    elif source == "reviews":
        m.review(email, moment)
    elif source == "offers":
        m.exposure("thank_you", moment, email=email)
    else:
        m.community(email, moment, "referral")
