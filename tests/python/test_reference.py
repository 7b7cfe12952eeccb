"""The reference implementation itself, on cases computed by hand from the definitions."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import product
from math import isclose
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from reference import Config, known_customers, postal_trust, score, unattributed
from reference.behaviour import deduplicated, is_bridal
from reference.calendar_days import days_to_anniversary, in_season
from reference.clock import Clock, decay, in_window
from reference.config import (
    BehaviourCard,
    PointsCard,
    Rule,
    TrustCard,
    default_behaviour_card,
    default_points_card,
    fold,
    version_on,
)
from reference.identity import email_key, follow_merges, normal_email, normal_phone
from reference.maker import Maker
from reference.orders import line_value, normal_area, returned_value
from reference.points import fires, health
from reference.random_shop import RandomShops, joined, random_shops, shops, write_drop
from reference.rfm import STANDARD, group, rank_scores
from reference.score import World
from reference.tiers import loyalty_tier, ltv_tier
from reference.trust import Components, half_away, rate

SEEDS = Path(__file__).resolve().parents[2] / "seeds"
D = date(2026, 7, 15)
YESTERDAY = D - timedelta(days=1)
CELLS = list(product(range(1, 6), repeat=3))


def seed_rows(name: str) -> list[dict[str, str]]:
    with (SEEDS / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def m() -> Maker:
    """An empty shop in New York whose days are D-1, D, D+1."""
    maker = Maker("s", "America/New_York", (YESTERDAY, D, D + timedelta(days=1)), Random(1))
    maker.add("shopify.shops", iana_timezone="America/New_York")
    return maker


# -- clock -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2026-03-08T04:59:59.999999", "2026-03-07"),  # 23:59:59 in winter time, UTC-5
        ("2026-03-08T05:00:00", "2026-03-08"),
        ("2026-03-09T03:59:59", "2026-03-08"),  # 23:59:59 in summer time, UTC-4
        ("2026-03-09T04:00:00", "2026-03-09"),
        ("2026-11-02T04:59:59", "2026-11-01"),
    ],
)
def test_a_fact_belongs_to_the_day_on_the_shops_clock(moment: str, day: str) -> None:
    clock = Clock({"s": "America/New_York"})
    aware = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert clock.day("s", aware) == date.fromisoformat(day)


def test_a_shop_without_a_zone_keeps_utc() -> None:
    raw = {("shopify", "shops"): [{"shop_id": "s", "iana_timezone": ""}]}
    late = datetime(2026, 1, 1, 23, 59, 59, tzinfo=UTC)
    assert Clock.of(raw).day("s", late) == date(2026, 1, 1)
    assert Clock.of(raw).day("nobody", late) == date(2026, 1, 1)


def test_decay_halves_and_windows_hold_n_days() -> None:
    assert decay(D, D, 30) == 1.0
    assert decay(D - timedelta(days=30), D, 30) == 0.5
    assert decay(D - timedelta(days=90), D, 30) == 0.125
    inside = [age for age in range(-2, 40) if in_window(D - timedelta(days=age), D, 30)]
    assert inside == list(range(30))


# -- identity ----------------------------------------------------------------------------------


def test_merges_are_followed_to_their_end_and_loops_keep_their_ids() -> None:
    merged = {"1": "2", "2": "3", "4": "gone", "5": "6", "6": "5", "7": "5", "8": "8"}
    ends = {i: follow_merges(i, merged) for i in "12345678"}
    assert ends == {
        "1": "3",
        "2": "3",
        "3": "3",
        "4": "gone",
        "5": "5",
        "6": "6",
        "7": "7",
        "8": "8",
    }


def test_emails_and_phones_are_compared_in_one_form() -> None:
    assert normal_email("  Guest@Example.COM ") == "guest@example.com"
    assert normal_email("  ") is None
    assert email_key("s", "guest@example.com") == "s:email:513935c4d2db2d2d"
    assert normal_phone(" +1 (555) 010-23.45 ") == "+15550102345"
    assert normal_phone("555 0102345") is None


def test_an_email_belongs_to_its_only_customer_else_to_itself(m: Maker) -> None:
    end = m.customer(email="new@example.com")
    m.customer(email="old@example.com", merged_into_customer_id=end)
    m.customer(email="two@example.com")
    m.customer(email=" TWO@example.com")
    for email in ("OLD@example.com ", "two@example.com", "guest@example.com", None):
        m.order(None, D, "10.00", email=email)
    buyers = {key for (_, key), row in score(m.tables, D).items() if row["frequency"]}
    assert buyers == {
        f"s:{end}",
        email_key("s", "two@example.com"),
        "s:email:513935c4d2db2d2d",
    }
    assert unattributed(m.tables, D) == {"s": {"orders": 1, "answers": 0}}


def test_a_profile_is_known_by_external_id_email_phone_or_itself(m: Maker) -> None:
    end = m.customer(phone="+1 555 1", email=None)
    old = m.customer(merged_into_customer_id=end, email="old@example.com", phone="+1-555-1")
    for shared in ("a", "b"):
        m.customer(phone="+1 555 2", email=f"{shared}@example.com")
    bearing = [
        {"external_id": old, "email": "guest@example.com"},
        {"external_id": "", "email": "OLD@example.com"},
        {"email": "guest@example.com", "phone": "+15551"},
        {"phone": "+1 (555) 1"},
        {"phone": "+15552"},
        {"phone": "5551"},
    ]
    profiles = [m.profile(**b) for b in bearing]
    for profile_id in [*profiles, "Pnobody"]:
        m.event(profile_id, m.at(D), "Opened Shop App")
    found = World.of(m.tables).events["s"]
    assert [e.customer_key for e in found] == [
        f"s:{end}",
        f"s:{end}",
        "s:email:513935c4d2db2d2d",
        f"s:{end}",
        f"s:profile:{profiles[4]}",
        f"s:profile:{profiles[5]}",
        "s:profile:Pnobody",
    ]


# -- money -------------------------------------------------------------------------------------


def test_order_value_leaves_out_discounts_gift_cards_and_empty_lines(m: Maker) -> None:
    who = m.customer()
    row = m.order(who, D)
    m.line(row["order_id"], "100.00", quantity=3, discount_amount=Decimal("0.01"))
    m.line(row["order_id"], "500.00", is_gift_card=True)
    m.line(row["order_id"], "70.00", quantity=0)
    m.line(row["order_id"], "5.00", discount_amount=None)
    assert score(m.tables, D)["s", f"s:{who}"]["monetary"] == Decimal("304.99")


def test_refunds_of_merchandise_reduce_value_on_their_own_day(m: Maker) -> None:
    who = m.customer()
    row = m.order(who, YESTERDAY, "100.00", "50.00")
    m.line(row["order_id"], "25.00", is_gift_card=True)
    m.refund(row, m.at(YESTERDAY))  # shipping alone
    m.refund(row, m.at(D), "10.00", "5.00", "25.00")
    assert score(m.tables, YESTERDAY)["s", f"s:{who}"]["monetary"] == 150
    assert score(m.tables, D)["s", f"s:{who}"]["monetary"] == 135


@pytest.mark.parametrize(
    ("columns", "counts"),
    [
        ({"financial_status": " Partially_Refunded "}, True),
        ({"financial_status": "pending"}, False),
        ({"financial_status": "VOIDED"}, False),
        ({"financial_status": None}, False),
        ({"is_test": True}, False),
        ({"is_test": None}, True),
        ({"tags": ["VIP", "ReShip"]}, False),
        ({"tags": ["resend-later"]}, True),
        ({"resend_of_order_id": "1"}, False),
        ({"cancelled_at": datetime(2026, 7, 16, 3, 59, tzinfo=UTC)}, False),  # 23:59 of D
        ({"cancelled_at": datetime(2026, 7, 16, 4, 0, tzinfo=UTC)}, True),  # the day after
        ({"processed_at": None}, True),
        ({"processed_at": datetime(2026, 7, 16, 4, 0, tzinfo=UTC)}, False),
        ({"processed_at": None, "created_at": None}, False),
    ],
)
def test_which_orders_count(m: Maker, columns: dict[str, object], counts: bool) -> None:
    who = m.customer()
    m.order(who, D, "10.00", **columns)
    assert score(m.tables, D)["s", f"s:{who}"]["frequency"] == int(counts)


def test_the_latest_version_of_a_row_wins(m: Maker) -> None:
    who = m.customer()
    row = m.order(who, D, "10.00")
    before = {
        **row,
        "financial_status": "pending",
        "updated_at": row["updated_at"] - timedelta(1),
    }
    m.tables["shopify", "orders"].append(before)
    m.tables["shopify", "orders"].append({**before, "updated_at": None})
    assert score(m.tables, D)["s", f"s:{who}"]["frequency"] == 1


def test_a_returned_unit_is_worth_its_share_of_the_discounted_line() -> None:
    line = {
        "quantity": 3,
        "unit_price_amount": Decimal("33.34"),
        "discount_amount": Decimal("0.02"),
    }
    assert line_value(line) == Decimal("100.00")
    assert returned_value(line, 2) == Fraction(200, 3)
    assert returned_value({**line, "is_gift_card": True}, 2) == 0
    assert returned_value({**line, "quantity": 0}, 2) == 0
    assert returned_value(None, 2) == 0


# -- points ------------------------------------------------------------------------------------


def test_the_whole_card_at_once(m: Maker) -> None:
    """10 bridal + 8 average order + 12 add-on + 6 taste - 2 - 4 - 1 = 29."""
    who = m.customer()
    row = m.order(who, D, "700.01", "0.00", "0.00")
    m.lines_of(row)[0]["offer_kind"] = "thank_you"
    m.send_back(row, m.at(D), " size/fit", "color", "GIFT_RETURN")
    profile_id = m.profile(external_id=who)
    for _ in range(3):
        m.event(profile_id, m.at(D), "Viewed Product", properties='{"Collections": "Bridal"}')
    m.answer(m.at(D), "which finish do you prefer? ", "YELLOW gold", customer_id=who)
    m.answer(m.at(D), "Which style do you prefer?", "Stackable rings", customer_id=who)
    row = score(m.tables, D)["s", f"s:{who}"]
    assert (row["health_score"], row["health_bucket"]) == (29, "high")
    assert row["points_contributions"] == {
        "bridal_views": 10,
        "high_aov": 8,
        "addon_accepted": 12,
        "yellow_gold_stackable": 6,
        "return_size_fit": -2,
        "return_style_mismatch": -4,
        "return_gift": -1,
    }


@pytest.mark.parametrize(
    ("card", "total", "bucket", "floor"),
    [
        ((10, 10), 20, "high", None),
        ((19,), 19, "medium", None),
        ((10,), 10, "medium", None),
        ((9,), 9, "low", None),
        ((), 0, "low", None),
        ((2, -7), 0, "low", 5),
    ],
)
def test_bands_and_the_floor(
    card: tuple[int, ...], total: int, bucket: str, floor: int | None
) -> None:
    rules = tuple(Rule(f"r{i}", "x", "=", Decimal(1), points) for i, points in enumerate(card))
    points, band, parts = health({"x": 1}, PointsCard(rules))
    assert (points, band, parts.get("floor")) == (total, bucket, floor)
    assert sum(parts.values()) == points


def test_rule_operators() -> None:
    def fired(operator: str, threshold: Decimal | str, value: object) -> bool:
        return fires(Rule("r", "s", operator, threshold, 1), value)

    assert fired(">", Decimal(700), Fraction(70001, 100))
    assert not fired(">", Decimal(700), Fraction(700))
    assert fired(">=", Decimal(3), 3)
    assert fired("<=", Decimal(3), 3)
    assert not fired("<", Decimal(3), 3)
    assert fired("!=", Decimal(3), 4)
    assert fired("in", "gold|silver", "silver")
    assert not fired("in", "gold|silver", "old|sil")
    assert not fired("=", "yellow_gold", "Yellow_gold")
    assert not any(fired(op, Decimal(3), None) for op in (">=", "<=", "!=", "="))


@pytest.mark.parametrize(("age", "fires_"), [(0, True), (179, True), (180, False)])
def test_add_ons_and_returns_leave_their_window(m: Maker, age: int, fires_: bool) -> None:
    who = m.customer()
    row = m.order(who, D - timedelta(days=age), "10.00")
    m.lines_of(row)[0]["offer_kind"] = "post_purchase"
    m.send_back(row, m.at(D - timedelta(days=age)), "STYLE", status="open")
    parts = score(m.tables, D)["s", f"s:{who}"]["points_contributions"]
    assert ("addon_accepted" in parts, "return_style_mismatch" in parts) == (fires_, fires_)


def test_a_return_needs_a_status_and_a_counted_order(m: Maker) -> None:
    who = m.customer()
    kept = m.order(who, YESTERDAY, "10.00")
    cancelled = m.order(who, YESTERDAY, "10.00", cancelled_at=m.at(D))
    for status in ("REQUESTED", "DECLINED", "CANCELED", None):
        m.send_back(kept, m.at(D), "STYLE", status=status)
    m.send_back(cancelled, m.at(YESTERDAY), "STYLE", status="OPEN")
    row = score(m.tables, D)["s", f"s:{who}"]
    assert row["signals"]["returns_style_mismatch_180d"] == 0
    assert row["trust_components"]["returns"] == 0
    before = score(m.tables, YESTERDAY)["s", f"s:{who}"]
    assert before["signals"]["returns_style_mismatch_180d"] == 1


@pytest.mark.parametrize(
    ("properties", "bridal"),
    [
        ({"ProductID": "1"}, True),
        ({"ProductID": 1}, True),
        ({"ProductID": "2", "Collections": ["Bridal"]}, False),  # the family knows better
        ({"ProductID": "3", "Collections": ["Gifts", " wedding BANDS "]}, True),  # unknown product
        ({"Collections": "engagement"}, True),
        ({"Collections": "Bridal, Gifts"}, False),
        ({"Collections": []}, False),
        ({}, False),
        (None, False),
    ],
)
def test_what_makes_a_view_bridal(properties: dict[str, object] | None, bridal: bool) -> None:
    families = {("s", "1"): "bridal", ("s", "2"): "fashion"}
    assert is_bridal(properties, "s", families, Config()) is bridal


# -- behaviour ---------------------------------------------------------------------------------


def test_behaviour_adds_decayed_weights_and_never_the_echo(m: Maker) -> None:
    """At D: 1 view + 2 wish + 3 cart at a half + 5 checkout + 10 purchase = 19.5."""
    who = m.customer()
    profile_id = m.profile(external_id=who)
    m.event(profile_id, m.at(D), "Viewed Product")
    m.event(profile_id, m.at(D), "Added to Wishlist")
    m.event(profile_id, m.at(D - timedelta(days=30)), "Added to Cart")
    m.event(profile_id, m.at(D), "Started Checkout")
    m.event(profile_id, m.at(D), "Placed Order")
    m.event(profile_id, m.at(D), "viewed product")
    m.event(profile_id, m.at(D + timedelta(days=1)), "Viewed Product")
    m.order(who, D, "10.00")
    row = score(m.tables, D)["s", f"s:{who}"]
    assert (row["behaviour_score"], row["behaviour_band"]) == (19.5, "at_risk")
    assert row["behaviour_contributions"] == {
        "product_view": 1,
        "wishlist_add": 2,
        "add_to_cart": 1.5,
        "checkout_start": 5,
        "purchase": 10,
    }


@pytest.mark.parametrize(
    ("purchases", "points", "band", "cap"),
    [
        (3, 30, "at_risk", None),
        (4, 40, "engaged", None),
        (8, 80, "vip", None),
        (10, 100, "vip", None),
        (12, 100, "vip", -20),
    ],
)
def test_behaviour_bands_and_cap(
    m: Maker, purchases: int, points: float, band: str, cap: float | None
) -> None:
    who = m.customer()
    for _ in range(purchases):
        m.order(who, D, "10.00")
    row = score(m.tables, D)["s", f"s:{who}"]
    parts = row["behaviour_contributions"]
    assert (row["behaviour_score"], row["behaviour_band"]) == (points, band)
    assert parts.get("cap") == cap
    assert sum(parts.values()) == points


def test_duplicates_of_an_event_leave_the_earliest(m: Maker) -> None:
    late = m.event("P", m.at(D, time(13)), "Viewed Product", unique_id="u")
    tie = m.event("P", m.at(D), "Viewed Product", unique_id="u")
    later_id = m.event("P", m.at(D), "Viewed Product", unique_id="u")
    other_metric = m.event("P", m.at(D, time(13)), "Added to Cart", unique_id="u")
    nameless = [m.event("P", m.at(D), "Viewed Product", unique_id=None) for _ in range(2)]
    kept = deduplicated([late, later_id, tie, other_metric, *nameless])
    assert sorted(e["event_id"] for e in kept) == sorted(
        e["event_id"] for e in (tie, other_metric, *nameless)
    )


# -- trust -------------------------------------------------------------------------------------


def components(*values: float) -> Components:
    return Components(*([v] for v in values), orders=1)


@pytest.mark.parametrize(
    ("values", "points", "rating"),
    [
        ((100, 0, 0, 0), 100, "great"),
        ((100, 50, 0, 0), 75, "good"),
        ((100, 48, 0, 0), 76, "great"),
        ((80, 60, 0, 0), 63, "good"),  # 62.5, half away from zero
        ((100, 99, 0, 0), 51, "good"),  # 50.5
        ((100, 100, 0, 0), 50, "mid"),
        ((100, 100, 49, 0), 26, "mid"),  # 25.5
        ((100, 100, 50, 0), 25, "bad"),
        ((100, 100, 100, 100), 0, "bad"),
        ((100, 10, 20, 30), 70, "good"),
    ],
)
def test_trust_score_and_rating(values: tuple[float, ...], points: int, rating: str) -> None:
    assert rate(components(*values), TrustCard()) == (points, rating)


def test_trust_weights_and_unknown() -> None:
    assert rate(components(100, 10, 20, 30), TrustCard(0.1, 0.9, 0.5)) == (66, "good")
    assert rate(components(0, 0, 0, 0), TrustCard()) == (None, "unknown")
    assert rate(Components(), TrustCard()) == (None, "unknown")


def test_rounding_forgives_the_last_digits_of_doubles() -> None:
    assert [half_away(x) for x in (62.49999999999, 62.5, 62.499999, 0.5, 99.5)] == [
        63,
        63,
        62,
        1,
        100,
    ]


def test_trust_of_a_customer_decays_by_the_age_of_each_fact(m: Maker) -> None:
    """Sold 100 and 360 days ago 400: 100 + 400/4 = 200; returned 50 a half-life ago: 25."""
    who = m.customer()
    old = m.order(who, D - timedelta(days=360), "400.00")
    m.order(who, D, "100.00")
    m.line(old["order_id"], "200.00", is_gift_card=True)
    lines = m.lines_of(old)
    lines[0]["quantity"], lines[0]["unit_price_amount"] = 8, Decimal("50.00")
    m.send_back(old, m.at(D - timedelta(days=180)), "STYLE", "STYLE")
    m.refund(old, m.at(D), "30.00", "200.00")
    again = m.order(
        None,
        D,
        "60.00",
        resend_of_order_id=old["order_id"],
        financial_status="voided",
        cancelled_at=m.at(D),
    )
    m.lines_of(again)[0]["discount_amount"] = Decimal("60.00")
    row = score(m.tables, D)["s", f"s:{who}"]
    assert row["trust_components"] == {
        "processed": 200,
        "returns": 25,
        "refunds": 30,
        "resends": 60,
    }
    # 100 * (200 - 57.5) / 200 = 71.25
    assert (row["trust_score"], row["trust_rating"]) == (71, "good")


@pytest.mark.parametrize(
    ("columns", "counts"),
    [
        ({"tags": ["Replacement"]}, True),
        ({"resend_of_order_id": "unknown"}, False),
        ({"resend_of_order_id": "unknown", "tags": ["resend"]}, False),
        ({"resend_of_order_id": "PARENT"}, True),
        ({"resend_of_order_id": "OPEN"}, False),
        ({"resend_of_order_id": "PARENT", "is_test": True}, False),
        ({"resend_of_order_id": "PARENT", "financial_status": None}, True),
    ],
)
def test_which_resends_count(m: Maker, columns: dict[str, object], counts: bool) -> None:
    who = m.customer()
    m.order(who, YESTERDAY, "100.00", order_id="PARENT")
    m.order(who, YESTERDAY, "100.00", order_id="OPEN", financial_status="pending")
    m.order(who, D, "40.00", **columns)
    row = score(m.tables, D)["s", f"s:{who}"]
    assert row["trust_components"]["resends"] == (40 if counts else 0)
    assert (row["frequency"], row["monetary"]) == (1, 100)


@pytest.mark.parametrize(
    ("country", "postal", "area"),
    [
        (" us ", "10001-1234", ("US", "10001")),
        ("US", " 10001 1234", ("US", "10001")),
        ("ca", "k1a-0b1", ("CA", "K1A0B1")),
        ("JP", "150-0001", ("JP", "1500001")),
        (None, "10001-1234", ("ZZ", "100011234")),
        ("", "1", ("ZZ", "1")),
        ("US", " - ", None),
        ("US", None, None),
    ],
)
def test_postal_codes_in_one_form(
    country: str | None, postal: str | None, area: tuple[str, str] | None
) -> None:
    assert normal_area(country, postal) == area


def test_postal_trust_counts_all_who_live_there(m: Maker) -> None:
    where = {"shipping_country_code": "us", "shipping_postal_code": "10001-7"}
    who = m.customer(default_country_code="US", default_postal_code="10001")
    m.order(None, D, "60.00", **where)
    row = m.order(who, D, "40.00", **where)
    m.send_back(row, m.at(D), "STYLE")
    m.order(who, D, "8.00", resend_of_order_id=row["order_id"])  # no address: its parent's
    area = postal_trust(m.tables, D)["s", "US", "10001"]
    # 100 * (100 - 20 - 4) / 100, against 100 * (40 - 20 - 4) / 40 of the customer alone
    assert (area["trust_score"], area["trust_rating"]) == (76, "great")
    customer = score(m.tables, D)["s", f"s:{who}"]
    assert (customer["trust_score"], customer["trust_rating"]) == (40, "mid")
    assert (customer["postal_trust_score"], customer["postal_trust_rating"]) == (76, "great")


def test_a_customer_lives_where_the_surviving_record_or_the_last_order_says(m: Maker) -> None:
    end = m.customer()
    m.customer(merged_into_customer_id=end, default_postal_code="99999")
    m.order(end, YESTERDAY, "10.00", shipping_country_code="CA", shipping_postal_code="K1A 0B1")
    m.order(end, D, "10.00", shipping_country_code="CA")
    m.order(end, D + timedelta(days=1), "10.00", shipping_postal_code="1")
    row = score(m.tables, D)["s", f"s:{end}"]
    assert row["postal_area"] == ("CA", "K1A0B1")
    m.tables["shopify", "customers"][0]["default_postal_code"] = "77-7"
    assert score(m.tables, D)["s", f"s:{end}"]["postal_area"] == ("ZZ", "777")


# -- RFM ---------------------------------------------------------------------------------------


def test_equal_values_get_equal_scores() -> None:
    values = {"a": 1, "b": 1, "c": 2, "d": 9}
    # strictly worse: 0, 0, 2, 3 of 4
    assert rank_scores(values, 5, low_is_good=False) == {"a": 1, "b": 1, "c": 3, "d": 4}
    # reversed: 2, 2, 1, 0
    assert rank_scores(values, 5, low_is_good=True) == {"a": 3, "b": 3, "c": 2, "d": 1}
    assert rank_scores(values, 3, low_is_good=False) == {"a": 1, "b": 1, "c": 2, "d": 3}
    assert rank_scores({"only": 7}, 5, low_is_good=True) == {"only": 1}
    ten = {str(n): n for n in range(10)}
    assert list(rank_scores(ten, 5, low_is_good=False).values()) == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_rfm_of_buyers_alone_within_their_shop(m: Maker) -> None:
    first, second, third = (m.customer() for _ in range(3))
    m.order(first, D - timedelta(days=10), "100.00")
    m.order(second, D, "50.00")
    m.order(second, D - timedelta(days=50), "50.00")
    other = Maker("t", None, m.days, Random(2))
    other.order(other.customer(), D, "9.00")
    found = score(joined([m.tables, other.tables]), D)

    def numbers(key: str) -> tuple[object, ...]:
        row = found["s", f"s:{key}"]
        columns = ("recency_days", "frequency", "monetary", "r_score", "f_score", "m_score")
        return tuple(row[c] for c in columns)

    # of two buyers the better has one strictly worse: 1 + floor(5 * 1 / 2) = 3
    assert numbers(first) == (10, 1, 100, 1, 1, 1)
    assert numbers(second) == (0, 2, 100, 3, 3, 1)
    assert numbers(third) == (None, 0, 0, None, None, None)
    assert found["s", f"s:{third}"]["rfm_group"] is None


def test_omniconvert_groups_have_the_cells_that_the_rules_give() -> None:
    cells = Counter(group("omniconvert", *cell) for cell in CELLS)
    assert cells == {
        "Soulmates": 1,
        "Lovers": 17,
        "New Passion": 4,
        "Apprentice": 12,
        "Potential Lovers": 16,
        "Flirting": 8,
        "Platonic Friends": 17,
        "About to Dump You": 25,
        "Ex-lovers": 11,
        "Don Juan": 2,
        "Break-ups": 12,
    }


def test_standard_groups_cover_every_cell_once() -> None:
    named = [cell for cells in STANDARD.values() for cell in cells.split()]
    assert len(named) == 125
    assert set(named) == {f"{r}{f}{m}" for r, f, m in CELLS}
    assert group("standard", 1, 5, 5) == "Cannot Lose"
    assert group("standard", 5, 1, 1) == "New"


@pytest.mark.parametrize("preset", ["omniconvert", "standard"])
def test_the_seed_of_groups_is_the_reference_cell_by_cell(preset: str) -> None:
    cells = {
        (int(row["r"]), int(row["f"]), int(row["m"])): row["group"]
        for row in seed_rows("reference/rfm_groups.csv")
        if row["preset"] == preset
    }
    assert cells == {cell: group(preset, *cell) for cell in CELLS}


# -- survey, tiers, who is known ---------------------------------------------------------------


def test_the_latest_answer_wins_and_the_greater_id_breaks_ties(m: Maker) -> None:
    who = m.customer()
    finish = "Which finish does the recipient prefer?"
    m.answer(m.at(YESTERDAY), "Which finish do you prefer?", "Rose gold", customer_id=who)
    m.answer(m.at(D), finish, "Platinum ", customer_id=who, response_id="9")
    m.answer(m.at(D), finish, "White gold", customer_id=who, response_id="10")
    m.answer(m.at(D + timedelta(days=1)), finish, "Yellow gold", customer_id=who)
    row = score(m.tables, D)["s", f"s:{who}"]
    assert (row["finish"], row["product_pref_tag"]) == ("platinum", "platinum")
    assert row["last_survey_response"] == "Platinum"


def test_an_answer_lives_for_365_days(m: Maker) -> None:
    who = m.customer()
    m.answer(m.at(D), "Is this purchase for you or a gift?", "for me", customer_id=who)
    last, after = D + timedelta(days=365), D + timedelta(days=366)
    columns = ("gift_intent", "last_survey_response")
    assert [score(m.tables, last)["s", f"s:{who}"][c] for c in columns] == ["self", "For me"]
    assert [score(m.tables, after)["s", f"s:{who}"][c] for c in columns] == [None, None]


def test_unmapped_words_are_kept_but_free_text_and_silence_are_not(m: Maker) -> None:
    who = m.customer()
    question = "Which finish do you prefer?"
    hours = iter(range(1, 9))

    def said(answer: str | None, value_type: str) -> object:
        moment = m.at(D, time(next(hours)))
        m.answer(moment, question, answer, customer_id=who, value_type=value_type)
        return score(m.tables, D)["s", f"s:{who}"]["last_survey_response"]

    assert said("rose GOLD", "single-choice") == "Rose gold"
    assert said(" Mauve ", "single-choice") == "Mauve"
    assert said("like my grandmother's", "dynamic-response") == "Mauve"
    assert said(" ", "single-choice") == "Mauve"
    assert said(None, "single-choice") == "Mauve"
    assert said("platinum", "dynamic-response") == "Platinum"
    assert score(m.tables, D)["s", f"s:{who}"]["finish"] == "platinum"


def test_answers_without_anybody_are_counted(m: Maker) -> None:
    m.answer(m.at(D), "Which style do you prefer?", "Halo", email=" ")
    m.answer(m.at(D), "Which style do you prefer?", "Halo", email=" Guest@example.com")
    assert known_customers(m.tables, D) == {("s", "s:email:513935c4d2db2d2d")}
    assert unattributed(m.tables, D) == {"s": {"orders": 0, "answers": 1}}


@pytest.mark.parametrize(
    ("spend", "ltv", "loyalty"),
    [
        ("-5.00", "low", "bronze"),
        ("99.99", "low", "bronze"),
        ("100.00", "medium", "bronze"),
        ("499.99", "medium", "bronze"),
        ("500.00", "medium", "silver"),
        ("500.01", "high", "silver"),
        ("1499.99", "high", "silver"),
        ("1500.00", "high", "gold"),
        ("3500.00", "high", "platinum"),
    ],
)
def test_tiers(spend: str, ltv: str, loyalty: str) -> None:
    assert ltv_tier(Decimal(spend)) == ltv
    assert loyalty_tier(1, Decimal(spend), Config()) == loyalty
    assert loyalty_tier(0, Decimal(0), Config()) is None


def test_who_is_known(m: Maker) -> None:
    tomorrow = D + timedelta(days=1)
    always = m.customer()
    today = m.customer(created_at=m.at(D, time(23, 59, 59)))
    m.customer(created_at=m.at(tomorrow, time(0)))
    early_bird = m.customer(created_at=m.at(tomorrow))
    m.order(early_bird, D, "5.00", financial_status="pending")
    end = m.customer(created_at=m.at(tomorrow))
    m.customer(merged_into_customer_id=end, created_at=m.at(D))
    prospect = m.profile(created_at=m.at(D))
    m.profile(created_at=m.at(tomorrow))
    m.event("Punmapped", m.at(D), "Clicked Email")
    m.event("Plater", m.at(tomorrow), "Clicked Email")
    m.event("Pundated", None, "Clicked Email")
    keys = {key for _, key in known_customers(m.tables, D)}
    assert keys == {
        f"s:{always}",
        f"s:{today}",
        f"s:{early_bird}",
        f"s:{end}",
        f"s:profile:{prospect}",
        "s:profile:Punmapped",
    }
    assert {key for _, key in score(m.tables, D)} == keys


def test_each_shop_may_have_its_own_day(m: Maker) -> None:
    m.order(m.customer(), D, "5.00")
    other = Maker("t", None, m.days, Random(2))
    other.order(other.customer(), D, "5.00")
    raw = joined([m.tables, other.tables])
    found = score(raw, {"s": D, "t": YESTERDAY})
    assert [(s, row["frequency"]) for (s, _), row in sorted(found.items())] == [
        ("s", 1),
        ("t", 0),
    ]
    assert {s for s, _ in score(raw, {"s": D})} == {"s"}


def test_the_card_in_force_is_the_latest_that_is_valid(m: Maker) -> None:
    who = m.customer()
    m.order(who, D - timedelta(days=1), "701.00")
    dearer = PointsCard(
        (Rule("aov", "previous_aov", ">", Decimal(700), 25),), version=2, valid_from=D
    )
    config = Config(points=(dearer, default_points_card()))
    before, after = (
        score(m.tables, day, config)["s", f"s:{who}"] for day in (D - timedelta(days=1), D)
    )
    assert (before["health_score"], before["scorecard_version"]) == (8, 1)
    assert (after["health_score"], after["scorecard_version"]) == (25, 2)
    later = BehaviourCard({"purchase": 1}, valid_from=D)
    assert version_on((default_behaviour_card(), later), D).weights == {"purchase": 1}


# -- signals -----------------------------------------------------------------------------------


def ago(days: int) -> date:
    return D - timedelta(days=days)


def signals_of(m: Maker, who: str, day: date = D, config: Config | None = None) -> dict[str, Any]:
    found: dict[str, Any] = score(m.tables, day, config)["s", f"s:{who}"]["signals"]
    return found


def profile_of(m: Maker, who: str) -> str:
    return m.profile(external_id=who)


def email_of(who: str) -> str:
    return f" C{who}@EXAMPLE.com"


EVENT_COUNTS = {
    "bridal_views_30d",
    "collection_visits_30d",
    "product_views_30d",
    "comparison_clicks_30d",
    "shop_app_taps_30d",
    "wishlist_adds_30d",
    "coupons_applied_30d",
    "products_viewed_30d",
    "carts_abandoned_30d",
    "checkouts_abandoned_30d",
    "product_views_without_order_30d",
    "support_doc_views_90d",
}
ORDER_COUNTS = {
    "orders_365d",
    "orders_lifetime",
    "net_spend",
    "addon_accepted_180d",
    "returns_size_fit_180d",
    "returns_style_mismatch_180d",
    "returns_gift_180d",
}
ALWAYS = {"behaviour_score", "trust_rating"}
FILE_COUNTS = {
    "addon_offered_180d",
    "warranty_refused_365d",
    "support_contacts_90d",
    "open_tickets",
    "reviews_365d",
    "referrals_365d",
    "community_events_365d",
}
SIGNALS = (EVENT_COUNTS | ORDER_COUNTS | FILE_COUNTS | ALWAYS) | {
    *("add_to_cart_rate_30d", "median_seconds_on_product_30d", "email_click_rate_90d"),
    *("previous_aov", "aov_band", "days_since_last_order", "days_since_first_order"),
    *("days_between_orders", "days_past_usual_gap", "last_payment_method"),
    *("acquisition_source", "acquisition_offer", "seasonal_order_share"),
    *("return_value_share_365d", "days_to_first_order_anniversary", "days_to_birthday"),
    *("loyalty_points", "last_nps", "last_csat", "last_ces", "addon_likelihood"),
    *("gift_intent", "finish", "style", "product_pref_tag"),
    *("rfm_group", "loyalty_tier", "trust_score", "postal_trust_score"),
}


@pytest.mark.parametrize(
    ("table", "columns", "dated", "counts"),
    [
        ("klaviyo.events", {"event_id": "1", "profile_id": None}, "occurred_at", EVENT_COUNTS),
        ("shopify.orders", {"order_id": "1", "is_test": True}, "created_at", ORDER_COUNTS),
        ("zigpoll.responses", {"response_id": "1"}, "created_at", set()),
        (
            "files.tickets",
            {"ticket_id": "1"},
            "created_at",
            {"support_contacts_90d", "open_tickets"},
        ),
        ("files.reviews", {"review_id": "1"}, "created_at", {"reviews_365d"}),
        (
            "files.recommendations",
            {"exposure_id": "1"},
            "shown_at",
            {"addon_offered_180d", "warranty_refused_365d"},
        ),
        (
            "files.community",
            {"email": "x@example.com"},
            "event_at",
            {"referrals_365d", "community_events_365d"},
        ),
        ("files.loyalty", {"email": "x@example.com"}, "event_at", set()),
    ],
)
def test_counts_are_nought_from_the_day_their_source_is_connected(
    m: Maker, table: str, columns: dict[str, object], dated: str, counts: set[str]
) -> None:
    """One row that is nobody's connects its source, and no other, from its shop day on."""
    who = m.customer()
    row = m.add(table, **columns, **{dated: m.at(D, time(0))})
    assert set(signals_of(m, who)) == counts | ALWAYS
    assert {signals_of(m, who)[name] for name in counts} <= {0}
    assert set(signals_of(m, who, YESTERDAY)) == ALWAYS
    row[dated] = None if table not in ("files.community", "files.loyalty") else m.at(ago(-1))
    assert set(signals_of(m, who)) == ALWAYS
    row.update({dated: m.at(D), "shop_id": "other"})
    assert set(signals_of(m, who)) == ALWAYS


