"""Random raw shops that hold every trap, from one seed.

Half of a shop is people drawn at random from small sets of awkward values (so that ties, shared
e-mails and edges of windows are common); the other half is people made for one trap each, whose
numbers land exactly on a threshold. The same (seed, days, size) always gives the same rows.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import strategies as st

from reference.maker import Maker, Tables
from reference.random_files import random_files
from reference.raw import Raw
from reference.signal_people import signal_people
from reference.young_shop import young_shop

# None: a shop of which no row (or no zone) came, so that its days are those of UTC.
ZONES: tuple[str | None, ...] = (
    "America/New_York",
    "Asia/Tokyo",
    "Europe/London",
    "Australia/Lord_Howe",
    "America/St_Johns",
    "Asia/Kolkata",
    None,
)
# Three days each: a clock going forward in New York, going back, London, and nothing at all.
WINDOWS: tuple[tuple[date, ...], ...] = tuple(
    tuple(first + timedelta(days=n) for n in range(3))
    for first in (date(2026, 3, 7), date(2025, 10, 31), date(2026, 3, 28), date(2026, 7, 14))
)
PRICES = [Decimal(p) for p in ("10.00", "49.99", "100.00", "250.00", "700.00", "1200.50")]
AREAS: tuple[tuple[str | None, str | None], ...] = (
    ("US", "10001"),
    ("us", "10001-1234"),
    ("US", " 10002 1234"),
    ("CA", "K1A 0B1"),
    ("ca", "k1a-0b1"),
    ("JP", "150-0001"),
    (None, "10001"),
    ("", "sw1a 1aa"),
    ("GB", "SW1A 1AA"),
    ("US", None),
    ("US", ""),
    (None, None),
)
STATUSES: tuple[str | None, ...] = (
    *["paid"] * 12,
    "PAID",
    " Partially_Paid ",
    "PARTIALLY_REFUNDED",
    "refunded",
    "pending",
    "AUTHORIZED",
    "voided",
    "Expired",
    "frozen",
    "",
    None,
)
RETURN_STATUSES: tuple[str | None, ...] = (
    *["OPEN"] * 3,
    *["CLOSED"] * 4,
    "closed",
    "REQUESTED",
    "DECLINED",
    "CANCELED",
    None,
)
REASONS: tuple[str | None, ...] = (
    "SIZE_TOO_SMALL",
    "size_too_large",
    " Size/Fit ",
    "STYLE",
    "color",
    "Style Mismatch",
    "GIFT_RETURN",
    "gift return ",
    "DEFECTIVE",
    "",
    None,
)
METRICS = (
    *["Viewed Product"] * 6,
    "Added to Wishlist",
    "Added to Cart",
    "Checkout Started",
    "Started Checkout",
    "Compared Products",
    "Opened Shop App",
    "Applied Coupon",
    "Placed Order",
    "viewed product",
    *["Received Email"] * 3,
    "Clicked Email",
    "Opened Email",
    "Viewed Support Article",
    "Clicked SMS",
)
SECONDS: tuple[Any, ...] = (
    *(12, 0, 3.5, -4, 600, "17", " 8.25 ", "-3", "fast", "", "NaN", "Infinity", True, None, [3]),
)
COLOURS: tuple[tuple[str | None, str | None], ...] = (
    ("platinum", " Yellow Gold "),
    ("White Gold", None),
    (" ROSE GOLD", ""),
    (None, "white_gold"),
    (None, None),
    ("Yellow gold", "platinum"),
    ("", ""),
    ("yellow_gold", None),
)
GATEWAYS: tuple[list[str] | None, ...] = (
    None,
    [],
    ["shopify_payments"],
    ["shopify_payments", "AFFIRM"],
    [" Klarna "],
    ["Shop Pay Installments", "gift_card"],
    ["", " "],
    ["", "manual"],
)
BIRTHDAYS: tuple[date | None, ...] = (
    None,
    None,
    date(1996, 2, 29),
    date(1988, 3, 1),
    date(1979, 2, 28),
    date(1990, 12, 31),
    date(2001, 1, 1),
    date(2030, 5, 5),
)
QUESTIONS: tuple[tuple[str | None, tuple[str | None, ...]], ...] = (
    (
        "Is this purchase for you or a gift?",
        ("For me", " for someone ELSE ", "Unsure", "Both of us"),
    ),
    ("Which finish do you prefer?", ("Yellow gold", "WHITE GOLD", "Rose gold", "Mauve", "")),
    (" which finish does the RECIPIENT prefer? ", ("Yellow gold ", "platinum", None)),
    ("Which style do you prefer?", ("Stackable rings", "solitaire", "Halo", "Minimal")),
    ("How likely are you to add a matching piece in the next 7 days?", ("1", "5", "6")),
    ("What would you love to find here?", ("a ring like my grandmother's", " ", "4")),
    (
        " How likely are you to recommend us to a FRIEND? ",
        ("0", "9", " 10 ", "7.5", "11", "-1", "ten", "", "NaN"),
    ),
    ("How satisfied are you with your purchase?", ("1", "5", "4.5", "0", "6", "great")),
    ("how easy was it to find the right piece?", ("1", "2.5", " 5", "0.9", "5.1", None)),
    (None, ("3", "10", " 4 ", "6", "Infinity")),
    (None, ("Yes",)),
)


@dataclass(frozen=True)
class RandomShops:
    """Raw tables, the days to score them on, and the seed that made them."""

    raw: Tables
    days: tuple[date, ...]
    seed: int


# -- the random half ---------------------------------------------------------------------------


def _catalogue(m: Maker) -> list[str]:
    """Products with and without families; the first was something else before."""
    families = ("bridal", " Bridal ", "BRIDAL", "fashion", "stackable", None, "", "bridal sets")
    ids = []
    for family, (metal, finish) in zip(families, COLOURS, strict=True):
        product_id = m.new_id()
        ids.append(product_id)
        m.add(
            "shopify.products",
            product_id=product_id,
            family=family,
            collections=["Bridal"],
            metal=metal,
            finish=finish,
            updated_at=m.at(date(2025, 1, 2)),
        )
    older = {"updated_at": m.at(date(2025, 1, 1)), "collections": None, "metal": "silver"}
    m.add("shopify.products", product_id=ids[0], family="fashion", **older)
    m.add("shopify.products", product_id=ids[3], family="bridal", **older)
    return ids


def _random_customers(m: Maker, n: int) -> list[str]:
    ids = [m.new_id() for _ in range(n)]
    for position, customer_id in enumerate(ids):
        email: str | None = f"Person{customer_id}@Example.com"
        draw = m.rng.random()
        if draw < 0.15:
            email = f" shared{position % 4}@example.com"
        elif draw < 0.25:
            email = m.rng.choice((None, ""))
        elif draw < 0.45:
            email = f"  PERSON{customer_id}@example.com "
        phone = None
        if m.chance(0.5):
            phone = m.rng.choice(
                (
                    f"+1 (555) {customer_id}",
                    f"+1555.{customer_id}",
                    f"555{customer_id}",
                    "+81-3-0000",
                    "",
                )
            )
        country, postal = m.rng.choice(AREAS)
        m.customer(
            customer_id=customer_id,
            email=email,
            phone=phone,
            created_at=None if m.chance(0.1) else m.some_moment(),
            default_country_code=country,
            default_postal_code=postal,
            birth_date=m.rng.choice((*BIRTHDAYS, *m.days)),
            merged_into_customer_id=m.rng.choice(ids) if m.chance(0.08) else None,
        )
        if m.chance(0.1):
            m.customer(
                customer_id=customer_id,
                email="before@example.com",
                updated_at=m.at(date(2024, 1, 1)),
                default_country_code="US",
                default_postal_code="99999",
                merged_into_customer_id=m.rng.choice(ids),
            )
    return ids


def _some_email(m: Maker, ids: Sequence[str]) -> str | None:
    return m.rng.choice(
        (
            f"person{m.rng.choice(ids)}@example.com",
            f" Person{m.rng.choice(ids)}@EXAMPLE.com",
            f"shared{m.rng.randrange(5)}@example.com",
            f"guest{m.rng.randrange(12)}@example.com",
            f" GUEST{m.rng.randrange(12)}@example.com ",
            None,
            "",
        )
    )


def _random_order(m: Maker, ids: Sequence[str], products: Sequence[str]) -> None:
    moment = m.some_moment()
    country, postal = m.rng.choice(AREAS)
    guest = m.chance(0.2)
    customer_id: str | None = m.rng.choice(ids)
    if m.chance(0.03):
        customer_id = f"90000{m.rng.randrange(3)}"
    row = m.order(
        m.rng.choice((None, "")) if guest else customer_id,
        m.days[0],
        email=_some_email(m, ids) if guest or m.chance(0.3) else None,
        created_at=None if m.chance(0.03) else moment - timedelta(minutes=m.rng.randrange(90)),
        processed_at=None if m.chance(0.1) else moment,
        updated_at=None if m.chance(0.05) else moment,
        cancelled_at=m.after(moment) if m.chance(0.07) else None,
        is_test=m.rng.choice((False, False, None)) if m.chance(0.96) else True,
        financial_status=m.rng.choice(STATUSES),
        shipping_country_code=country,
        shipping_postal_code=postal,
        tags=m.rng.choice((None, [], ["vip"], ["resend-later"])),
        payment_gateways=m.rng.choice(GATEWAYS),
        discount_codes=m.rng.choice((None, [], [], ["WELCOME10"], ["", " "])),
        discount_amount=m.rng.choice((None, Decimal("0.00"), Decimal("0.00"), Decimal("5.00"))),
        acquisition_source=m.rng.choice((None, "", "google", " TikTok ", "email")),
    )
    for _ in range(m.rng.choice((0, 1, 1, 1, 2, 2, 3))):
        quantity = m.rng.choice((0, 1, 1, 1, 2, 3))
        price = m.rng.choice(PRICES)
        off = m.rng.choice((None, Decimal("0.00"), Decimal("3.33"), price / 4))
        m.line(
            row["order_id"],
            price,
            quantity=quantity,
            discount_amount=off if off is None or quantity else Decimal("0.00"),
            is_gift_card=m.rng.choice((False, None)) if m.chance(0.9) else True,
            product_id=m.rng.choice(products),
            offer_kind=m.rng.choice(
                (*[None] * 12, "", "post_purchase", "thank_you", "pdp", "bundle", "warranty")
            ),
        )
    if row["updated_at"] and m.chance(0.06):
        # what the order looked like before; it may come in either order
        before = {
            **row,
            "updated_at": row["updated_at"] - timedelta(days=1),
            "financial_status": m.rng.choice(("paid", "pending")),
            "customer_id": m.rng.choice(ids),
            "cancelled_at": None,
        }
        orders = m.tables["shopify", "orders"]
        orders.insert(len(orders) - m.rng.randrange(2), before)
    for kind in ("sale", "capture"):
        m.add(
            "shopify.transactions",
            transaction_id=m.new_id(),
            order_id=row["order_id"],
            kind=kind,
            status="success",
            gateway=m.rng.choice((None, "shopify_payments")),
            amount=Decimal("100.00"),
            created_at=moment,
        )
    _random_aftermath(m, row, moment)


def _random_aftermath(m: Maker, row: Mapping[str, Any], moment: datetime) -> None:
    lines = m.lines_of(row)
    for _ in range(m.rng.choice((0, 0, 0, 0, 1, 2))):
        parts = [m.rng.choice((Decimal("5.00"), Decimal("33.33"), Decimal("0.00"))) for _ in lines]
        if m.chance(0.25):
            parts = []
        m.refund(row, None if m.chance(0.03) else m.after(moment), *parts)
    for _ in range(m.rng.choice((0, 0, 0, 0, 1, 2))):
        m.send_back(
            row,
            None if m.chance(0.03) else m.after(moment),
            *[m.rng.choice(REASONS) for _ in lines],
            status=m.rng.choice(RETURN_STATUSES),
            quantity=m.rng.choice((0, 1, 1, 2)),
        )


def _random_resend(m: Maker, ids: Sequence[str], parent: Mapping[str, Any]) -> None:
    moment = m.after(parent["processed_at"] or parent["created_at"] or m.some_moment())
    country, postal = m.rng.choice(AREAS)
    own = m.chance(0.5)
    by_tag = [[m.rng.choice(("resend", "RESHIP", "Replacement")), "vip"], None]
    named = m.rng.choice((parent["order_id"], parent["order_id"], None, "900009"))
    row = m.order(
        m.rng.choice(ids) if own else None,
        m.days[0],
        created_at=moment,
        processed_at=moment,
        email=None if m.chance(0.7) else _some_email(m, ids),
        financial_status=m.rng.choice(STATUSES),
        cancelled_at=m.after(moment) if m.chance(0.15) else None,
        is_test=m.chance(0.1),
        shipping_country_code=country,
        shipping_postal_code=postal,
        resend_of_order_id=named,
        tags=by_tag[0] if named is None else m.rng.choice(by_tag),
    )
    for _ in range(m.rng.choice((1, 1, 2))):
        price = m.rng.choice(PRICES)
        m.line(
            row["order_id"],
            price,
            quantity=m.rng.choice((1, 2)),
            discount_amount=price,
            is_gift_card=m.chance(0.1),
        )


def _random_profile(m: Maker, ids: Sequence[str], products: Sequence[str]) -> None:
    someone = m.rng.choice(ids)
    bearing: dict[str, Any] = m.rng.choice(
        (
            {"external_id": someone, "email": _some_email(m, ids)},
            {"external_id": someone},
            {"external_id": "", "email": f"PERSON{someone}@example.com "},
            {"email": _some_email(m, ids), "phone": f"+1555{someone}"},
            {"phone": f"+1-555-{someone}"},
            {"phone": "+81 3 0000"},
            {"phone": f"555{someone}"},
            {"external_id": "900001"},
            {},
        )
    )
    profile_id: str | None = f"P{m.new_id()}" if m.chance(0.05) else None
    if profile_id is None:
        created = None if m.chance(0.1) else m.some_moment()
        profile_id = m.profile(created_at=created, updated_at=created, **bearing)
    for _ in range(m.rng.choice((0, 1, 3, 8, 20))):
        _random_event(m, None if m.chance(0.01) else profile_id, products)


def _random_event(m: Maker, profile_id: str | None, products: Sequence[str]) -> None:
    product: Any = m.rng.choice((*products, *products, "404", "", None))
    collections: Any = m.rng.choice(
        (None, [], "Bridal", "engagement RINGS", ["Gifts", " wedding bands "], ["Fashion"], "")
    )
    properties: Any = {"ProductID": product, "Collections": collections}
    if product in products[:3] and m.chance(0.3):
        properties = {"ProductID": int(product), "SKU": "R-1"}
    elif product in products[3:] and m.chance(0.1):
        properties["ProductID"] = f" {product} "
    if m.chance(0.6):
        properties["Seconds"] = m.rng.choice(SECONDS)
    if m.chance(0.05):
        properties = m.rng.choice((None, {}, {"CartValue": 12.5}))
    moment = None if m.chance(0.01) else m.some_moment()
    unique_id = None if m.chance(0.2) else m.rng.choice(("", f"U{m.new_id()}", f"U{m.new_id()}"))
    event = m.event(
        profile_id, moment, m.rng.choice(METRICS), unique_id=unique_id, properties=properties
    )
    if moment and unique_id and m.chance(0.15):
        echo = {**event, "event_id": f"E{m.new_id()}"}
        other = m.rng.choice(("later", "tie", "metric"))
        if other == "later":
            echo["occurred_at"] = moment + timedelta(hours=m.rng.choice((1, 30)))
        elif other == "tie":
            echo["properties"] = {"Collections": "Bridal"}
        else:
            echo["metric_name"] = m.rng.choice(METRICS)
        events = m.tables["klaviyo", "events"]
        events.insert(len(events) - m.rng.randrange(2), echo)


def _random_answer(m: Maker, ids: Sequence[str]) -> None:
    question, given = m.rng.choice(QUESTIONS)
    m.answer(
        None if m.chance(0.02) else m.some_moment(),
        question,
        m.rng.choice(given),
        customer_id=m.rng.choice(ids) if m.chance(0.6) else None,
        email=_some_email(m, ids),
        value_type=m.rng.choice(
            ("single-choice", "single-choice", "dynamic-response", None, "nps", " CSAT ", "ces")
        ),
    )


# -- people made for one trap ------------------------------------------------------------------


def _exact_values(m: Maker) -> None:
    """Spend and averages on, and a cent beside, every threshold."""
    month_ago = m.days[0] - timedelta(days=30)
    for prices in (
        ("650.00", "750.00"),
        ("650.00", "750.01"),
        ("700.00",),
        ("700.01",),
        ("99.99",),
        ("100.00",),
        ("400.00", "100.00"),
        ("500.01",),
        ("499.99",),
        ("1500.00",),
        ("1499.99",),
        ("3500.00",),
        ("3499.99",),
    ):
        who = m.customer()
        for price in prices:
            m.order(who, month_ago, price)
    refunded = m.customer()
    order = m.order(refunded, month_ago, "500.00")
    m.refund(order, m.at(m.days[1]), "0.01")
    # lines a discount makes equal, tied in all three scores
    for price, off in (("120.00", "20.00"), ("100.00", "0.00")):
        who = m.customer()
        row = m.order(who, month_ago)
        m.line(row["order_id"], price, discount_amount=Decimal(off))


def _exact_behaviour(m: Maker) -> None:
    """80, 40 and 100 to the digit on the middle day, by today's purchases and by older ones."""
    middle = m.days[1]
    for count, age in ((8, 0), (4, 0), (10, 0), (11, 0), (16, 30), (32, 60), (8, 30)):
        who = m.customer()
        for _ in range(count):
            m.order(who, middle - timedelta(days=age), "10.00")
    mixed = m.customer()
    profile_id = m.profile(external_id=mixed)
    for metric in ("Viewed Product", "Added to Wishlist", "Added to Cart", "Started Checkout"):
        m.event(profile_id, m.at(middle), metric)
    m.event(profile_id, m.at(middle), "Checkout Started", unique_id="same")
    m.event(profile_id, m.at(middle, time(13)), "Checkout Started", unique_id="same")
    m.event(profile_id, m.at(middle), "Placed Order", unique_id="same")
    m.order(mixed, middle, "10.00")


