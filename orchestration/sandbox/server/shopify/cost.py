"""What a call costs, and the bucket that it is taken from.

An object costs 1 point, a mutation 10, scalars nothing. A connection costs less than its nodes one
by one: Shopify does not publish how much less. The formula here gives the recorded 25 for a product
with 250 variants that have an inventory item each. What is asked for but not there is given back.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    InlineFragmentNode,
    OperationType,
    get_named_type,
    is_composite_type,
    value_from_ast_untyped,
)

from orchestration.sandbox.server.shopify.schema import SCHEMA, operation_of

MUTATION = 10
MOST = 1000
_WRAPPERS = ("nodes", "edges", "node", "pageInfo")


@dataclass
class Buckets:
    """The leaky bucket of each shop: (points, points restored a second) in `size`."""

    clock: Callable[[], float]
    _seen: dict[str, tuple[float, float]] = field(default_factory=dict)

    def available(self, shop: str, size: tuple[float, float]) -> float:
        """The points that a shop has now."""
        now = self.clock()
        most, rate = size
        points, seen = self._seen.get(shop, (most, now))
        return min(most, points + rate * (now - seen))

    def left(self, shop: str, points: float) -> None:
        """Say what a call has left in the bucket."""
        self._seen[shop] = (points, self.clock())


def requested(document: DocumentNode, variables: Mapping[str, Any]) -> int:
    """What a document costs at most."""
    operation = operation_of(document)
    if operation.operation is OperationType.MUTATION:
        return MUTATION * len(operation.selection_set.selections)
    fragments = {
        d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)
    }
    return max(1, _selection(SCHEMA.query_type, operation, variables, fragments))


def actual(document: DocumentNode, data: Any, asked: int) -> int:
    """What an answer costs: a mutation all that was asked, a query the objects that are there."""
    if operation_of(document).operation is OperationType.MUTATION:
        return asked
    return max(1, min(asked, _objects(data) - 1))


def _selection(kind: Any, node: Any, variables: Mapping[str, Any], fragments: Any) -> int:
    total = 0
    for selection in node.selection_set.selections if node.selection_set else ():
        if not isinstance(selection, FieldNode):
            fragment = (
                selection
                if isinstance(selection, InlineFragmentNode)
                else fragments[selection.name.value]
            )
            condition = fragment.type_condition
            inner = SCHEMA.type_map[condition.name.value] if condition else kind
            total += _selection(inner, fragment, variables, fragments)
            continue
        name = selection.name.value
        definition = getattr(kind, "fields", {}).get(name)
        below = get_named_type(definition.type) if definition else None
        if below is None or not is_composite_type(below):
            continue
        given = {
            a.name.value: value_from_ast_untyped(a.value, dict(variables))
            for a in selection.arguments
        }
        inside = _selection(below, selection, variables, fragments)
        if below.name.endswith("Connection"):
            total += math.ceil(math.sqrt(int(given.get("first") or 1)) * (1 + inside / 2))
        elif name == "nodes" and "ids" in given:
            total += len(given["ids"] or []) * (1 + inside)
        else:
            total += inside + (name not in _WRAPPERS)
    return total


def _objects(value: Any) -> int:
    if isinstance(value, list):
        return sum(_objects(item) for item in value)
    if not isinstance(value, dict):
        return 0
    return 1 + sum(
        _objects(inner) - (name in ("edges", "pageInfo") and isinstance(inner, dict))
        for name, inner in value.items()
    )


def told(
    size: tuple[float, float], asked: int, spent: int | None, available: float
) -> dict[str, Any]:
    """`extensions` of an answer; `spent` is None when nothing was done."""
    most, rate = size
    return {
        "cost": {
            "requestedQueryCost": asked,
            "actualQueryCost": spent,
            "throttleStatus": {
                "maximumAvailable": most,
                "currentlyAvailable": int(available),
                "restoreRate": rate,
            },
        }
    }