@pytest.mark.parametrize(
    ("metric", "signal", "days"),
    [
        ("Viewed Product", "product_views_30d", 30),
        ("Viewed Product", "bridal_views_30d", 30),
        ("Viewed Product", "collection_visits_30d", 30),
        ("Viewed Product", "product_views_without_order_30d", 30),
        ("Compared Products", "comparison_clicks_30d", 30),
        ("Opened Shop App", "shop_app_taps_30d", 30),
        ("Added to Wishlist", "wishlist_adds_30d", 30),
        ("Applied Coupon", "coupons_applied_30d", 30),
        ("Added to Cart", "carts_abandoned_30d", 30),
        ("Started Checkout", "checkouts_abandoned_30d", 30),
        ("Checkout Started", "checkouts_abandoned_30d", 30),
        ("Viewed Support Article", "support_doc_views_90d", 90),
    ],
)
def test_events_count_within_their_window(m: Maker, metric: str, signal: str, days: int) -> None:
    who = m.customer()
    viewer = profile_of(m, who)
    for age, clock in ((days - 1, time(0)), (days, time(23, 59, 59)), (-1, time(0))):
        m.event(viewer, m.ago(D, age, clock), metric, properties={"Collections": "Bridal"})
    assert signals_of(m, who)[signal] == 1


