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

import pytest
from hypothesis import given, settings
from reference import Config, known_customers, postal_trust, score, unattributed
from reference.behaviour import deduplicated, is_bridal
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
from reference.orders import line_value, normal_area, returned_value
from reference.points import fires, health
from reference.random_shop import Maker, RandomShops, joined, random_shops, shops, write_drop
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
    assert len({shop for shop, _ in by_day[0]}) == 2
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
    averages = {row["signals"]["previous_aov"] for row in middle}
    assert {Fraction(700), Fraction(70001, 100), Fraction(1400_01, 200)} <= averages
    spent = {row["monetary"] for row in middle}
    assert {Decimal(x) for x in ("100", "500", "499.99", "1500", "3500", "99.99")} <= spent
    assert 3 in {row["signals"]["bridal_views_30d"] for row in middle}
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
        assert {c for row in made.raw[source, table] for c in row} <= set(wanted.payload)
    lines = sum(len(f.read_text().splitlines()) for f in tmp_path.rglob("*.jsonl"))
    assert lines == sum(len(rows) for rows in made.raw.values())
