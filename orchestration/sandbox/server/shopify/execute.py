"""Queries and mutations, run by graphql-core over the rows of a shop."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLResolveInfo,
    execute_sync,
    get_named_type,
)

from orchestration.sandbox.server.shopify.bulk import ROOTS
from orchestration.sandbox.server.shopify.fields import CONCRETE, FIELDS
from orchestration.sandbox.server.shopify.rows import Row
from orchestration.sandbox.server.shopify.schema import SCHEMA
from orchestration.sandbox.server.shopify.search import ordered, searched
from orchestration.sandbox.server.shopify.view import View

MOST_A_PAGE = 250
MOST_IDS = 250


def run(
    document: DocumentNode, variables: dict[str, Any], view: View, root: Any
) -> ExecutionResult:
    """The answer to a document that has been validated; `root` has the mutations by name."""
    return execute_sync(
        SCHEMA,
        document,
        root_value=root,
        context_value=view,
        variable_values=variables,
        field_resolver=_resolve,
        type_resolver=lambda value, info, kind: CONCRETE.get(kind.name) or value["_type"],
    )


def _resolve(source: Any, info: GraphQLResolveInfo, **given: Any) -> Any:
    view: View = info.context
    name, parent = info.field_name, info.parent_type.name
    if parent in ("QueryRoot", "Mutation"):
        if name in ROOTS:
            kind, rows = ROOTS[name]
            found, _ = searched(rows(view), kind, given.get("query"))
            found = ordered(found, given.get("sortKey"), bool(given.get("reverse")))
            return _page(found, given, name)
        found = getattr(source, name)(view, **given)
        if get_named_type(info.return_type).name.endswith("Connection"):
            return _page(found[::-1] if given.get("reverse") else found, given, name)
        return found
    read = FIELDS.get(parent, {}).get(name)
    if read is None:
        # What a mutation answers, and what is shown of a bulk operation, has its fields by name.
        return source[name]
    value = read(source, view, given)
    if get_named_type(info.return_type).name.endswith("Connection"):
        return _page(value[::-1] if given.get("reverse") else value, given, name)
    return value


def _page(rows: list[Row], given: Mapping[str, Any], name: str) -> dict[str, Any]:
    first = given.get("first")
    if first is None:
        raise GraphQLError("you must provide one of first or last")
    if not 0 <= first <= MOST_A_PAGE:
        raise GraphQLError(f"first on {name} must be between 0 and {MOST_A_PAGE}.")
    start = _position(given.get("after"))
    page = rows[start : start + first]
    cursors = [_cursor(start + offset + 1) for offset in range(len(page))]
    return {
        "nodes": page,
        "edges": [
            {"cursor": cursor, "node": row} for cursor, row in zip(cursors, page, strict=True)
        ],
        "pageInfo": {
            "hasNextPage": start + len(page) < len(rows),
            "hasPreviousPage": start > 0,
            "startCursor": cursors[0] if cursors else None,
            "endCursor": cursors[-1] if cursors else None,
        },
    }


def _cursor(position: int) -> str:
    return base64.b64encode(f'{{"position":{position}}}'.encode()).decode()


def _position(cursor: str | None) -> int:
    if cursor is None:
        return 0
    try:
        text = base64.b64decode(cursor, validate=True).decode()
        return int(text.removeprefix('{"position":').removesuffix("}"))
    except ValueError as error:
        raise GraphQLError("Invalid cursor for current pagination sort.") from error