def _points_edges(m: Maker, products: Sequence[str]) -> None:
    """Three bridal views of which one leaves the window, add-ons and returns on its last day."""
    first = m.days[0]
    viewer = m.profile(external_id=m.customer())
    for age in (29, 0, 3):
        m.event(
            viewer,
            m.at(first - timedelta(days=age), time(0)),
            "Viewed Product",
            properties={"ProductID": products[0]},
        )
    for age in (179, 180):
        who = m.customer()
        row = m.order(who, m.days[2] - timedelta(days=age), clock=time(0))
        m.line(row["order_id"], "80.00", offer_kind="post_purchase")
    refused = m.customer()
    row = m.order(refused, m.days[0], cancelled_at=m.at(m.days[1]))
    m.line(row["order_id"], "80.00", offer_kind="thank_you")
    floored = m.customer()
    row = m.order(floored, first - timedelta(days=90), "10.00", "10.00", "10.00")
    m.send_back(row, m.at(first), "SIZE_TOO_SMALL", "STYLE", "GIFT_RETURN")
    all_of_it = m.customer()
    row = m.order(all_of_it, first, "900.00")
    m.line(row["order_id"], "800.00", offer_kind="thank_you")
    m.answer(m.at(first), "Which finish do you prefer?", "Yellow gold", customer_id=all_of_it)
    m.answer(m.at(first), "Which style do you prefer?", "Stackable rings", customer_id=all_of_it)
    browser = m.profile(external_id=all_of_it)
    for _ in range(3):
        m.event(browser, m.at(first), "Viewed Product", properties={"Collections": "Bridal"})


