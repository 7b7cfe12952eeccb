"""Shopify's bulk operations of either kind: begun when there is room, followed to their end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from orchestration.vendors.shopify import AdminApi

LOOK = """query HealthBulkState($id: ID!) {
  bulkOperation(id: $id) {
    id status errorCode createdAt objectCount rootObjectCount fileSize url partialDataUrl
  }
}"""

UNDER_WAY = ("CREATED", "RUNNING", "CANCELING")
BUSY = ("OPERATION_IN_PROGRESS", "LIMIT_REACHED")


@dataclass(frozen=True)
class Operation:
    """A bulk operation as Shopify last told of it; `url` is None when its result is empty.

    `created_at` is Shopify's own time of its start: whatever changes later is asked for next time.
    `partial_url` has what an operation that failed did before.
    """

    id: str
    status: str
    error: str | None
    created_at: str
    objects: int
    roots: int
    size: int | None
    url: str | None
    partial_url: str | None = None
    resumed: bool = False

    @property
    def under_way(self) -> bool:
        """Whether it has not come to its end."""
        return self.status in UNDER_WAY


def operation_of(node: Mapping[str, Any]) -> Operation:
    """An operation from what GraphQL gives; `LOOK` asks for all of it."""
    size = node.get("fileSize")
    return Operation(
        id=str(node["id"]),
        status=str(node["status"]),
        error=node.get("errorCode"),
        created_at=str(node["createdAt"]),
        objects=int(node.get("objectCount") or 0),
        roots=int(node.get("rootObjectCount") or 0),
        size=None if size is None else int(size),
        url=node.get("url"),
        partial_url=node.get("partialDataUrl"),
    )


def look(api: AdminApi, operation_id: str) -> Operation | None:
    """An operation as it stands, None when Shopify knows it no more."""
    body = {"query": LOOK, "variables": {"id": operation_id}}
    node = api.ask(body)[0].get("bulkOperation")
    return operation_of(node) if node else None


def begin(
    api: AdminApi,
    body: Mapping[str, Any],
    mutation: str,
    pauses: Iterator[float],
    sleep: Callable[[float], None],
    waiting: Callable[[], None] = lambda: None,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Begin an operation, asking again after each pause while Shopify runs as many as it may.

    `mutation` is the root field of `body`. Gives the operation's node, or the user errors when it
    will not run or the pauses are over.
    """
    while True:
        answer = api.ask(body)[0].get(mutation) or {}
        errors = answer.get("userErrors") or []
        if not errors:
            return answer.get("bulkOperation") or {}, []
        pause = next(pauses, None)
        if pause is None or not any(error.get("code") in BUSY for error in errors):
            return {}, errors
        waiting()
        sleep(pause)


def follow(
    api: AdminApi,
    operation: Operation,
    pauses: Iterator[float],
    sleep: Callable[[float], None],
    seen: Callable[[Operation], None] = lambda operation: None,
) -> Operation:
    """The operation at its end, or still under way when the pauses are over."""
    while operation.under_way:
        pause = next(pauses, None)
        if pause is None:
            break
        seen(operation)
        sleep(pause)
        found = look(api, operation.id) or replace(operation, status="EXPIRED")
        operation = replace(found, resumed=operation.resumed)
    return operation