def test_products_visits_rates_and_mails(m: Maker) -> None:
    who = m.customer()
    viewer = profile_of(m, who)
    for age, product_id in ((0, "7"), (0, 7), (0, " 7 "), (0, ""), (0, None), (1, "8")):
        seen = {"ProductID": product_id, "Collections": ["Bridal"]}
        m.event(viewer, m.ago(D, age), "Viewed Product", properties=seen)
    assert "email_click_rate_90d" not in signals_of(m, who)
    m.event(viewer, m.at(D), "Added to Cart", properties={"ProductID": "9"})
    for metric, ages in {"Received Email": (0, 89, 90), "Clicked Email": (0, 1, 2, 90)}.items():
        for age in ages:
            m.event(viewer, m.ago(D, age), metric)
    m.event(viewer, m.at(D), "Opened Email")
    found = signals_of(m, who)
    assert found["products_viewed_30d"] == 2
    assert found["bridal_views_30d"] == 6
    assert found["collection_visits_30d"] == 2
    assert found["add_to_cart_rate_30d"] == Fraction(1, 6)
    assert found["email_click_rate_90d"] == Fraction(3, 2)
    carter = m.customer()
    m.event(profile_of(m, carter), m.at(D), "Added to Cart")
    assert "add_to_cart_rate_30d" not in signals_of(m, carter)


