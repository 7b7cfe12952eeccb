"""Deliberate misreadings of files, answers, segments and audits, and of what connects a source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any

from reference import (
    audit,
    connected,
    feedback,
    file_signals,
    files,
    identity,
    points,
    raw,
    signals,
)
from reference.clock import in_window as true_window
from reference.config import Config, fold
from reference.mistakes import Mistake, configured, day_more, in_code, in_rows, instead, without

score = import_module("reference.score")

true_marks = feedback.marks
true_first_days = score.first_days
true_connected = connected.Sources.connected


def rule(segment: str, number: int, **changes: Any) -> Mistake:
    """A segment of which one rule is wrong."""
    rules = list(Config().segments[segment])
    rules[number] = replace(rules[number], **changes)
    return configured(segments={**Config().segments, segment: tuple(rules)})


def marks_changed(change: Callable[[feedback.Mark], Any]) -> Mistake:
    """Marks read differently; null leaves one out."""

    def wrong(*given: Any) -> Any:
        found = true_marks(*given)
        return {k: [w for m in of if (w := change(m)) is not None] for k, of in found.items()}

    return in_code((score, "marks", wrong))


def email_first(people: Any, shop_id: str, customer_id: str | None, email: str | None) -> Any:
    """Whose something is, by the e-mail before the customer."""
    address = identity.normal_email(email)
    if address:
        return people.by_email(shop_id, address)
    return people.customer(shop_id, customer_id) if customer_id else None


def with_tickets_known(raw_tables: Any, c: Any, people: Any, *rest: Any) -> Any:
    """Who is known when a ticket is enough."""
    first = true_first_days(raw_tables, c, people, *rest)
    for row in raw.rows(raw_tables, "files", "tickets"):
        key = people.bearer(row["shop_id"], None, row.get("email"))
        if key:
            first[row["shop_id"]].setdefault(key, date.min)
    return first


def latest_by(key: Callable[[feedback.Mark], Any]) -> Mistake:
    """Another idea of which mark is the last."""
    return in_code(
        (
            feedback,
            "latest",
            lambda given: last.value if (last := max(given, key=key, default=None)) else None,
        )
    )


def colour_with(finish: str, metal: str, fold: Callable[[str], str]) -> Mistake:
    """A product's colour from other columns, or not in one form."""
    return in_code(
        (audit, "colour_of", lambda p: fold(p.get(finish) or p.get(metal) or "") or None)
    )


def ties_to(pick: Callable[[list[str], str], str]) -> Mistake:
    """Another choice among the colours with most views."""

    def wrong(views: Any, stated: str) -> str:
        most = max(views.values())
        return pick(sorted(c for c, n in views.items() if n == most), stated)

    return in_code((audit, "most_viewed", wrong))


