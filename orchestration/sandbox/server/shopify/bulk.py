"""A bulk query: what Shopify refuses of it, and the flat lines that it results in.

The selection is compiled once into functions of a row. graphql-core's executor asks of every value
anew what it is, which takes minutes for what these functions do in a second.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLObjectType,
    InlineFragmentNode,
    OperationType,
    SelectionSetNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
)
from graphql.execution.values import get_argument_values

from orchestration.sandbox.server.shopify.fields import CONCRETE, FIELDS
from orchestration.sandbox.server.shopify.readers import Field
from orchestration.sandbox.server.shopify.rows import Row
from orchestration.sandbox.server.shopify.schema import SCHEMA, document_of, operation_of
from orchestration.sandbox.server.shopify.search import ordered, searched
from orchestration.sandbox.server.shopify.view import View

MOST_CONNECTIONS = 5
MOST_DEPTH = 2

# The connections that a bulk query can begin with: field -> (type of its rows, where they are).
ROOTS: dict[str, tuple[str, Callable[[View], list[Row]]]] = {
    "customers": ("Customer", View.customers),
    "orders": ("Order", View.orders),
    "products": ("Product", View.products),
}
# From the row of a line to the object or the rows below it.
Way = Callable[[Any, View], Any]

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


class Refused(Exception):
    """A bulk query that Shopify would not run, and its words."""


@dataclass
class _Plan:
    """How a row becomes an object, and which connections hang below it."""

    values: list[tuple[str, Field, Mapping[str, Any]]] = field(default_factory=list)
    children: list[tuple[Way, _Plan]] = field(default_factory=list)

    def value(self, row: Any, view: View) -> dict[str, Any]:
        return {name: read(row, view, given) for name, read, given in self.values}


@dataclass(frozen=True)
class Bulk:
    """A bulk query, ready to run."""

    root: str
    query: str | None
    sort: str | None
    plan: _Plan

    def lines(self, view: View, seed: int) -> tuple[list[str], int]:
        """All lines of the result, in an order that means nothing, and how many are roots."""
        kind, rows = ROOTS[self.root]
        found, _ = searched(rows(view), kind, self.query)
        lines: list[str] = []
        for row in ordered(found, self.sort, False):
            lines += _flat(self.plan, row, view, None)
        # Shopify promises no order; the same seed gives the same one.
        random.Random(seed).shuffle(lines)  # noqa: S311
        return lines, len(found)


def _flat(plan: _Plan, row: Row, view: View, parent: str | None) -> Iterator[str]:
    found = plan.value(row, view)
    own = found.get("id")
    if parent is not None:
        found["__parentId"] = parent
    yield _encode(found)
    for read, child_plan in plan.children:
        for child in read(row, view) or ():
            yield from _flat(child_plan, child, view, own)


def compiled(text: str) -> Bulk:
    """A bulk query from its text. Raises `Refused` with what Shopify would say."""
    document, problems = document_of(text)
    if document is None:
        raise Refused("Invalid bulk query: " + problems[0]["message"])
    operation = operation_of(document)
    if operation.operation is not OperationType.QUERY:
        raise Refused("Invalid bulk query: only queries can be run in bulk.")
    (selection, *others) = operation.selection_set.selections
    if others or not isinstance(selection, FieldNode) or selection.name.value not in ROOTS:
        raise Refused("Bulk queries must contain at least one connection.")
    root = SCHEMA.query_type
    assert root is not None
    given = get_argument_values(root.fields[selection.name.value], selection, {})
    compiler = _Compiler(document)
    plan = compiler.connection(root.fields[selection.name.value].type, selection, 0)
    if compiler.connections > MOST_CONNECTIONS:
        raise Refused(f"Bulk queries cannot contain more than {MOST_CONNECTIONS} connections.")
    return Bulk(selection.name.value, given.get("query"), given.get("sortKey"), plan)


@dataclass(frozen=True)
class _Place:
    """Where an object stands in another: its name there, how it is read, and the way to it."""

    key: str
    read: Field
    given: Mapping[str, Any]
    way: Way


class _Compiler:
    def __init__(self, document: DocumentNode) -> None:
        self._fragments = {
            d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)
        }
        self.connections = 0

    def connection(self, kind: Any, node: FieldNode, depth: int) -> _Plan:
        """The plan of a connection's nodes, whether by `edges` or by `nodes`."""
        self.connections += 1
        if depth > MOST_DEPTH:
            raise Refused(
                f"Bulk queries cannot contain connections with a nesting depth greater than "
                f"{MOST_DEPTH}."
            )
        plan = _Plan()
        for name, inner in self._below(kind, node):
            if name == "nodes":
                self._into(plan, self._type(kind, "nodes"), inner, depth, None)
            elif name == "edges":
                edge = self._type(kind, "edges")
                for deeper, leaf in self._below(edge, inner):
                    if deeper == "node":
                        self._into(plan, self._type(edge, "node"), leaf, depth, None)
        if plan.children and "id" not in {name for name, _, _ in plan.values}:
            raise Refused(
                "The parent 'node' field for a nested connection must select the 'id' field "
                "without an alias and must be of 'ID' return type. Connection fields without 'id': "
                f"{node.name.value}."
            )
        return plan

    def _below(self, kind: Any, node: FieldNode) -> Iterator[tuple[str, FieldNode]]:
        for selection in self._selected(get_named_type(kind), node.selection_set):
            yield selection.name.value, selection

    def _type(self, kind: Any, name: str) -> Any:
        return _fields_of(kind)[name].type

    def _selected(self, kind: Any, given: SelectionSetNode | None) -> Iterator[FieldNode]:
        """The fields of a selection, fragments opened; those of another type are left out."""
        for selection in given.selections if given else ():
            if isinstance(selection, FieldNode):
                yield selection
                continue
            fragment: Any = selection
            if not isinstance(selection, InlineFragmentNode):
                fragment = self._fragments[fragment.name.value]
            if fragment.type_condition is None or _fits(kind, fragment.type_condition.name.value):
                yield from self._selected(kind, fragment.selection_set)

    def _into(
        self,
        plan: _Plan,
        kind: Any,
        node: FieldNode,
        depth: int,
        way: Way | None,
    ) -> None:
        """Add what a selection asks of a type to a plan; `way` leads from the row to here."""
        concrete = _concrete(kind)
        for selection in self._selected(concrete, node.selection_set):
            name, key = selection.name.value, (selection.alias or selection.name).value
            if name == "__typename":
                plan.values.append((key, _always(concrete.name), {}))
                continue
            definition = concrete.fields[name]
            read, given = (
                FIELDS[concrete.name][name],
                get_argument_values(definition, selection, {}),
            )
            if get_named_type(definition.type).name.endswith("Connection"):
                below = self.connection(definition.type, selection, depth + 1)
                plan.children.append((_chained(way, read, given), below))
            elif not is_composite_type(get_named_type(definition.type)):
                plan.values.append((key, read, given))
            else:
                here = _Place(key, read, given, _chained(way, read, given))
                self._object(plan, definition.type, selection, depth, here)

    def _object(self, plan: _Plan, kind: Any, node: FieldNode, depth: int, here: _Place) -> None:
        inner = _Plan()
        self._into(inner, kind, node, depth, here.way)
        if isinstance(get_nullable_type(kind), GraphQLList):
            if inner.children:
                raise Refused(
                    "Queries that contain a connection field within a list field are not "
                    "currently supported."
                )
            plan.values.append((here.key, _each(here.read, inner), here.given))
            return
        plan.children += inner.children
        plan.values.append((here.key, _nested(here.read, inner), here.given))