@pytest.mark.parametrize(
    ("seconds", "middle"),
    [
        ([10], 10),
        ([30, "10", 20.5], 20.5),
        ([1, 2, "100", 5], 3.5),
        ([0, " 7 "], 3.5),
        (["2.5e1"], 25),
        ([-1, "-2", "long", "", None, True, [3], "NaN", "inf"], None),
    ],
)
def test_median_seconds(m: Maker, seconds: list[object], middle: float | None) -> None:
    who = m.customer()
    viewer = profile_of(m, who)
    for value in seconds:
        m.event(viewer, m.at(D), "Viewed Product", properties={"Seconds": value})
    m.event(viewer, m.at(D), "Viewed Product", properties={})
    m.event(viewer, m.at(D), "Added to Cart", properties={"Seconds": 999})
    m.event(viewer, m.ago(D, 30), "Viewed Product", properties={"Seconds": 999})
    assert signals_of(m, who).get("median_seconds_on_product_30d") == middle


@pytest.mark.parametrize(
    ("carts", "orders", "abandoned"),
    [
        ([1, 1], [], 1),  # days, not events
        ([2, 1], [], 2),
        ([0], [], 0),  # today's may still be bought
        ([5], [5], 0),
        ([5], [4], 0),
        ([5], [3], 1),
        ([5], [6], 1),
        ([1], [0], 0),
        ([29, 30], [], 1),
    ],
)
@pytest.mark.parametrize("metric", ["Added to Cart", "Checkout Started"])
def test_carts_and_checkouts_abandoned(
    m: Maker, metric: str, carts: list[int], orders: list[int], abandoned: int
) -> None:
    who = m.customer()
    viewer = profile_of(m, who)
    for age in carts:
        m.event(viewer, m.ago(D, age), metric)
    for age in orders:
        m.order(who, ago(age), "10.00")
        m.order(m.customer(), ago(1), "10.00")  # somebody else's
    m.order(who, ago(carts[0]), "10.00", cancelled_at=m.at(D))
    kind = "carts" if metric == "Added to Cart" else "checkouts"
    assert signals_of(m, who)[f"{kind}_abandoned_30d"] == abandoned


