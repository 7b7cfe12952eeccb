"""What a row of the plan comes to at Shopify: metafields to set and to clear, tags to change.

The namespace is `$app:health`. In a namespace of the shop's own (`custom`), every theme shows a
customer's score to whoever asks for it and every other app may overwrite it; an app's reserved
namespace is written by this app alone, staff read it in the admin, and the storefront sees
nothing unless a definition opens it.

A field `tag:<tag>` is a tag of the customer, there when it is true; no other field is one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from orchestration.activate.plan import Row, changes

NAMESPACE = "$app:health"
TAG = "tag:"

# A type must not change with a day's value; what is not named here is typed by its value.
FIELD_TYPES = {
    "health_score": "number_integer",
    "health_bucket": "single_line_text_field",
    "last_survey_response": "multi_line_text_field",
    "product_pref_tag": "single_line_text_field",
    "trust_rating": "single_line_text_field",
    "rfm_group": "single_line_text_field",
}


class Part(StrEnum):
    """The kinds of writes that a row comes to; each is taken or refused by itself."""

    SET = "metafieldsSet"
    CLEAR = "metafieldsDelete"
    UNTAG = "tagsRemove"
    TAG = "tagsAdd"


@dataclass(frozen=True, slots=True)
class Write:
    """One metafield of one row; `value` is None to clear it."""

    row: Row
    key: str
    value: str | None
    type: str


@dataclass(frozen=True, slots=True)
class Tagging:
    """The tags that one row adds, or those that it takes away (`part` says which)."""

    row: Row
    part: Part
    tags: Sequence[str]

    @property
    def was_there(self) -> bool:
        """Whether the customer had one of the tags, as far as it is known."""
        known = self.row.previous or {}
        names = [TAG + tag for tag in self.tags]
        return any(known.get(name) is True or name in self.row.unanswered for name in names)


def metafield(key: str, value: Any) -> tuple[str, str] | None:
    """A value as (type, text), which is how metafields store everything; None to clear.

    Shopify has no blank metafield, so an empty string clears too.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    kind = FIELD_TYPES.get(key) or _type_of(value)
    if isinstance(value, str):
        return kind, value
    if isinstance(value, float):
        return kind, format(Decimal(repr(value)), "f")
    return kind, json.dumps(value, ensure_ascii=False)


def _type_of(value: Any) -> str:
    match value:
        case bool():
            return "boolean"
        case int():
            return "number_integer"
        case float():
            return "number_decimal"
        case str():
            return "multi_line_text_field" if "\n" in value else "single_line_text_field"
        case list() if all(isinstance(item, str) for item in value):
            return "list.single_line_text_field"
        case _:
            return "json"


@dataclass(frozen=True, slots=True)
class Writes:
    """All that a row comes to.

    `taggings` has the tags that go before those that come: a customer may have 250 and no more.
    """

    sets: Sequence[Write]
    clears: Sequence[Write]
    taggings: Sequence[Tagging]


def writes(row: Row) -> Writes:
    """What has to change, each metafield by itself and the tags together."""
    sets, clears = [], []
    added: list[str] = []
    removed: list[str] = []
    for key, value in changes(row).items():
        if key.startswith(TAG):
            (added if value is True else removed).append(key.removeprefix(TAG))
        elif (stored := metafield(key, value)) is not None:
            sets.append(Write(row, key, stored[1], stored[0]))
        else:
            clears.append(Write(row, key, None, ""))
    tags = ((Part.UNTAG, removed), (Part.TAG, added))
    return Writes(sets, clears, [Tagging(row, part, its) for part, its in tags if its])


def owner(row: Row) -> str:
    """The global id of the customer a row belongs to."""
    return f"gid://shopify/Customer/{row.object_id}"


def set_input(write: Write) -> dict[str, Any]:
    """A `MetafieldsSetInput`."""
    return {
        "ownerId": owner(write.row),
        "namespace": NAMESPACE,
        "key": write.key,
        "type": write.type,
        "value": write.value,
    }


def clear_input(write: Write) -> dict[str, Any]:
    """A `MetafieldIdentifierInput`."""
    return {"ownerId": owner(write.row), "namespace": NAMESPACE, "key": write.key}
