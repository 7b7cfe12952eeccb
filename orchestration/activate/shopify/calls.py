"""Writing by calls: 25 metafields and the tags of their customers in one request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from orchestration.activate.ledger import Answer, Refusal
from orchestration.activate.plan import Row, Sizes
from orchestration.activate.shopify.documents import write_document
from orchestration.activate.shopify.standing import Standing
from orchestration.activate.shopify.writes import (
    Part,
    Tagging,
    Write,
    clear_input,
    owner,
    set_input,
    writes,
)
from orchestration.vendors.shopify import AdminApi

# What a mutation was seen to cost (10 to 13 points), until the first answer says.
EXPECTED_COST = 13.0

# A request may cost 1,000 points, and a mutation costs 10. Half of that: mutations of one request
# run one after the other, and a request must be answered within a minute.
MOST_TAGGINGS = 50

Item = TypeVar("Item")


@dataclass(frozen=True)
class Call:
    """One request: metafields to set, metafields to clear, tags to take away and to add."""

    sets: Sequence[Write] = ()
    clears: Sequence[Write] = ()
    taggings: Sequence[Tagging] = ()

    @property
    def mutations(self) -> int:
        """How many mutations it holds; each has its price."""
        return bool(self.sets) + bool(self.clears) + len(self.taggings)


def most_taggings(most_points: float) -> int:
    """How many customers' tags fit into a request, by the points that a bucket holds at most."""
    return max(1, min(MOST_TAGGINGS, int(most_points / EXPECTED_COST) - 2))


def batches(rows: Iterable[Row], sizes: Sizes, most: int = MOST_TAGGINGS) -> Iterator[list[Row]]:
    """Rows in order, as many as one call takes.

    A call takes so many metafields to set, so many to clear, and `most` changes of tags. A customer
    is never split over two batches; one who alone is too much has a batch of several calls.
    """
    batch: list[Row] = []
    to_set = to_clear = to_tag = 0
    for row in rows:
        found = writes(row)
        sets, clears, tags = len(found.sets), len(found.clears), len(found.taggings)
        full = max(to_set + sets, to_clear + clears) > sizes.metafields_per_call
        if batch and (full or to_tag + tags > most):
            yield batch
            batch, to_set, to_clear, to_tag = [], 0, 0, 0
        batch.append(row)
        to_set, to_clear, to_tag = to_set + sets, to_clear + clears, to_tag + tags
    if batch:
        yield batch


def calls(rows: Sequence[Row], sizes: Sizes, most: int = MOST_TAGGINGS) -> list[Call]:
    """The calls of a batch."""
    found = [writes(row) for row in rows]
    sets = _cut([write for its in found for write in its.sets], sizes.metafields_per_call)
    clears = _cut([write for its in found for write in its.clears], sizes.metafields_per_call)
    changed = [tagging for its in found for tagging in its.taggings]
    # All that go before all that come: a document has one form for each pair of numbers.
    tags = _cut(sorted(changed, key=lambda tagging: tagging.part is Part.TAG), most)
    longest = max(len(sets), len(clears), len(tags))
    return [
        Call(_at(sets, position), _at(clears, position), _at(tags, position))
        for position in range(longest)
    ]


def _cut(items: Sequence[Item], most: int) -> list[Sequence[Item]]:
    return [items[start : start + most] for start in range(0, len(items), most)]


def _at(pieces: Sequence[Sequence[Item]], position: int) -> Sequence[Item]:
    return pieces[position] if position < len(pieces) else ()


def request_body(call: Call) -> dict[str, Any]:
    """The GraphQL request of one call."""
    variables: dict[str, Any] = {}
    if call.sets:
        variables["set"] = [set_input(write) for write in call.sets]
    if call.clears:
        variables["clear"] = [clear_input(write) for write in call.clears]
    for number, tagging in enumerate(call.taggings):
        variables[f"i{number}"] = owner(tagging.row)
        variables[f"t{number}"] = list(tagging.tags)
    removals = sum(tagging.part is Part.UNTAG for tagging in call.taggings)
    document = write_document(
        bool(call.sets), bool(call.clears), removals, len(call.taggings) - removals
    )
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
        names_owner = "ownerId" in (error.get("field") or [])
        refusal = refusal_of(write.row, error, None if names_owner else write.key)
        found.setdefault(write.row.object_id, refusal)
    return found