@pytest.mark.parametrize(("age", "views"), [(0, 0), (29, 0), (30, 1)])
def test_views_without_an_order(m: Maker, age: int, views: int) -> None:
    who = m.customer()
    m.event(profile_of(m, who), m.at(D), "Viewed Product")
    m.order(who, ago(age), "10.00")
    m.order(who, D, "10.00", financial_status="pending")
    assert signals_of(m, who)["product_views_without_order_30d"] == views


def test_orders_in_time(m: Maker) -> None:
    """Orders 400, 40 and 40 days ago, of 300, 100 and 50: 360 days in two gaps."""
    who, once = m.customer(), m.customer()
    for age, price in ((400, "300.00"), (40, "100.00"), (40, "50.00")):
        order = m.order(who, ago(age), price)
    m.refund(order, m.at(D), "20.00")
    m.order(once, ago(364), "10.00")
    m.order(m.customer(), ago(365), "10.00")
    found = signals_of(m, who)
    names = ("orders_365d", "orders_lifetime", "net_spend", "previous_aov", "aov_band")
    assert [found[n] for n in names] == [2, 3, 430, 150, "150_to_349"]
    assert (found["days_since_first_order"], found["days_since_last_order"]) == (400, 40)
    assert (found["days_between_orders"], found["days_past_usual_gap"]) == (180, -140)
    lone = signals_of(m, once)
    assert (lone["orders_365d"], lone["orders_lifetime"]) == (1, 1)
    assert not {"days_between_orders", "days_past_usual_gap"} & set(lone)
    never = signals_of(m, m.customer())
    assert (never["orders_lifetime"], never["net_spend"]) == (0, 0)
    assert set(never) == ORDER_COUNTS | ALWAYS


@pytest.mark.parametrize(
    ("average", "band"),
    [
        ("0.00", "below_150"),
        ("149.99", "below_150"),
        ("150.00", "150_to_349"),
        ("349.99", "150_to_349"),
        ("350.00", "350_to_699"),
        ("699.99", "350_to_699"),
        ("700.00", "700_and_more"),
    ],
)
def test_bands_of_the_average_order(m: Maker, average: str, band: str) -> None:
    who = m.customer()
    m.order(who, D, average)
    assert signals_of(m, who)["aov_band"] == band


@pytest.mark.parametrize(
    ("gateways", "method"),
    [
        (None, None),
        ([], None),
        (["", " "], None),
        (["shopify_payments"], "full_pay"),
        (["", "manual"], "full_pay"),
        (["manual", " KLARNA "], "financing"),
        (["Shop Pay Installments"], "financing"),
        (["klarna bank"], "full_pay"),
    ],
)
def test_payment_method(m: Maker, gateways: list[str] | None, method: str | None) -> None:
    who = m.customer()
    m.order(who, YESTERDAY, "10.00", payment_gateways=["zip"])
    m.order(who, D, "10.00", payment_gateways=gateways)
    m.order(who, D, "10.00", clock=time(13), payment_gateways=["zip"], is_test=True)
    assert signals_of(m, who).get("last_payment_method") == method


def test_the_first_and_the_last_order_of_one_moment_go_by_id_as_text(m: Maker) -> None:
    who = m.customer()
    for order_id, source, gateway in (("9", "radio", "zip"), ("10", " Fair ", "cash")):
        m.order(
            who,
            D,
            "10.00",
            order_id=order_id,
            acquisition_source=source,
            payment_gateways=[gateway],
        )
    found = signals_of(m, who)
    assert (found["acquisition_source"], found["last_payment_method"]) == ("Fair", "financing")


@pytest.mark.parametrize(
    ("columns", "offer"),
    [
        ({}, "full_price"),
        ({"discount_codes": ["", " "], "discount_amount": Decimal("0.00")}, "full_price"),
        ({"discount_codes": ["", "HELLO"]}, "discount"),
        ({"discount_amount": Decimal("0.01")}, "discount"),
    ],
)
def test_acquisition_goes_by_the_first_counted_order(
    m: Maker, columns: dict[str, object], offer: str
) -> None:
    who = m.customer()
    m.order(who, ago(9), "10.00", discount_codes=["X"], acquisition_source="x", is_test=True)
    m.order(who, ago(8), "10.00", **columns)
    m.order(who, D, "10.00", discount_codes=["LATER"], acquisition_source="later")
    found = signals_of(m, who)
    assert found["acquisition_offer"] == offer
    assert "acquisition_source" not in found


@pytest.mark.parametrize(
    ("month_day", "seasonal"),
    [
        ("11-14", False),
        ("11-15", True),
        ("12-31", True),
        ("01-01", False),
        ("01-24", False),
        ("01-25", True),
        ("02-14", True),
        ("02-15", False),
        ("04-24", False),
        ("04-25", True),
        ("05-14", True),
        ("05-15", False),
    ],
)
def test_seasons(month_day: str, seasonal: bool) -> None:
    assert in_season(date.fromisoformat(f"2025-{month_day}"), Config().seasons) is seasonal