def _trust_edges(m: Maker) -> None:
    """Ratios that round at a half, touch nought and one, and areas with one such order."""
    first = m.days[0]
    edges = ((80, 60), (80, 79), (100, 51), (100, 49), (100, 100), (1000, 5), (1000, 15))
    for paid, back in edges:
        row = m.order(
            m.customer(),
            first,
            f"{back}.00",
            f"{paid - back}.00",
            shipping_country_code="FR",
            shipping_postal_code=f"{75000 + paid + back}",
        )
        m.send_back(row, m.at(first), "DEFECTIVE", status="OPEN")
        m.send_back(row, m.at(first), "STYLE", "STYLE", status="DECLINED")
    ruined = m.customer()
    row = m.order(ruined, first - timedelta(days=100), "90.00")
    m.send_back(row, m.at(first), "DEFECTIVE")
    m.refund(row, m.at(first), "90.00")
    m.order(ruined, first, "90.00", resend_of_order_id=row["order_id"], financial_status=None)
    thirds = m.customer()
    row = m.order(thirds, first - timedelta(days=10))
    m.line(row["order_id"], "33.34", quantity=3, discount_amount=Decimal("0.02"))
    m.send_back(row, m.at(first), "STYLE", quantity=1)
    m.order(m.customer(), first, financial_status="pending")
    card = m.order(m.customer(), first)
    m.line(card["order_id"], "250.00", is_gift_card=True)
    m.refund(card, m.at(first), "250.00")
    mixed = m.order(m.customer(), first)
    m.line(mixed["order_id"], "250.00", is_gift_card=True)
    m.line(mixed["order_id"], "40.00")
    m.refund(mixed, m.at(first), "250.00", "10.00")
    m.send_back(mixed, m.at(first), "COLOR", "COLOR")
    # no customer at all, yet the area counts
    m.order(None, first, "60.00", shipping_country_code="FR", shipping_postal_code="75151")