def refusal_of(row: Row, error: Mapping[str, Any], field: str | None = None) -> Refusal:
    """A user error of a row, in the vendor's words."""
    code = error.get("code")
    words = str(error.get("message") or "no reason")
    return Refusal(row, words, None if code is None else str(code), field)


def tag_refusal(tagging: Tagging, error: Mapping[str, Any]) -> Refusal:
    """A user error of a change of tags."""
    names_owner = "id" in (error.get("field") or [])
    return refusal_of(tagging.row, error, None if names_owner else f"tag:{tagging.tags[0]}")


def judge_tags(tagging: Tagging, payload: Mapping[str, Any], standing: Standing) -> None:
    """Say of one change of tags what became of it."""
    errors = payload.get("userErrors") or []
    if errors:
        standing.refuse(tag_refusal(tagging, errors[0]))
    elif tagging.part is Part.TAG or tagging.was_there:
        standing.take(tagging.row)


def changed_rows(sent: Sequence[Write], payload: Mapping[str, Any]) -> list[Row]:
    """The rows that a mutation without errors has changed: what was not there is not deleted."""
    if "deletedMetafields" not in payload:
        return [write.row for write in sent]
    deleted = payload["deletedMetafields"] or []
    return [write.row for write, gone in zip(sent, deleted, strict=False) if gone is not None]


def _position(error: Mapping[str, Any]) -> int | None:
    for part in error.get("field") or []:
        if str(part).isdecimal():
            return int(part)
    index = error.get("elementIndex")
    return index if isinstance(index, int) else None


class CallRoute:
    """Sends calls and finds out who in them is refused.

    A mutation of metafields is atomic: what one customer is refused for, all are refused. So
    whoever an error names is taken out and the others are sent again; when it names nobody, the
    customers are halved until one is left.
    """

    def __init__(self, api: AdminApi, sizes: Sizes) -> None:
        self._api = api
        self._sizes = sizes
        self.request_id: str | None = None

    @property
    def most_taggings(self) -> int:
        """How many changes of tags go into a request, by the bucket as it was last seen."""
        bucket = self._api.bucket
        return MOST_TAGGINGS if bucket is None else most_taggings(bucket.maximum)

    def send(self, rows: Sequence[Row]) -> Answer:
        """Write one batch. Raises `wire.Stopped` when Shopify cannot go on."""
        standing = Standing(rows)
        for call in calls(rows, self._sizes, self.most_taggings):
            self.send_call(call, standing)
        return standing.answer(self.request_id)

    def send_call(self, call: Call, standing: Standing) -> None:
        """Write one call, and again what was refused for the sake of others."""
        cost = EXPECTED_COST * call.mutations
        data, self.request_id = self._api.ask(request_body(call), least_cost=cost)
        for number, tagging in enumerate(call.taggings):
            judge_tags(tagging, data.get(f"m{number}") or {}, standing)
        for part, sent in ((Part.SET, call.sets), (Part.CLEAR, call.clears)):
            self._judge(part, sent, data.get(part) or {}, standing)

    def _judge(
        self, part: Part, sent: Sequence[Write], payload: Mapping[str, Any], standing: Standing
    ) -> None:
        """Say of every customer of one mutation of metafields what became of it."""
        errors = payload.get("userErrors") or []
        if not errors:
            for row in changed_rows(sent, payload):
                standing.take(row)
            return
        found = refusals(errors, sent)
        for refusal in found.values():
            standing.refuse(refusal)
        left = [write for write in sent if write.row.object_id not in found]
        owners = list(dict.fromkeys(write.row.object_id for write in left))
        if not found and len(owners) == 1:
            standing.refuse(refusal_of(left[0].row, errors[0]))
            return
        first = set(owners if found else owners[: len(owners) // 2])
        for half in (
            [write for write in left if write.row.object_id in first],
            [write for write in left if write.row.object_id not in first],
        ):
            if half:
                call = Call(sets=half) if part is Part.SET else Call(clears=half)
                self.send_call(call, standing)