def test_a_season_may_span_the_new_year(m: Maker) -> None:
    winter = {"winter": ("12-20", "01-06")}
    days = [date(2025, 12, 19), date(2025, 12, 20), date(2026, 1, 6), date(2026, 1, 7)]
    assert [in_season(day, winter) for day in days] == [False, True, True, False]
    who = m.customer()
    for day in days[:3]:
        m.order(who, day, "10.00", clock=time(23, 59, 59))
    assert signals_of(m, who)["seasonal_order_share"] == 1 - Fraction(1, 3)
    assert signals_of(m, who, config=Config(seasons=winter))["seasonal_order_share"] == Fraction(
        2, 3
    )


@pytest.mark.parametrize(
    ("first", "as_of", "days"),
    [
        ("2025-07-15", "2026-07-15", 0),
        ("2025-07-16", "2026-07-15", 1),
        ("2025-07-14", "2026-07-15", 364),
        ("2026-07-15", "2026-07-15", 0),
        ("2024-02-29", "2026-02-28", 1),
        ("2024-02-29", "2026-03-01", 0),
        ("2024-02-29", "2028-02-28", 1),
        ("2024-02-29", "2028-02-29", 0),
        ("2024-02-29", "2028-03-01", 365),
        ("2023-12-31", "2024-01-01", 365),
        ("2023-02-28", "2023-03-01", 364),
    ],
)
def test_anniversaries_and_birthdays(m: Maker, first: str, as_of: str, days: int) -> None:
    start, day = date.fromisoformat(first), date.fromisoformat(as_of)
    assert days_to_anniversary(start, day) == days
    who = m.customer(birth_date=start)
    m.order(who, start, "10.00")
    found = signals_of(m, who, day)
    assert (found["days_to_first_order_anniversary"], found["days_to_birthday"]) == (days, days)


def test_the_surviving_account_alone_has_a_birthday(m: Maker) -> None:
    end = m.customer(birth_date=ago(-1))
    m.customer(birth_date=date(1990, 1, 1), merged_into_customer_id=end)
    assert "days_to_birthday" not in signals_of(m, end)
    assert signals_of(m, end, ago(-1))["days_to_birthday"] == 0


def test_value_returned_over_value_ordered_in_a_year(m: Maker) -> None:
    """Ordered 80 and 20; returned 30 of an older order, 365 days ago another 30."""
    who, older = m.customer(), m.customer()
    old = m.order(who, ago(365), "30.00", "30.00")
    m.order(who, ago(364), "80.00")
    m.order(who, D, "20.00")
    m.send_back(old, m.ago(D, 364), "STYLE")
    m.send_back(old, m.ago(D, 365), "STYLE", "STYLE")
    m.send_back(old, m.ago(D, -1), "STYLE")
    m.send_back(old, m.at(D), "STYLE", status="REQUESTED")
    assert signals_of(m, who)["return_value_share_365d"] == Fraction(30, 100)
    m.send_back(m.order(older, ago(365), "30.00"), m.at(D), "STYLE")
    assert "return_value_share_365d" not in signals_of(m, older)


@pytest.mark.parametrize(
    ("surface", "age", "accepted_age", "offered", "refused"),
    [
        ("post_purchase", 179, None, 1, 0),
        (" Thank_You ", 0, 0, 1, 0),
        ("thank_you", 180, None, 0, 0),
        ("pdp", 0, None, 0, 0),
        (None, 0, None, 0, 0),
        (" WARRANTY", 364, None, 0, 1),
        ("warranty", 365, None, 0, 0),
        ("warranty", 3, 0, 0, 0),
        ("warranty", 3, -1, 0, 1),
        ("warranty", -1, None, 0, 0),
    ],
)
def test_offers(
    m: Maker, surface: str | None, age: int, accepted_age: int | None, offered: int, refused: int
) -> None:
    who, other = m.customer(), m.customer()
    accepted = None if accepted_age is None else m.ago(D, accepted_age)
    m.exposure(surface, m.ago(D, age), email=email_of(who), accepted_at=accepted)
    m.exposure("pdp", m.at(D))
    m.exposure("thank_you", m.at(D), customer_id=other, email=email_of(who))
    m.exposure("warranty", m.at(D), customer_id=other, email=email_of(who))
    found = signals_of(m, who)
    assert (found["addon_offered_180d"], found["warranty_refused_365d"]) == (offered, refused)


def test_tickets(m: Maker) -> None:
    """Contacts 3 + 1 + 0 of the window; open: closed tomorrow, and never."""
    who = m.customer()
    email = email_of(who)
    m.ticket(email, m.ago(D, 89), contacts=3, closed_at=m.at(D, time(23, 59, 59)))
    m.ticket(email, m.ago(D, 90), contacts=50, closed_at=m.ago(D, -1, time(0)))
    m.ticket(email, m.at(D), contacts=None)
    m.ticket(email, m.at(D), contacts=0, closed_at=m.at(D))
    m.ticket(email, m.ago(D, -1, time(0)), contacts=50)
    m.ticket(email, None, contacts=50)
    m.ticket(None, m.at(D), contacts=50)
    found = signals_of(m, who)
    assert (found["support_contacts_90d"], found["open_tickets"]) == (4, 2)
    assert signals_of(m, who, YESTERDAY)["open_tickets"] == 2


def test_loyalty_points(m: Maker) -> None:
    """100 - 30 - 20 - 5 at D; the enrolment alone is a nought, no event is nothing."""
    who, enrolled, never = m.customer(), m.customer(), m.customer()
    email = email_of(who)
    m.loyalty(email, m.ago(D, 999), "earn", 100)
    m.loyalty(email, m.at(D, time(8)), " Redeem", 30)
    m.loyalty(email, m.at(D, time(9)), "redeem", -20)
    m.loyalty(email, m.at(D, time(10)), "earn", -5)
    m.loyalty(email, m.at(D, time(11)), "redeem", None)
    m.loyalty(email, m.ago(D, -1), "earn", 7)
    m.loyalty(email_of(enrolled), m.at(D), "enrol", None)
    assert signals_of(m, who)["loyalty_points"] == 45
    assert signals_of(m, enrolled)["loyalty_points"] == 0
    assert "loyalty_points" not in signals_of(m, enrolled, YESTERDAY)
    assert "loyalty_points" not in signals_of(m, never)


def test_reviews_and_community(m: Maker) -> None:
    who = m.customer()
    for age in (-1, 0, 364, 365):
        m.review(email_of(who), m.ago(D, age))
        m.community(email_of(who), m.ago(D, age), " Referral ")
        m.community(email_of(who), m.ago(D, age), None)
    found = signals_of(m, who)
    names = ("reviews_365d", "referrals_365d", "community_events_365d")
    assert [found[n] for n in names] == [2, 2, 4]


def test_a_later_load_of_a_row_of_files_wins(m: Maker) -> None:
    who = m.customer()
    plain, shouted = f"c{who}@example.com", email_of(who)
    was, now = m.at(D), m.at(D, time(13))
    moment = m.ago(D, 3)
    for email, loaded, points in ((shouted, now, 5), (plain, was, 70)):
        row = {"email": email, "event_at": moment, "kind": "earn", "points": points}
        m.add("files.loyalty", **row, _loaded_at=loaded)
        m.add("files.community", email=email, event_at=moment, kind="post", _loaded_at=loaded)
    m.review("stranger@example.com", moment, review_id="1", _loaded_at=now)
    m.review(plain, moment, review_id="1", _loaded_at=was)
    m.ticket(plain, moment, ticket_id="1", closed_at=moment, _loaded_at=now)
    m.ticket(plain, moment, ticket_id="1", _loaded_at=was)
    found = signals_of(m, who)
    names = ("loyalty_points", "community_events_365d", "reviews_365d", "open_tickets")
    assert [found[n] for n in names] == [5, 1, 0, 0]


def test_nothing_in_a_file_makes_somebody_known(m: Maker) -> None:
    m.ticket("a@example.com", m.at(D))
    m.review("b@example.com", m.at(D))
    m.loyalty("c@example.com", m.at(D), "earn", 1)
    m.community("d@example.com", m.at(D), "post")
    m.exposure("pdp", m.at(D), customer_id="77")
    assert known_customers(m.tables, D) == set()


NPS = "How likely are you to recommend us to a friend?"


@pytest.mark.parametrize(
    ("question", "value_type", "answer", "signal", "value"),
    [
        (f" {NPS.upper()} ", None, " 9 ", "last_nps", 9),
        (NPS, "csat", "0", "last_nps", 0),
        ("Anything?", " NPS", "7.5", "last_nps", 7.5),
        (None, "nps", "10", "last_nps", 10),
        (NPS, "nps", "11", "last_nps", None),
        (NPS, "nps", "-1", "last_nps", None),
        (NPS, "nps", "nine", "last_nps", None),
        (NPS, "nps", "NaN", "last_nps", None),
        (NPS, "nps", None, "last_nps", None),
        ("csat", "nps", "7", "last_nps", None),  # the question goes first
        ("csat", "nps", "7", "last_csat", None),
        ("How satisfied are you with your purchase?", None, "1", "last_csat", 1),
        ("How satisfied are you with your purchase?", None, "0", "last_csat", None),
        ("How easy was it to find the right piece?", None, "5", "last_ces", 5),
        ("ces", None, "5.01", "last_ces", None),
    ],
)
def test_marks(
    m: Maker,
    question: str | None,
    value_type: str | None,
    answer: str | None,
    signal: str,
    value: float | None,
) -> None:
    who = m.customer()
    m.answer(m.at(D), question, answer, value_type=value_type, email=email_of(who))
    assert signals_of(m, who).get(signal) == value