def _clock_edges(m: Maker) -> None:
    """The last second of each day, the first of the next, and an order cancelled between."""
    for day in m.days:
        who = m.customer(created_at=m.at(day, time(23, 59, 59)))
        m.order(who, day, "20.00", clock=time(23, 59, 59))
        m.order(who, day + timedelta(days=1), "30.00", clock=time(0))
        m.customer(created_at=m.at(day + timedelta(days=1), time(0)))
    regret = m.customer()
    m.order(regret, m.days[0], "75.00", cancelled_at=m.at(m.days[1], time(0)))
    m.order(regret, m.days[0], "75.00", cancelled_at=m.at(m.days[2], time(23, 59, 59)))
    m.order(m.customer(created_at=m.at(m.days[2] + timedelta(days=9))), m.days[1], "5.00")
    m.customer(created_at=m.at(m.days[2] + timedelta(days=9)))


def _identity_edges(m: Maker) -> None:
    """A chain, a chain to nowhere, a loop with a tail, oneself, and phones."""
    first = m.days[0]
    end = m.customer(created_at=m.at(first), default_postal_code="60601", phone="+1 312 5550000")
    middle = m.customer(merged_into_customer_id=end, created_at=m.at(first - timedelta(days=5)))
    start = m.customer(
        merged_into_customer_id=middle, phone="+1 (312) 555.0000", default_postal_code="1"
    )
    m.order(start, first, "15.00", shipping_postal_code="2")
    m.order(None, first, "15.00", email=f" C{start}@EXAMPLE.COM")
    heir = m.customer(created_at=m.at(m.days[2] + timedelta(days=9)))
    m.customer(merged_into_customer_id=heir, created_at=m.at(first))
    nowhere = m.customer(
        merged_into_customer_id="900010", default_country_code="US", default_postal_code="10001"
    )
    m.order(nowhere, first, "15.00", shipping_postal_code="K1A-0B1", shipping_country_code="ca")
    m.order("900010", first, "15.00")
    left, right, tail, alone = m.new_id(), m.new_id(), m.new_id(), m.new_id()
    for who, into in ((left, right), (right, left), (tail, left), (alone, alone)):
        m.customer(customer_id=who, merged_into_customer_id=into)
        m.order(who, first, "15.00")
    m.event(m.profile(phone="+13125550000"), m.at(first), "Viewed Product")
    m.event(m.profile(phone="13125550000"), m.at(first), "Viewed Product")
    m.event(m.profile(email=f"C{middle}@example.com"), m.at(first), "Added to Cart")
    m.event("Pnobody", m.at(first), "Opened Shop App")
    # each of these is all that is known of somebody
    m.event("Pclicked", m.at(first), "Clicked SMS")
    m.event("Plater", m.at(m.days[2] + timedelta(days=1)), "Viewed Product")
    m.order(None, first, "15.00", email="only-a-test@example.com", is_test=True)
    m.order(None, first, "15.00", email="only-pending@example.com", financial_status="pending")
    m.answer(m.at(first), "Which style do you prefer?", "None", email="only-said@example.com")
    twice = m.customer()
    for _ in range(2):
        m.event(m.profile(external_id=twice), m.at(first), "Added to Wishlist")
    m.profile(email="prospect@example.com", created_at=m.at(m.days[1]))
    m.order(None, first, "15.00", email=" ")
    m.answer(m.at(first), "Which style do you prefer?", "Halo", email=None)
    m.answer(m.at(first), "Which style do you prefer?", "Halo", email="PROSPECT@example.com ")