def _fields_of(kind: Any) -> dict[str, Any]:
    found: dict[str, Any] = get_named_type(kind).fields
    return found


def _concrete(kind: Any) -> GraphQLObjectType:
    named = get_named_type(kind)
    found = SCHEMA.type_map[CONCRETE.get(named.name, named.name)]
    if not isinstance(found, GraphQLObjectType):
        raise Refused(f"Bulk queries cannot select {named.name}.")
    return found


def _fits(kind: Any, condition: str) -> bool:
    wanted = SCHEMA.type_map[condition]
    if isinstance(wanted, GraphQLInterfaceType):
        return SCHEMA.is_sub_type(wanted, kind)
    return bool(kind.name == condition)


def _always(value: Any) -> Field:
    return lambda row, view, given: value


def _chained(way: Way | None, read: Field, given: Mapping[str, Any]) -> Way:
    def found(row: Any, view: View) -> Any:
        above = row if way is None else way(row, view)
        return None if above is None else read(above, view, given)

    return found


def _nested(read: Field, plan: _Plan) -> Field:
    def found(row: Any, view: View, given: Mapping[str, Any]) -> Any:
        value = read(row, view, given)
        return None if value is None else plan.value(value, view)

    return found


def _each(read: Field, plan: _Plan) -> Field:
    def found(row: Any, view: View, given: Mapping[str, Any]) -> Any:
        return [plan.value(value, view) for value in read(row, view, given)]

    return found