def test_the_latest_mark_counts_for_365_days(m: Maker) -> None:
    who = m.customer()
    m.answer(m.at(D), NPS, "9", customer_id=who, response_id="9")
    m.answer(m.at(D), NPS, "1", customer_id=who, response_id="10")
    m.answer(m.at(D, time(11)), NPS, "2", customer_id=who, response_id="99")
    m.answer(m.at(D, time(13)), NPS, "12", customer_id=who)
    assert signals_of(m, who)["last_nps"] == 9
    assert "last_nps" not in signals_of(m, who, YESTERDAY)
    assert signals_of(m, who, D + timedelta(days=365))["last_nps"] == 9
    assert "last_nps" not in signals_of(m, who, D + timedelta(days=366))


@pytest.mark.parametrize(
    ("created", "closed", "csat", "value"),
    [
        ((YESTERDAY, 9), (D, 13), 5, 5),  # closed after the answer
        ((YESTERDAY, 9), (D, 12), 5, 5),  # at the same moment: the greater id
        ((YESTERDAY, 9), (D, 11), 5, 2),
        ((D, 13), None, 5, 5),
        ((YESTERDAY, 9), (D + timedelta(days=1), 0), 5, 2),  # not rated yet
        ((YESTERDAY, 9), (D, 13), 0, 2),
        ((YESTERDAY, 9), (D, 13), 6, 2),
        ((YESTERDAY, 9), (D, 13), None, 2),
        (None, (D, 13), 5, 5),
    ],
)
def test_tickets_give_marks_too(
    m: Maker, created: Any, closed: Any, csat: int | None, value: float
) -> None:
    def moment(at: Any) -> Any:
        return None if at is None else m.at(at[0], time(at[1]))

    who = m.customer()
    m.answer(m.at(D), "csat", "2", customer_id=who)
    m.ticket(email_of(who), moment(created), closed_at=moment(closed), csat=csat)
    assert signals_of(m, who)["last_csat"] == value
    assert signals_of(m, who, D + timedelta(days=367)).get("last_csat") is None


def test_what_was_stated_and_derived_are_signals(m: Maker) -> None:
    who = m.customer(default_country_code="US", default_postal_code="10001")
    m.order(who, D, "600.00", shipping_country_code="US", shipping_postal_code="10001")
    question = "How likely are you to add a matching piece in the next 7 days?"
    m.answer(m.at(D), question, "4", customer_id=who)
    m.answer(m.at(D), "Which finish do you prefer?", "Rose gold", customer_id=who)
    m.answer(m.at(D), "Is this purchase for you or a gift?", "unsure", customer_id=who)
    found = signals_of(m, who)
    names = ("addon_likelihood", "finish", "product_pref_tag", "gift_intent", "loyalty_tier")
    assert [found[n] for n in names] == [4, "rose_gold", "rose_gold", "unsure", "silver"]
    names = ("behaviour_score", "trust_score", "trust_rating", "postal_trust_score", "rfm_group")
    assert [found[n] for n in names] == [10, 100, "great", 100, "Break-ups"]
    assert "style" not in found


# -- segments and audit ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prices", "age", "names"),
    [
        (["10.00"], 60, {"new"}),
        (["10.00"], 61, set()),
        (["10.00"] * 2, 60, set()),
        (["10.00"] * 3, 365, {"loyal"}),
        (["10.00"] * 3, 366, set()),
        (["1500.00"], 61, set()),
        (["1500.01"], 61, {"high_value"}),
        ([], 0, set()),
    ],
)
def test_segments(m: Maker, prices: list[str], age: int, names: set[str]) -> None:
    who = m.customer()
    for price in prices:
        m.order(who, ago(age), price)
    m.order(m.customer(), D, "1.00")
    assert score(m.tables, D)["s", f"s:{who}"]["segments"] == names


def test_segments_of_add_ons_and_seasons(m: Maker) -> None:
    rich, edge, merry, once = (m.customer() for _ in range(4))
    for who, price in ((rich, "700.01"), (edge, "700.00")):
        m.lines_of(m.order(who, D, price))[0]["offer_kind"] = "post_purchase"
    for day in (date(2025, 11, 15), date(2026, 2, 14)):
        m.order(merry, day, "1.00")
    m.order(once, date(2026, 2, 14), "1.00")
    found = score(m.tables, D)
    segments = [found["s", f"s:{who}"]["segments"] for who in (rich, edge, merry, once)]
    assert segments == [{"high_health", "new"}, {"new"}, {"seasonal"}, set()]


@pytest.mark.parametrize(
    ("views", "stated", "row"),
    [
        ({"1": 4, "5": 9, "404": 9}, "Yellow gold", None),
        ({"1": 3, "2": 2}, "Yellow gold", ("yellow_gold", 3, 3, 5, False)),
        ({"1": 2, "2": 3}, "Yellow gold", ("platinum", 3, 2, 5, True)),
        ({"1": 3, "2": 3}, "Yellow gold", ("yellow_gold", 3, 3, 6, False)),
        ({"2": 3, "3": 3}, "Yellow gold", ("platinum", 3, 0, 6, True)),
        ({"2": 3, "3": 2, "4": 1}, "Rose gold", ("rose_gold", 3, 3, 6, False)),
        ({"1": 9}, None, None),
    ],
)
def test_preference_audit(
    m: Maker, views: dict[str, int], stated: str | None, row: tuple[object, ...] | None
) -> None:
    """Products: yellow gold (a platinum ring, finished), platinum, rose gold twice, no colour."""
    for product_id, metal, finish in (
        ("1", "Platinum", " Yellow Gold "),
        ("2", " PLATINUM", None),
        ("3", "rose gold", ""),
        ("4", None, "Rose_Gold"),
        ("5", " ", None),
    ):
        m.add("shopify.products", product_id=product_id, metal=metal, finish=finish)
    who = m.customer()
    viewer = profile_of(m, who)
    for product_id, times in views.items():
        for n in range(times):
            age = 89 if n == 0 else 0
            m.event(viewer, m.ago(D, age), "Viewed Product", properties={"ProductID": product_id})
    m.event(viewer, m.ago(D, 90), "Viewed Product", properties={"ProductID": "2"})
    m.event(viewer, m.at(D), "Added to Cart", properties={"ProductID": "2"})
    if stated:
        m.answer(m.at(D), "Which finish do you prefer?", stated, customer_id=who)
    audit = score(m.tables, D)["s", f"s:{who}"]["preference_audit"]
    names = ("viewed_finish", "viewed_views", "stated_views", "total_views", "contradicts")
    assert (audit and tuple(audit[n] for n in names)) == row
    if audit:
        assert audit["stated_finish"] == fold(stated).replace(" ", "_")


# -- the seeds say what the definitions say ----------------------------------------------------


def test_the_seeded_cards_are_the_default_cards() -> None:
    rules = {
        (r["rule_id"], r["signal"], r["operator"], r["threshold"], int(r["points"]))
        for r in seed_rows("scorecards/scorecard_rules.csv")
        if r["scorecard_id"] == "jewelry_points" and r["version"] == "1"
    }
    assert rules == {
        (r.rule_id, r.signal, r.operator, str(r.threshold), r.points)
        for r in default_points_card().rules
    }
    weights = {
        r["event_type"]: (float(r["weight"]), float(r["half_life_days"]))
        for r in seed_rows("scorecards/event_weights.csv")
        if r["version"] == "1"
    }
    card = default_behaviour_card()
    assert weights == {e: (w, card.half_life_days) for e, w in card.weights.items()}


def test_the_seeded_maps_hold_every_default() -> None:
    config = Config()
    statuses = {
        fold(r["financial_status"])
        for r in seed_rows("reference/order_status_map.csv")
        if r["order_state"] == "processed"
    }
    assert statuses == config.processed_statuses
    reasons = {
        fold(r["return_reason"]): r["reason_group"]
        for r in seed_rows("reference/return_reason_map.csv")
    }
    assert config.return_reasons.items() <= reasons.items()
    metrics = {
        r["metric_name"]: r["event_type"] for r in seed_rows("reference/event_metric_map.csv")
    }
    assert metrics.pop("Placed Order") == "none"
    assert config.metrics.items() <= metrics.items()
    families = {
        fold(r["collection"]): fold(r["family"])
        for r in seed_rows("reference/collection_families.csv")
    }
    assert config.collection_families.items() <= families.items()
    answers = {
        (fold(r["question"]), fold(r["answer"])): (r["attribute"], r["value"], r["answer"])
        for r in seed_rows("reference/survey_answer_map.csv")
    }
    assert config.answers.items() <= answers.items()