def _survey_edges(m: Maker) -> None:
    """The last day of an answer, ties, and words that no map knows."""
    question = "Which finish do you prefer?"
    for age in (364, 365, 366):
        day = m.days[1] - timedelta(days=age)
        m.answer(m.at(day), question, "Rose gold", customer_id=m.customer())
    tied = m.customer()
    moment = m.at(m.days[0])
    # as text "9" is the greater id
    m.answer(moment, question, "Platinum", customer_id=tied, response_id="9")
    m.answer(moment, question, "White gold", customer_id=tied, response_id="10")
    unmapped = m.customer()
    m.answer(moment, question, "Yellow gold", customer_id=unmapped)
    m.answer(moment + timedelta(hours=1), question, " Mauve ", customer_id=unmapped)
    m.answer(
        moment + timedelta(hours=2),
        "What would you love to find here?",
        "an owl",
        customer_id=unmapped,
        value_type="dynamic-response",
    )
    m.answer(moment + timedelta(hours=3), question, "", customer_id=unmapped)
    lone = m.customer()
    m.answer(moment, "Which style do you prefer?", "Minimal", customer_id=lone)


def _wholesaler(m: Maker) -> None:
    """Many orders of many units, long ago and now."""
    who = m.customer(default_country_code="US", default_postal_code="10001 9999")
    for n in range(40):
        row = m.order(who, m.days[2] - timedelta(days=9 * n), shipping_postal_code="150-0001")
        m.line(row["order_id"], "19.99", quantity=25, discount_amount=Decimal("100.00"))


