"""Would the random shops catch a mistake? Each mistake below must change some cell.

A comparison on random shops is worth what the shops make visible. So every misreading of the
definitions that a model might contain is made here on purpose, in the reference or in its input,
and the scores must differ from the true ones. A mistake that hides is a hole in `random_shop`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from importlib import import_module
from typing import Any

import pytest
from reference import (
    behaviour,
    clock,
    event_signals,
    identity,
    known,
    orders,
    rfm,
    shop_signals,
    trust,
)
from reference.compare import Side, differences, reference_side
from reference.config import Config, Rule, default_points_card
from reference.mistakes import Mistake, configured, in_code, in_rows, without
from reference.random_shop import RandomShops, random_shops
from reference.raw import Raw
from reference.signal_mistakes import EVENT_MISTAKES, ORDER_MISTAKES
from reference.source_mistakes import SOURCE_MISTAKES

# the package's function `score` hides the module of that name
score = import_module("reference.score")
Rows = list[dict[str, Any]]


def card(rule_id: str, **changes: Any) -> Mistake:
    """A mistake in one rule of the card."""
    rules: list[Rule] = [
        replace(r, **changes) if r.rule_id == rule_id else r for r in default_points_card().rules
    ]
    return configured(points=(replace(default_points_card(), rules=tuple(rules)),))


def first_version_wins(_: pytest.MonkeyPatch, raw: Raw) -> tuple[Raw, Config]:
    kept: dict[Any, Mapping[str, Any]] = {}
    for row in raw["shopify", "orders"]:
        kept.setdefault((row["shop_id"], row["order_id"]), row)
    return {**raw, ("shopify", "orders"): list(kept.values())}, Config()


def nearest_owner(people: identity.Identity, shop_id: str, email: str) -> str:
    owners = people.email_owners.get((shop_id, email))
    return min(owners) if owners else identity.email_key(shop_id, email)


def utc_day(_: clock.Clock, __: str, moment: datetime | None) -> date | None:
    return moment.astimezone(UTC).date() if moment else None


def latest_duplicate(found: Rows) -> Rows:
    flipped = [{**r, "event_id": f"{10**9 - int(r['event_id'][1:])}"} for r in found]
    return [dict(r) for r in keep_earliest(flipped)]


def by_unique_id_alone(found: Rows) -> Rows:
    kept = keep_earliest({**r, "metric": r["metric_name"], "metric_name": "one"} for r in found)
    return [{**r, "metric_name": r["metric"]} for r in kept]


def competition_ranks(values: Mapping[str, Any], scale: int, *, low_is_good: bool) -> dict:
    """Quintiles by position: ties fall apart."""
    ranked = sorted(values, key=lambda k: (values[k], k), reverse=low_is_good)
    return {key: 1 + scale * n // len(ranked) for n, key in enumerate(ranked)}


def with_refunds_of_any_day(book: orders.OrderBook, as_of: date) -> dict[str, Decimal]:
    return true_refunded(book, as_of + timedelta(days=9999))


def signals_of_cancelled(book: orders.OrderBook, as_of: date) -> dict[str, orders.Order]:
    return {
        i: o
        for i, o in book.orders.items()
        if o.is_processed and not o.is_test and not o.is_resend and o.day <= as_of
    }


def resends_at_net_price(book: orders.OrderBook, as_of: date) -> list[orders.Order]:
    return [replace(o, gross=o.value) for o in true_resends(book, as_of)]


def area_as_written(country: str | None, postal: str | None) -> orders.Area | None:
    return ((country or "ZZ").upper(), postal) if postal else None


def full_zip(country: str | None, postal: str | None) -> orders.Area | None:
    area = true_area("XX", postal)
    return ((country or "").strip().upper() or "ZZ", area[1]) if area else None


FAR = datetime(2099, 1, 1, tzinfo=UTC)
keep_earliest = behaviour.deduplicated
true_refunded = orders.OrderBook.refunded
true_area = orders.normal_area
true_resends = orders.OrderBook.resends
true_window = clock.in_window
true_first_days = known.first_days

MISTAKES: dict[str, Mistake] = {
    "days of UTC": in_code((clock.Clock, "day", utc_day)),
    "zone unknown": without("shopify.shops"),
    "window of events a day too long": in_code(
        (event_signals, "in_window", lambda day, as_of, n: true_window(day, as_of, n + 1))
    ),
    "window of events a day too short": in_code(
        (event_signals, "in_window", lambda day, as_of, n: true_window(day, as_of, n - 1))
    ),
    "window of orders a day too long": in_code(
        (shop_signals, "in_window", lambda day, as_of, n: true_window(day, as_of, n + 1))
    ),
    "window of orders a day too short": in_code(
        (shop_signals, "in_window", lambda day, as_of, n: true_window(day, as_of, n - 1))
    ),
    "merges not followed": in_code((identity, "follow_merges", lambda i, _: i)),
    "merges followed once": in_code((identity, "follow_merges", lambda i, m: m.get(i, i))),
    "emails by letter": in_code((identity, "normal_email", lambda e: (e or "").strip() or None)),
    "emails untrimmed": in_code((identity, "normal_email", lambda e: (e or "").lower() or None)),
    "shared email to one owner": in_code((identity.Identity, "by_email", nearest_owner)),
    "external id ignored": in_rows("klaviyo.profiles", lambda r: {"external_id": None}),
    "phones ignored": in_rows("klaviyo.profiles", lambda r: {"phone": None}),
    "phones as written": in_code((identity, "normal_phone", lambda p: p)),
    "order's email before its customer": in_rows(
        "shopify.orders", lambda r: {"customer_id": None if r.get("email") else r["customer_id"]}
    ),
    "old version of an order": first_version_wins,
    "test orders count": in_rows("shopify.orders", lambda r: {"is_test": False}),
    "cancels ignored": in_rows("shopify.orders", lambda r: {"cancelled_at": None}),
    "cancelled from the start": in_rows(
        "shopify.orders",
        lambda r: {
            "financial_status": "voided" if r.get("cancelled_at") else r["financial_status"]
        },
    ),
    "cancelled a day late": in_rows(
        "shopify.orders",
        lambda r: {
            "cancelled_at": r["cancelled_at"] + timedelta(days=1) if r.get("cancelled_at") else None
        },
    ),
    "open orders count": configured(
        processed_statuses=Config().processed_statuses | {"pending", "authorized"}
    ),
    "unknown status counts": configured(processed_statuses=Config().processed_statuses | {""}),
    "status untrimmed": in_rows(
        "shopify.orders",
        lambda r: {
            "financial_status": "?"
            if (r["financial_status"] or "").startswith(" ")
            else r["financial_status"]
        },
    ),
    "dated by creation": in_rows("shopify.orders", lambda r: {"processed_at": None}),
    "undated without processed_at": in_rows("shopify.orders", lambda r: {"created_at": None}),
    "gift cards sold": in_rows("shopify.order_lines", lambda r: {"is_gift_card": False}),
    "discounts ignored": in_rows("shopify.order_lines", lambda r: {"discount_amount": None}),
    "discount a unit": in_rows(
        "shopify.order_lines",
        lambda r: {"discount_amount": (r["discount_amount"] or 0) * max(1, r["quantity"])},
    ),
    "refunds ignored": without("shopify.refunds"),
    "refunds of any day": in_code((orders.OrderBook, "refunded", with_refunds_of_any_day)),
    "refunded gift cards": in_rows("shopify.refund_lines", lambda r: {"order_line_id": None}),
    "refunds of cancelled orders": in_code((orders.OrderBook, "counted", signals_of_cancelled)),
    "returns ignored": without("shopify.returns"),
    "requested returns": configured(returned_statuses=frozenset({"open", "closed", "requested"})),
    "open returns left out": configured(returned_statuses=frozenset({"closed"})),
    "returns at gross price": in_code(
        (
            orders,
            "returned_value",
            lambda line, n: (
                n * Fraction(line["unit_price_amount"])
                if line and line["quantity"]
                else Fraction(0)
            ),
        )
    ),
    "reasons by letter": in_rows(
        "shopify.return_lines",
        lambda r: {"reason": r["reason"] if r["reason"] in ("STYLE", "GIFT_RETURN") else None},
    ),
    "resend tags ignored": configured(resend_order_tags=()),
    "resend parents ignored": in_code((orders.OrderBook, "_has_parent", lambda *_: True)),
    "resends only when paid": in_rows(
        "shopify.orders",
        lambda r: {
            "is_test": r["is_test"]
            or (bool(r.get("resend_of_order_id")) and r["financial_status"] not in ("paid", "PAID"))
        },
    ),
    "test resends count": in_rows(
        "shopify.orders",
        lambda r: {"is_test": False if r.get("resend_of_order_id") else r["is_test"]},
    ),
    "resends at net price": in_code((orders.OrderBook, "resends", resends_at_net_price)),
    "resends without their parent's customer": in_rows(
        "shopify.orders",
        lambda r: {
            "email": f"lost{r['order_id']}@example.com"
            if r.get("resend_of_order_id") and not r["customer_id"] and not r.get("email")
            else r.get("email")
        },
    ),
    "average from 700 up": card("high_aov", operator=">="),
    "four bridal views": card("bridal_views", operator=">"),
    "product page offers": configured(addon_kinds=frozenset({"post_purchase", "thank_you", "pdp"})),
    "thank-you offers left out": configured(addon_kinds=frozenset({"post_purchase"})),
    "families ignored": in_rows("shopify.products", lambda r: {"family": None}),
    "families by letter": in_rows(
        "shopify.products", lambda r: {"family": r["family"] if r["family"] != "BRIDAL" else "x"}
    ),
    "collections ignored": configured(collection_families={}),
    "duplicate events": in_code((behaviour, "deduplicated", list)),
    "ties to the greater event id": in_code((behaviour, "deduplicated", latest_duplicate)),
    "unique ids across metrics": in_code((behaviour, "deduplicated", by_unique_id_alone)),
    "empty unique ids are one": in_rows(
        "klaviyo.events", lambda r: {"unique_id": r.get("unique_id") or "none"}
    ),
    "the echo of a purchase": configured(metrics={**Config().metrics, "Placed Order": "purchase"}),
    "metrics in any case": configured(
        metrics={**Config().metrics, "viewed product": "product_view"}
    ),
    "one name of the checkout": configured(
        metrics={k: v for k, v in Config().metrics.items() if k != "Started Checkout"}
    ),
    "half-life 31": configured(behaviour=(replace(Config().behaviour[0], half_life_days=31),)),
    "half-life 181": configured(trust=(replace(Config().trust[0], half_life_days=181),)),
    "vip above 80": configured(
        behaviour=(
            replace(
                Config().behaviour[0], bands=(("vip", 80.001), ("engaged", 40), ("at_risk", 0))
            ),
        )
    ),
    "no cap": configured(behaviour=(replace(Config().behaviour[0], cap=1e9),)),
    "half to even": in_code((trust, "half_away", lambda x: round(round(x, 9)))),
    "half without nine decimals": in_code((trust, "half_away", lambda x: int(x + 0.5))),
    "postal codes as written": in_code(
        (orders, "normal_area", area_as_written), (score, "normal_area", area_as_written)
    ),
    "whole zip codes": in_code((orders, "normal_area", full_zip), (score, "normal_area", full_zip)),
    "default address ignored": in_rows(
        "shopify.customers", lambda r: {"default_postal_code": None}
    ),
    "ranks by position": in_code((score, "rank_scores", competition_ranks)),
    "ranks of ties from above": in_code(
        (
            score,
            "rank_scores",
            lambda values, scale, low_is_good: {
                k: 1
                + (scale * sum((w >= v) if low_is_good else (w <= v) for w in values.values()) - 1)
                // len(values)
                for k, v in values.items()
            },
        )
    ),
    "group by the other preset": configured(rfm_preset="standard"),
    "Lovers before Soulmates": in_code(
        (score, "group", lambda p, r, f, m: rfm.group(p, r, f, min(m, 4)))
    ),
    "answers live 364 days": configured(survey_answer_ttl_days=364),
    "answers live 366 days": configured(survey_answer_ttl_days=366),
    "answer ids as numbers": in_rows(
        "zigpoll.responses", lambda r: {"response_id": r["response_id"].zfill(9)}
    ),
    "answers by letter": in_rows(
        "zigpoll.responses",
        lambda r: {"question": r["question"] if r["answer"] != "WHITE GOLD" else None},
    ),
    "free text as a label": in_rows("zigpoll.responses", lambda r: {"value_type": "vote"}),
    "unmapped answers dropped": in_rows(
        "zigpoll.responses",
        lambda r: {"answer": None if (r["answer"] or "").strip() == "Mauve" else r["answer"]},
    ),
    "silver above 500": configured(
        loyalty_tiers=(
            *Config().loyalty_tiers[:2],
            ("silver", Decimal("500.01")),
        )
    ),
    "medium above 100": in_code(
        (score, "ltv_tier", lambda s: "high" if s > 500 else "medium" if s > 100 else "low")
    ),
    "high from 500": in_code(
        (score, "ltv_tier", lambda s: "high" if s >= 500 else "medium" if s >= 100 else "low")
    ),
    "customers known before they came": in_rows(
        "shopify.customers", lambda r: {"created_at": None}
    ),
    "records merged away make nobody known": in_rows(
        "shopify.customers",
        lambda r: {"created_at": FAR if r.get("merged_into_customer_id") else r.get("created_at")},
    ),
    "test orders make nobody known": in_rows(
        "shopify.orders", lambda r: {"email": None if r["is_test"] else r.get("email")}
    ),
    "prospects left out": without("klaviyo.profiles"),
    "unmapped events make nobody known": in_code(
        (
            score,
            "first_days",
            lambda raw, c, people, books, events, answers: true_first_days(
                raw,
                c,
                people,
                books,
                {s: [e for e in found if e.event_type] for s, found in events.items()},
                answers,
            ),
        ),
    ),
}


SIGNAL_MISTAKES = EVENT_MISTAKES | ORDER_MISTAKES | SOURCE_MISTAKES


@pytest.fixture(scope="module")
def made() -> list[RandomShops]:
    """Three seeds: a trap may be rare, it may not be absent."""
    return [random_shops(seed) for seed in (0, 1, 2)]


@pytest.fixture(scope="module")
def truth(made: list[RandomShops]) -> list[Side]:
    """The true tables of each seed."""
    return [reference_side(score.World.of(shops.raw), shops.days) for shops in made]


@pytest.mark.parametrize("name", MISTAKES)
def test_every_mistake_shows(
    name: str, made: list[RandomShops], truth: list[Side], monkeypatch: pytest.MonkeyPatch
) -> None:
    for shops, right in zip(made, truth, strict=True):
        with monkeypatch.context() as patch:
            raw, config = MISTAKES[name](patch, shops.raw)
            wrong = reference_side(score.World.of(raw, config), shops.days)
        if next(differences(wrong, right), None):
            return
    pytest.fail(f"no random shop shows the mistake: {name}")


@pytest.fixture(scope="module")
def halves(made: list[RandomShops]) -> list[RandomShops]:
    """The same without the second big shop: a signal's trap stands in each."""
    return [
        replace(
            shops,
            raw={
                name: [row for row in rows if not row["shop_id"].endswith("b")]
                for name, rows in shops.raw.items()
            },
        )
        for shops in made
    ]


@pytest.fixture(scope="module")
def truth_of_halves(halves: list[RandomShops]) -> list[Side]:
    """The true tables of each."""
    return [reference_side(score.World.of(shops.raw), shops.days) for shops in halves]


@pytest.mark.parametrize(("where", "name"), SIGNAL_MISTAKES)
def test_every_mistake_shows_in_its_signal(
    where: str,
    name: str,
    halves: list[RandomShops],
    truth_of_halves: list[Side],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`where` is a signal, a segment or a mart: a mistake must show there, not just anywhere."""
    for shops, right in zip(halves, truth_of_halves, strict=True):
        with monkeypatch.context() as patch:
            raw, config = SIGNAL_MISTAKES[where, name](patch, shops.raw)
            wrong = reference_side(score.World.of(raw, config), shops.days)
        if any(where in (m.mart, m.key[-1]) for m in differences(wrong, right)):
            return
    pytest.fail(f"no random shop shows the mistake in {where}: {name}")