def test_the_seeded_bands_seasons_measures_and_segments_are_the_defaults() -> None:
    config = Config()
    bands = {r["band"]: Decimal(r["min_aov"]) for r in seed_rows("reference/aov_bands.csv")}
    assert bands == dict(config.aov_bands)
    methods = {
        fold(r["gateway"]): r["payment_method"]
        for r in seed_rows("reference/payment_method_map.csv")
    }
    assert {g for g, method in methods.items() if method == "financing"} == config.financing
    seasons = {
        r["season"]: (r["first_month_day"], r["last_month_day"])
        for r in seed_rows("reference/seasons.csv")
    }
    assert seasons == config.seasons
    measures = {
        fold(r["asked_as"]): (r["measure"], int(r["least"]), int(r["most"]))
        for r in seed_rows("reference/survey_measures.csv")
    }
    assert measures == config.measures
    segments = Counter(
        (r["segment"], r["signal"], r["operator"], Decimal(r["threshold"]))
        for r in seed_rows("reference/segment_rules.csv")
    )
    assert segments == Counter(
        (segment, rule.signal, rule.operator, rule.threshold)
        for segment, rules in config.segments.items()
        for rule in rules
    )


# -- random shops ------------------------------------------------------------------------------


@given(made=shops())
@settings(max_examples=15, deadline=None, derandomize=True)
def test_contributions_add_up_and_scores_keep_their_range(made: RandomShops) -> None:
    world = World.of(made.raw)
    for day in made.days:
        rows = world.score(day)
        assert set(rows) == world.known(day)
        for row in rows.values():
            assert sum(row["points_contributions"].values()) == row["health_score"] >= 0
            parts = sum(row["behaviour_contributions"].values())
            assert isclose(parts, row["behaviour_score"], rel_tol=1e-12, abs_tol=1e-12)
            assert 0 <= row["behaviour_score"] <= 100
            assert (row["trust_score"] is None) == (row["trust_rating"] == "unknown")
            assert row["trust_score"] is None or 0 <= row["trust_score"] <= 100
            assert (row["rfm_group"] is None) == (row["frequency"] == 0)


@given(made=shops(30))
@settings(max_examples=8, deadline=None, derandomize=True)
def test_the_order_of_rows_decides_nothing(made: RandomShops) -> None:
    rng = Random(made.seed)
    mixed = {name: rng.sample(rows, len(rows)) for name, rows in made.raw.items()}
    day = made.days[1]
    assert World.of(mixed).score(day) == World.of(made.raw).score(day)
    assert World.of(mixed).postal_trust(day) == World.of(made.raw).postal_trust(day)


@given(made=shops(30))
@settings(max_examples=8, deadline=None, derandomize=True)
def test_what_happens_after_a_day_does_not_change_it(made: RandomShops) -> None:
    """Facts of later days are dropped; latest statuses and identities stay as they are."""
    day = made.days[0]
    clock = Clock.of(made.raw)
    dated = {
        ("klaviyo", "events"): "occurred_at",
        ("zigpoll", "responses"): "created_at",
        ("shopify", "refunds"): "created_at",
        ("shopify", "returns"): "created_at",
        ("files", "tickets"): "created_at",
        ("files", "reviews"): "created_at",
        ("files", "recommendations"): "shown_at",
        ("files", "loyalty"): "event_at",
        ("files", "community"): "event_at",
    }
    past = dict(made.raw)
    for name, column in dated.items():
        past[name] = [
            row
            for row in made.raw[name]
            if row[column] is None or clock.day(row["shop_id"], row[column]) <= day
        ]
        assert len(past[name]) < len(made.raw[name])
    assert World.of(past).score(day) == World.of(made.raw).score(day)


@pytest.mark.parametrize("seed", range(8))
def test_a_random_shop_holds_every_trap(seed: int) -> None:
    made = random_shops(seed)
    raw, days = made.raw, made.days
    world = World.of(raw)
    by_day = [world.score(day) for day in days]
    rows = [row for found in by_day for row in found.values()]
    middle = list(by_day[1].values())

    def column(table: str, name: str) -> set[object]:
        source, entity = table.split(".")
        return {
            str(r.get(name)) if isinstance(r.get(name), list) else r.get(name)
            for r in raw[source, entity]
        }

    assert len(made.raw["shopify", "customers"]) >= 200
    assert all(len(found) >= 250 for found in by_day)
    assert len({shop for shop, _ in by_day[0]}) == 3
    assert {row["health_bucket"] for row in rows} == {"high", "medium", "low"}
    assert {row["behaviour_band"] for row in rows} == {"vip", "engaged", "at_risk"}
    assert {row["trust_rating"] for row in rows} == {"unknown", "bad", "mid", "good", "great"}
    assert {row["ltv_tier"] for row in rows} == {"low", "medium", "high"}
    assert {row["loyalty_tier"] for row in rows} == {None, "bronze", "silver", "gold", "platinum"}
    assert len({row["rfm_group"] for row in rows}) >= 8
    fired = {rule for row in rows for rule in row["points_contributions"]}
    assert fired == {r.rule_id for r in default_points_card().rules} | {"floor"}
    typed = {part for row in rows for part in row["behaviour_contributions"]}
    assert typed == {*default_behaviour_card().weights, "cap"}

    assert {80.0, 40.0, 100.0} <= {row["behaviour_score"] for row in middle}
    averages = {row["signals"].get("previous_aov") for row in middle}
    assert {Fraction(700), Fraction(70001, 100), Fraction(1400_01, 200)} <= averages
    spent = {row["monetary"] for row in middle}
    assert {Decimal(x) for x in ("100", "500", "499.99", "1500", "3500", "99.99")} <= spent
    assert 3 in {row["signals"].get("bridal_views_30d") for row in middle}
    assert any(row["trust_score"] in (63, 51, 100) for row in middle)
    assert {row["trust_score"] for row in middle} >= {None, 0, 63}

    keys = {key for _, key in by_day[1]}
    assert any(":email:" in key for key in keys)
    assert any(":profile:" in key for key in keys)
    assert any(key.endswith(":900010") for key in keys)
    statuses = column("shopify.orders", "financial_status")
    assert {"PAID", "pending", "voided", "", None} <= statuses
    assert {True, False, None} <= column("shopify.orders", "is_test")
    assert {None, "post_purchase", "thank_you", "pdp"} <= column(
        "shopify.order_lines", "offer_kind"
    )
    assert {0, 1, 2, 3, 25} <= column("shopify.order_lines", "quantity")
    assert {True, False} <= column("shopify.order_lines", "is_gift_card")
    assert {"OPEN", "CLOSED", "DECLINED"} <= column("shopify.returns", "status")
    assert len(column("shopify.return_lines", "reason")) >= 9
    orders = raw["shopify", "orders"]
    keyed = Counter((o["shop_id"], o["order_id"]) for o in orders)
    assert max(keyed.values()) == 2
    assert len({o["order_id"] for o in orders}) < len(keyed)
    cancelled = {
        clock_day
        for o in orders
        if (clock_day := Clock.of(raw).day(o["shop_id"], o.get("cancelled_at")))
    }
    assert set(days) <= cancelled
    assert max(cancelled) > days[-1] or any(o["processed_at"] is None for o in orders)
    refunded = {line["refund_id"] for line in raw["shopify", "refund_lines"]}
    assert any(r["refund_id"] not in refunded for r in raw["shopify", "refunds"])
    shared = Counter(
        (e["shop_id"], e["metric_name"], e["unique_id"])
        for e in raw["klaviyo", "events"]
        if e.get("unique_id")
    )
    assert max(shared.values()) >= 2
    resends = [o for shop in world.books.values() for o in shop.resends(days[-1])]
    assert {o.parent_id is None for o in resends} == {True, False}
    assert sum(sum(c.values()) for c in unattributed(raw, days[-1]).values()) > 0
    late = [e for s in world.events.values() for e in s if e.day > days[-1]]
    assert late

    big = [row for row in rows if not row["shop_id"].endswith("c")]
    held = Counter(name for row in big for name in row["signals"])
    assert set(held) == SIGNALS
    for name in SIGNALS:
        assert len({row["signals"].get(name) for row in big}) >= 2, name
    assert {s for row in rows for s in row["segments"]} == set(Config().segments)
    audits = [row["preference_audit"] for row in rows if row["preference_audit"]]
    assert {audit["contradicts"] for audit in audits} == {True, False}
    young = [
        {name for row in found.values() if row["shop_id"].endswith("c") for name in row["signals"]}
        for found in by_day
    ]
    assert young[0] < young[1] <= young[2] < SIGNALS


def test_a_seed_always_gives_the_same_shop() -> None:
    assert random_shops(5) == random_shops(5)
    assert random_shops(5) != random_shops(6)


def test_the_drop_is_what_the_contract_asks_for(tmp_path: Path) -> None:
    from orchestration.extract.contract import tables

    made = random_shops(3, customers=20)
    write_drop(made.raw, tmp_path)
    contract = tables()
    for source, table in made.raw:
        wanted = contract[source, table]
        files = sorted((tmp_path / source / table).glob("*.jsonl"))
        assert len(files) == 2
        columns = {c for row in made.raw[source, table] for c in row}
        assert columns <= {*wanted.payload, "_loaded_at"}
    lines = sum(len(f.read_text().splitlines()) for f in tmp_path.rglob("*.jsonl"))
    assert lines == sum(len(rows) for rows in made.raw.values())
