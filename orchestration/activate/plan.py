"""The rows of the plan: what is to be written to whom, and which fields of it change."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from orchestration.errors import HealthError

Fields = Mapping[str, Any]


@dataclass(frozen=True)
class Sizes:
    """How much the vendors take at once: Klaviyo's bulk import, Shopify's `metafieldsSet`."""

    profiles_per_job: int = 10_000
    bytes_per_job: int = 5_000_000
    bytes_per_profile: int = 100_000
    metafields_per_call: int = 25


@dataclass(frozen=True, slots=True)
class Row:
    """One object to write.

    `payload_text` is the desired state as SQL wrote it, `previous` what the destination last
    confirmed (None: never anything), `unanswered` the fields that a run which died may or may not
    have written.
    """

    shop_id: str
    destination: str
    object_id: str
    customer_key: str
    reason: str
    payload_text: str
    payload_hash: str
    payload: Fields
    previous: Fields | None = None
    unanswered: frozenset[str] = frozenset()
    as_of_date: date | None = None


@dataclass(frozen=True)
class PlanCount:
    """How many rows of a destination and shop share an action and a reason.

    Actions: `send`, `clear` (written too: everything that was confirmed is to go) and `hold`.
    """

    destination: str
    shop_id: str
    action: str
    reason: str
    rows: int


@dataclass(frozen=True)
class Example:
    """One row of the plan, to be read by people: field -> (old, new)."""

    destination: str
    customer_key: str
    reason: str
    fields: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)


def canonical(value: Any) -> str:
    """A JSON value as text that is equal when, and only when, the value and its type are."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def changes(row: Row) -> dict[str, Any]:
    """The fields to write, in order of name; None means: clear it.

    Everything, nulls included, when nothing is known of the object; else what differs from the
    last confirmation or is unanswered. A field that was confirmed once and is no longer desired
    is cleared.
    """
    if row.previous is None:
        wanted: Collection[str] = row.payload.keys() | row.unanswered
    else:
        known = row.previous
        wanted = {
            name
            for name in row.payload.keys() | known.keys()
            if canonical(known.get(name)) != canonical(row.payload.get(name))
        } | row.unanswered
    return {name: row.payload.get(name) for name in sorted(wanted)}


def difference(row: Row) -> dict[str, tuple[Any, Any]]:
    """The changed fields as (old, new), for people, without those that were and stay unset."""
    previous = row.previous or {}
    return {
        name: (previous.get(name), new)
        for name, new in changes(row).items()
        if not (previous.get(name) is None and new is None)
    }


def parse_fields(text: str, where: str) -> dict[str, Any]:
    """A payload as a dictionary. Raises `HealthError` when it is not a JSON object."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise HealthError(
            f"The payload of {where} is not a JSON object: run `health build`, and if it stays so, "
            "look at the model activation.desired_state."
        )
    return value
