"""What people said they like, as long as it holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from reference.clock import Clock, age_days
from reference.config import Config, fold
from reference.identity import Identity
from reference.raw import Raw, rows

FREE_TEXT = "dynamic-response"


@dataclass(frozen=True)
class Answer:
    """One answer; `label` is null for free text and for no answer at all."""

    customer_key: str
    moment: datetime
    day: date
    response_id: str
    attribute: str | None
    value: str | None
    label: str | None


def answers(raw: Raw, clock: Clock, people: Identity, config: Config) -> dict[str, list[Answer]]:
    """The dated answers of each shop that somebody gave."""
    found: dict[str, list[Answer]] = {}
    for row in rows(raw, "zigpoll", "responses"):
        shop_id = row["shop_id"]
        day = clock.day(shop_id, row.get("created_at"))
        key = people.bearer(shop_id, row.get("customer_id"), row.get("email"))
        if day is None or key is None:
            continue
        pair = fold(row.get("question")), fold(row.get("answer"))
        attribute, value, label = config.answers.get(pair, (None, None, None))
        if attribute is None and row.get("value_type") not in (None, "", FREE_TEXT):
            label = (row.get("answer") or "").strip() or None
        found.setdefault(shop_id, []).append(
            Answer(key, row["created_at"], day, row["response_id"], attribute, value, label)
        )
    return found


def preferences(given: Iterable[Answer], as_of: date, ttl_days: int) -> dict[str, str | None]:
    """One customer's attributes at D, with `product_pref_tag` and `last_survey_response`."""
    valid = sorted(
        (a for a in given if a.day <= as_of and age_days(a.day, as_of) <= ttl_days),
        key=lambda a: (a.moment, a.response_id),
    )
    latest = {a.attribute: a.value for a in valid if a.attribute is not None}
    labels = [a.label for a in valid if a.label is not None]
    taste = [latest[a] for a in ("finish", "style") if latest.get(a)]
    return {
        "gift_intent": latest.get("gift_intent"),
        "finish": latest.get("finish"),
        "style": latest.get("style"),
        "addon_likelihood": latest.get("addon_likelihood"),
        "product_pref_tag": "_".join(t for t in taste if t) or None,
        "last_survey_response": labels[-1] if labels else None,
    }
