"""Shopify: customer metafields by `metafieldsSet`, cleared by `metafieldsDelete`.

The namespace is `$app:health`. In a namespace of the shop's own (`custom`), every theme shows a
customer's score to whoever asks for it and every other app may overwrite it; an app's reserved
namespace is written by this app alone, staff read it in the admin, and the storefront sees
nothing unless a definition opens it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from orchestration.activate.ledger import RUN_AGAIN, Answer, Refusal
from orchestration.activate.plan import Row, Sizes, changes
from orchestration.activate.sending import Estimate, Sleep
from orchestration.settings import Connection
from orchestration.vendors import wire
from orchestration.vendors.shopify import AdminApi

NAMESPACE = "$app:health"

# A type must not change with a day's value; what is not named here is typed by its value.
FIELD_TYPES = {
    "health_score": "number_integer",
    "health_bucket": "single_line_text_field",
    "last_survey_response": "multi_line_text_field",
    "product_pref_tag": "single_line_text_field",
    "trust_rating": "single_line_text_field",
    "rfm_group": "single_line_text_field",
}

# What a mutation was seen to cost, until the first answer says.
EXPECTED_COST = 13.0

# Points that come back each second on the smallest of Shopify's plans.
RESTORED = 100.0

_SET = "metafieldsSet(metafields: $set) { userErrors { field message code elementIndex } }"
_CLEAR = "metafieldsDelete(metafields: $clear) { userErrors { field message } }"
_SET_VARIABLE = "$set: [MetafieldsSetInput!]!"
_CLEAR_VARIABLE = "$clear: [MetafieldIdentifierInput!]!"
SET_DOCUMENT = f"mutation HealthSet({_SET_VARIABLE}) {{ {_SET} }}"
CLEAR_DOCUMENT = f"mutation HealthClear({_CLEAR_VARIABLE}) {{ {_CLEAR} }}"
BOTH_DOCUMENT = (
    f"mutation HealthSetAndClear({_SET_VARIABLE}, {_CLEAR_VARIABLE}) {{ {_SET} {_CLEAR} }}"
)


@dataclass(frozen=True)
class Write:
    """One metafield of one row; `value` is None to clear it."""

    row: Row
    key: str
    value: str | None
    type: str


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


def writes(row: Row) -> list[Write]:
    """The metafields of a row that have to change, one each."""
    found = []
    for key, value in changes(row).items():
        stored = metafield(key, value)
        kind, text = stored if stored else ("", None)
        found.append(Write(row, key, text, kind))
    return found


def owner(row: Row) -> str:
    """The global id of the customer a row belongs to."""
    return f"gid://shopify/Customer/{row.object_id}"


def batches(rows: Iterable[Row], sizes: Sizes) -> Iterator[list[Row]]:
    """Rows in order, as many as one call takes: so many metafields to set and so many to clear.

    A customer is never split over two batches; one who alone is too much has a batch of several
    calls.
    """
    batch: list[Row] = []
    to_set = to_clear = 0
    for row in rows:
        found = writes(row)
        clears = sum(write.value is None for write in found)
        sets = len(found) - clears
        most = sizes.metafields_per_call
        if batch and (to_set + sets > most or to_clear + clears > most):
            yield batch
            batch, to_set, to_clear = [], 0, 0
        batch.append(row)
        to_set += sets
        to_clear += clears
    if batch:
        yield batch


def calls(rows: Sequence[Row], sizes: Sizes) -> list[tuple[list[Write], list[Write]]]:
    """The calls of a batch, each as (metafields to set, metafields to clear)."""
    found = [write for row in rows for write in writes(row)]
    sets = [write for write in found if write.value is not None]
    clears = [write for write in found if write.value is None]
    most = sizes.metafields_per_call
    starts = range(0, max(len(sets), len(clears)), most)
    return [(sets[start : start + most], clears[start : start + most]) for start in starts]


def estimate(rows: Iterable[Row], sizes: Sizes) -> Estimate:
    """What sending all of these rows of one shop takes; calls nobody."""
    count = sum(len(calls(batch, sizes)) for batch in batches(rows, sizes))
    return Estimate("calls", count, count * EXPECTED_COST / RESTORED)


def open_sender(
    connection: Connection,
    sizes: Sizes,
    patience: wire.Patience,
    estimate: Estimate,
    *,
    sleep: Sleep = time.sleep,
) -> Shopify:
    """A sender of metafields by calls."""
    return Shopify(connection, sizes, patience, sleep=sleep)


def request_body(sets: Sequence[Write], clears: Sequence[Write]) -> dict[str, Any]:
    """The GraphQL request of one call."""
    variables: dict[str, Any] = {}
    if sets:
        variables["set"] = [
            {
                "ownerId": owner(write.row),
                "namespace": NAMESPACE,
                "key": write.key,
                "type": write.type,
                "value": write.value,
            }
            for write in sets
        ]
    if clears:
        variables["clear"] = [
            {"ownerId": owner(write.row), "namespace": NAMESPACE, "key": write.key}
            for write in clears
        ]
    document = BOTH_DOCUMENT if sets and clears else SET_DOCUMENT if sets else CLEAR_DOCUMENT
    return {"query": document, "variables": variables}


def refusals(errors: Iterable[Mapping[str, Any]], sent: Sequence[Write]) -> dict[str, Refusal]:
    """User errors by the id of the customer they speak of.

    The position is in `field` (`["metafields", "1", "ownerId"]`) or in `elementIndex`; an error
    without either names nobody and is left out.
    """
    found: dict[str, Refusal] = {}
    for error in errors:
        position = _position(error)
        if position is None or position >= len(sent):
            continue
        write = sent[position]
        code = error.get("code")
        found.setdefault(
            write.row.object_id,
            Refusal(
                row=write.row,
                message=str(error.get("message") or "no reason"),
                code=None if code is None else str(code),
                field=None if "ownerId" in (error.get("field") or []) else write.key,
            ),
        )
    return found


def _position(error: Mapping[str, Any]) -> int | None:
    for part in error.get("field") or []:
        if str(part).isdecimal():
            return int(part)
    index = error.get("elementIndex")
    return index if isinstance(index, int) else None


class Shopify:
    """Sends batches to one shop's Admin API. Close it when done."""

    def __init__(
        self,
        connection: Connection,
        sizes: Sizes,
        patience: wire.Patience,
        *,
        sleep: Sleep = time.sleep,
    ) -> None:
        self._sizes = sizes
        self._api = AdminApi(
            connection,
            patience,
            need="the scope write_customers",
            advice=RUN_AGAIN,
            cost=EXPECTED_COST,
            sleep=sleep,
        )

    @property
    def calls(self) -> int:
        """How many calls were made, repeated ones counted each time."""
        return self._api.calls

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def fields(self, row: Row) -> list[str]:
        """The keys of the metafields that sending `row` writes."""
        return [write.key for write in writes(row)]

    def batches(self, rows: Iterable[Row]) -> Iterator[list[Row]]:
        """Rows in order, as many as one call takes."""
        return batches(rows, self._sizes)

    def send(self, rows: Sequence[Row]) -> Answer:
        """Write one batch.

        A call is atomic: what one customer is refused for, all are refused. So whoever an error
        names is taken out and the others are sent again; when it names nobody, the batch is
        halved until one customer is left. Raises `wire.Stopped` when Shopify cannot be reached or
        refuses the token.
        """
        left = list(rows)
        refused: list[Refusal] = []
        while left:
            errors, found, request_id = self._send_once(left)
            if not errors:
                return Answer(left, refused, request_id)
            if found:
                refused += [found[object_id] for object_id in sorted(found)]
                left = [row for row in left if row.object_id not in found]
            elif len(left) == 1:
                said = str(errors[0].get("message") or "no reason")
                code = errors[0].get("code")
                refused.append(Refusal(left[0], said, None if code is None else str(code)))
                left = []
            else:
                half = len(left) // 2
                first, second = self.send(left[:half]), self.send(left[half:])
                return Answer(
                    [*first.confirmed, *second.confirmed],
                    [*refused, *first.refused, *second.refused],
                    second.request_id or first.request_id,
                )
        return Answer([], refused, None)

    def _send_once(
        self, rows: Sequence[Row]
    ) -> tuple[list[Mapping[str, Any]], dict[str, Refusal], str | None]:
        request_id = None
        for sets, clears in calls(rows, self._sizes):
            mutations = bool(sets) + bool(clears)
            data, request_id = self._api.ask(
                request_body(sets, clears), least_cost=EXPECTED_COST * mutations
            )
            errors: list[Mapping[str, Any]] = []
            found: dict[str, Refusal] = {}
            for name, sent in (("metafieldsSet", sets), ("metafieldsDelete", clears)):
                said = (data.get(name) or {}).get("userErrors") or []
                errors += said
                found = {**refusals(said, sent), **found}
            if errors:
                return errors, found, request_id
        return [], {}, request_id