FILE_MISTAKES: dict[tuple[str, str], Mistake] = {
    ("addon_offered_180d", "181 days"): day_more(file_signals),
    ("addon_offered_180d", "179 days"): day_more(file_signals, -1),
    ("addon_offered_180d", "by letter"): in_code((files, "fold", lambda t: (t or "").strip())),
    ("addon_offered_180d", "untrimmed"): in_code((files, "fold", lambda t: (t or "").lower())),
    ("addon_offered_180d", "any surface"): in_rows(
        "files.recommendations", lambda r: {"surface": "thank_you"}
    ),
    ("addon_offered_180d", "thank-you pages left out"): configured(
        offer_surfaces=frozenset({"post_purchase"})
    ),
    ("addon_offered_180d", "email before customer"): in_code(
        (identity.Identity, "bearer", email_first)
    ),
    ("addon_offered_180d", "emails ignored"): in_rows(
        "files.recommendations", lambda r: {"email": None}
    ),
    ("addon_offered_180d", "last row wins"): in_rows(
        "files.recommendations", lambda r: {"_loaded_at": None}
    ),
    ("warranty_refused_365d", "366 days"): day_more(file_signals),
    ("warranty_refused_365d", "taken at any time"): in_code(
        (file_signals, "is_by", lambda day, _: day is not None)
    ),
    ("warranty_refused_365d", "taken before D"): in_code(
        (file_signals, "is_by", lambda day, at: day is not None and day < at)
    ),
    ("warranty_refused_365d", "taken or not"): in_rows(
        "files.recommendations", lambda r: {"accepted_at": None}
    ),
    ("support_contacts_90d", "91 days"): day_more(file_signals),
    ("support_contacts_90d", "89 days"): day_more(file_signals, -1),
    ("support_contacts_90d", "null is none"): in_rows(
        "files.tickets", lambda r: {"contacts": r["contacts"] or 0} if "contacts" in r else {}
    ),
    ("support_contacts_90d", "tickets"): in_rows("files.tickets", lambda r: {"contacts": 1}),
    ("open_tickets", "closed later are closed"): in_code(
        (file_signals, "is_by", lambda day, _: day is not None)
    ),
    ("open_tickets", "closed today are open"): in_code(
        (file_signals, "is_by", lambda day, at: day is not None and day < at)
    ),
    ("open_tickets", "all of them"): in_rows("files.tickets", lambda r: {"closed_at": None}),
    ("open_tickets", "of 90 days"): in_code(
        (
            signals,
            "ticket_signals",
            lambda tickets, at: {
                "open_tickets": sum(
                    t.created_day is not None
                    and true_window(t.created_day, at, 90)
                    and not file_signals.is_by(t.closed_day, at)
                    for t in tickets
                )
            },
        )
    ),
    ("open_tickets", "last row wins"): in_rows("files.tickets", lambda r: {"_loaded_at": None}),
    ("loyalty_points", "redeem adds"): in_code((file_signals, "change", lambda e: e.points)),
    ("loyalty_points", "redeem by sign"): in_code(
        (file_signals, "change", lambda e: -e.points if e.kind == "redeem" else e.points)
    ),
    ("loyalty_points", "never below"): in_code(
        (file_signals, "change", lambda e: -abs(e.points) if e.kind == "redeem" else abs(e.points))
    ),
    ("loyalty_points", "kinds by letter"): in_code((files, "fold", lambda t: t or "")),
    ("loyalty_points", "nought for a stranger"): in_code(
        (
            signals,
            "loyalty_signals",
            lambda events, at: {
                "loyalty_points": sum(file_signals.change(e) for e in events if e.day <= at)
            },
        )
    ),
    ("loyalty_points", "of any day"): in_code(
        (
            signals,
            "loyalty_signals",
            lambda events, _: {
                "loyalty_points": sum(map(file_signals.change, events)) if events else None
            },
        )
    ),
    ("loyalty_points", "keys by letter"): in_code((raw, "key_part", lambda _, value: value)),
    ("loyalty_points", "last row wins"): in_rows("files.loyalty", lambda r: {"_loaded_at": None}),
    ("reviews_365d", "366 days"): day_more(file_signals),
    ("reviews_365d", "364 days"): day_more(file_signals, -1),
    ("reviews_365d", "last row wins"): in_rows("files.reviews", lambda r: {"_loaded_at": None}),
    ("referrals_365d", "366 days"): day_more(file_signals),
    ("referrals_365d", "by letter"): in_code((files, "fold", lambda t: (t or "").strip())),
    ("referrals_365d", "any kind"): in_rows("files.community", lambda r: {"kind": "referral"}),
    ("referrals_365d", "keys by letter"): in_code((raw, "key_part", lambda _, value: value)),
    ("community_events_365d", "364 days"): day_more(file_signals, -1),
    ("community_events_365d", "referrals alone"): instead(
        "community_signals", lambda v, *_: {"community_events_365d": v["referrals_365d"]}
    ),
    ("community_events_365d", "keys by letter"): in_code((raw, "key_part", lambda _, v: v)),
}
ANSWER_MISTAKES: dict[tuple[str, str], Mistake] = {
    ("last_nps", "364 days"): configured(survey_answer_ttl_days=364),
    ("last_nps", "366 days"): configured(survey_answer_ttl_days=366),
    ("last_csat", "364 days"): configured(survey_answer_ttl_days=364),
    ("last_csat", "366 days"): configured(survey_answer_ttl_days=366),
    ("last_nps", "by id alone"): latest_by(lambda m: m.fact_id),
    ("last_nps", "ids as numbers"): latest_by(lambda m: (m.moment, m.fact_id.zfill(9))),
    ("last_ces", "by id alone"): latest_by(lambda m: m.fact_id),
    ("last_ces", "the first"): latest_by(lambda m: (-m.moment.timestamp(), m.fact_id)),
    ("last_csat", "by day alone"): latest_by(lambda m: (m.day, m.fact_id)),
    ("last_csat", "the least id"): latest_by(lambda m: (m.moment, m.fact_id[:1] != "T")),
    ("last_nps", "questions by letter"): in_code((feedback, "fold", lambda t: (t or "").strip())),
    ("last_nps", "questions untrimmed"): in_code((feedback, "fold", lambda t: (t or "").lower())),
    ("last_nps", "value types ignored"): in_rows("zigpoll.responses", lambda _: {"value_type": ""}),
    ("last_nps", "value type first"): in_code(
        (
            feedback,
            "measure_of",
            lambda row, config: (
                config.measures.get(fold(row.get("value_type")))
                or config.measures.get(fold(row.get("question")))
            ),
        )
    ),
    ("last_nps", "out of range"): configured(
        measures={k: (m, -99, 99) for k, (m, *_) in Config().measures.items()}
    ),
    ("last_nps", "from 1"): configured(
        measures={k: (m, 1, most) for k, (m, _, most) in Config().measures.items()}
    ),
    ("last_nps", "whole numbers"): marks_changed(lambda m: replace(m, value=float(int(m.value)))),
    ("last_nps", "no decimals"): marks_changed(lambda m: m if m.value == int(m.value) else None),
    ("last_csat", "tickets ignored"): in_rows("files.tickets", lambda _: {"csat": None}),
    ("last_csat", "tickets by creation"): in_rows("files.tickets", lambda _: {"closed_at": None}),
    ("last_csat", "closed tickets alone"): in_rows(
        "files.tickets", lambda r: {"csat": r.get("csat") if r.get("closed_at") else None}
    ),
    ("last_csat", "tickets of 0"): in_code((feedback, "TICKET_CSAT", (0, 5))),
    ("last_csat", "tickets of 6"): in_code((feedback, "TICKET_CSAT", (1, 6))),
    ("last_csat", "answers ignored"): marks_changed(
        lambda m: m if m.measure != "csat" or m.fact_id.startswith("T") else None
    ),
    ("last_csat", "of later days"): in_code(
        (feedback, "age_days", lambda d, at: max(0, (at - d).days))
    ),
    ("addon_likelihood", "by letter"): configured(
        answers={k: v for k, v in Config().answers.items() if v[0] != "addon_likelihood"}
    ),
    ("new", "60 days is old"): rule("new", 1, operator="<"),
    ("new", "61 days is new"): rule("new", 1, threshold=Decimal(61)),
    ("new", "any number of orders"): rule("new", 0, operator=">="),
    ("loyal", "two orders"): rule("loyal", 0, threshold=Decimal(2)),
    ("loyal", "four orders"): rule("loyal", 0, operator=">"),
    ("loyal", "364 days"): rule("loyal", 1, operator="<"),
    ("loyal", "366 days"): rule("loyal", 1, threshold=Decimal(366)),
    ("high_value", "from 1500"): rule("high_value", 0, operator=">="),
    ("high_value", "gross"): without("shopify.refunds"),
    ("high_health", "from 700"): rule("high_health", 0, operator=">="),
    ("high_health", "without an add-on"): rule("high_health", 1, threshold=Decimal(0)),
    ("seasonal", "one order"): rule("seasonal", 0, threshold=Decimal(1)),
    ("seasonal", "half of the orders"): rule("seasonal", 1, threshold=Decimal("0.5")),
    ("seasonal", "any rule"): in_code(
        (
            score,
            "segments",
            lambda values, config: frozenset(
                segment
                for segment, rules in config.segments.items()
                if any(points.fires(r, values.get(r.signal)) for r in rules)
            ),
        )
    ),
    ("preference_audit", "four views"): in_code((audit, "LEAST_VIEWS", 4)),
    ("preference_audit", "six views"): in_code((audit, "LEAST_VIEWS", 6)),
    ("preference_audit", "91 days"): day_more(audit),
    ("preference_audit", "89 days"): day_more(audit, -1),
    ("preference_audit", "30 days"): day_more(audit, -60),
    ("preference_audit", "ties by alphabet"): ties_to(lambda tied, _: tied[0]),
    ("preference_audit", "ties from behind"): ties_to(
        lambda tied, stated: stated if stated in tied else tied[-1]
    ),
    ("preference_audit", "metal first"): colour_with(
        "metal", "finish", lambda t: t.strip().lower().replace(" ", "_")
    ),
    ("preference_audit", "finish alone"): colour_with(
        "finish", "finish", lambda t: t.strip().lower().replace(" ", "_")
    ),
    ("preference_audit", "by letter"): colour_with(
        "finish", "metal", lambda t: t.strip().replace(" ", "_")
    ),
    ("preference_audit", "untrimmed"): colour_with(
        "finish", "metal", lambda t: t.lower().replace(" ", "_")
    ),
    ("preference_audit", "blanks kept"): colour_with(
        "finish", "metal", lambda t: t.strip().lower()
    ),
    ("preference_audit", "old products"): in_rows(
        "shopify.products", lambda r: {"updated_at": None}
    ),
    ("preference_audit", "answers that expired"): configured(survey_answer_ttl_days=366),
}
CONNECTION_MISTAKES: dict[tuple[str, str], Mistake] = {
    (signal, name): mistake
    for signal in (
        "product_views_30d",
        "net_spend",
        "support_contacts_90d",
    )
    for name, mistake in (
        (
            "connected at any time",
            in_code(
                (connected.Sources, "connected", lambda s, shop, t, _: (shop, t) in s.first_days)
            ),
        ),
        ("always connected", in_code((connected.Sources, "connected", lambda *_: True))),
        (
            "connected a day later",
            in_code(
                (
                    connected.Sources,
                    "connected",
                    lambda s, shop, t, at: true_connected(s, shop, t, at - timedelta(days=1)),
                )
            ),
        ),
    )
}
CONNECTION_MISTAKES |= {
    ("returns_gift_180d", "connected by returns"): in_code(
        (connected, "DATES", {**connected.DATES, "shopify.orders": ("cancelled_at",)})
    ),
    ("orders_365d", "connected by counted orders"): in_rows(
        "shopify.orders",
        lambda r: {"created_at": None, "processed_at": None} if r["is_test"] else {},
    ),
    ("product_views_30d", "connected by somebody's events"): in_rows(
        "klaviyo.events", lambda r: {} if r["profile_id"] else {"occurred_at": None}
    ),
    ("support_contacts_90d", "connected by somebody's tickets"): in_rows(
        "files.tickets", lambda r: {} if r["email"] else {"created_at": None}
    ),
    ("customer_signals", "tickets make known"): in_code((score, "first_days", with_tickets_known)),
}
SOURCE_MISTAKES = FILE_MISTAKES | ANSWER_MISTAKES | CONNECTION_MISTAKES