# -- shops -------------------------------------------------------------------------------------


def random_shop(
    shop_id: str, zone: str | None, days: Sequence[date], seed: int, customers: int
) -> Tables:
    """The raw tables of one shop; `customers` is the size of its random part."""
    m = Maker(shop_id, zone, tuple(days), Random(f"{seed}/{shop_id}"))
    if zone is not None:
        m.add("shopify.shops", name=shop_id, iana_timezone=zone, currency_code="USD")
    elif seed % 2:
        m.add("shopify.shops", name=shop_id, iana_timezone=None, currency_code="USD")
    products = _catalogue(m)
    ids = _random_customers(m, customers)
    for _ in range(2 * customers):
        _random_order(m, ids, products)
    parents = list(m.tables["shopify", "orders"])
    for _ in range(customers // 3):
        _random_resend(m, ids, m.rng.choice(parents))
    for _ in range(customers):
        _random_profile(m, ids, products)
    for _ in range(3 * customers):
        _random_answer(m, ids)
    random_files(m, lambda: _some_email(m, ids), ids, customers * 3 // 2)
    _exact_values(m)
    _exact_behaviour(m)
    _points_edges(m, products)
    _trust_edges(m)
    _clock_edges(m)
    _identity_edges(m)
    _survey_edges(m)
    _wholesaler(m)
    signal_people(m, products)
    return m.tables


def random_shops(seed: int, days: Sequence[date] | None = None, customers: int = 60) -> RandomShops:
    """Two shops in different zones with colliding ids, and a young one of a dozen people.

    `customers` is the random part of each of the two.
    """
    rng = Random(seed)
    window = tuple(days or rng.choice(WINDOWS))
    zones = rng.sample(ZONES, 3)
    raws = [
        random_shop(f"shop{seed}{letter}", zone, window, seed, customers)
        for letter, zone in zip("ab", zones[:2], strict=True)
    ]
    raws.append(young_shop(f"shop{seed}c", zones[2], window, seed))
    return RandomShops(joined(raws), window, seed)


def joined(raws: Iterable[Raw]) -> Tables:
    """Many shops in one set of tables."""
    tables: Tables = defaultdict(list)
    for raw in raws:
        for name, found in raw.items():
            tables[name].extend(dict(row) for row in found)
    return dict(tables)


def shops(customers: int = 60) -> st.SearchStrategy[RandomShops]:
    """Random shops by seed: hypothesis shrinks the seed, never the rows."""
    return st.builds(random_shops, seed=st.integers(0, 9999), customers=st.integers(20, customers))


def write_drop(raw: Raw, directory: Path) -> None:
    """Write the tables as a file drop, `<source>/<table>/part-N.jsonl`, two parts each.

    Amounts are text in one part and numbers in the other; nulls are written in one and left out
    in the other. Both are allowed.
    """
    for (source, table), found in raw.items():
        folder = directory / source / table
        folder.mkdir(parents=True, exist_ok=True)
        for part in (0, 1):
            with (folder / f"part-{part}.jsonl").open("w", encoding="utf-8") as file:
                for row in found[part::2]:
                    file.write(json.dumps(_jsonable(row, part)) + "\n")


def _jsonable(row: Mapping[str, Any], part: int) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        if isinstance(value, datetime):
            return value.isoformat().replace("+00:00", "Z")
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, Decimal):
            return str(value) if part == 0 else float(value)
        return value

    return {c: plain(v) for c, v in row.items() if part == 0 or v is not None}
