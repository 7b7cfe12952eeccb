"""Bulk operations: begun, looked at, finished, cancelled; their results are files to fetch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from orchestration.sandbox.server.faults import Fault
from orchestration.sandbox.server.shopify.readers import gid

# Of each kind, since version 2026-01.
MOST_AT_ONCE = 5


@dataclass
class Operation:
    """One bulk operation. Looking at it moves it on."""

    number: int
    kind: str
    query: str
    created_at: datetime
    lines: list[str]
    roots: int
    fault: Fault | None = None
    denied: bool = False
    looks: int = 0
    status: str = "CREATED"
    base: str = ""
    variables: list[dict[str, Any]] = field(default_factory=list)

    @property
    def gid(self) -> str:
        """Its global id."""
        return gid("BulkOperation", self.number)

    @property
    def running(self) -> bool:
        """Whether it takes up one of the places for operations at once."""
        return self.status in ("CREATED", "RUNNING", "CANCELING")

    def looked_at(self, looks: int, work: Callable[[], list[str]]) -> None:
        """Move on: created, then running, and done after `looks` looks.

        A mutation is run (`work` gives its lines) when it comes to its end.
        """
        self.looks += 1
        if not self.running:
            return
        self._move(looks)
        if not self.running and self.variables:
            self.lines, self.variables = work(), []
            self.roots = len(self.lines)

    def _move(self, looks: int) -> None:
        if self.status == "CANCELING":
            self.status = "CANCELED"
        elif self.looks <= looks:
            self.status = "CREATED" if self.looks == 1 else "RUNNING"
        elif self.denied or self.fault is Fault.FAILED_BULK:
            self.status = "FAILED"
        elif self.fault is Fault.EXPIRED_BULK:
            self.status = "EXPIRED"
        elif self.fault is Fault.CANCELED_BULK:
            self.status = "CANCELED"
        else:
            self.status = "COMPLETED"

    def content(self) -> bytes:
        """The result as a file; with lines missing, if that is the fault it has."""
        kept = self.lines
        if self.fault is Fault.LOST_LINES:
            # Every hundredth line, and one at least.
            kept = [line for position, line in enumerate(self.lines) if position % 100]
        elif self.fault is Fault.FAILED_BULK:
            kept = self.lines[: len(self.lines) // 2]
        return "".join(line + "\n" for line in kept).encode()

    def shown(self) -> dict[str, Any]:
        """The operation as GraphQL tells of it."""
        done = self.status == "COMPLETED"
        ended = done or self.status in ("FAILED", "CANCELED", "EXPIRED")
        part = len(self.lines) // 2 if self.status in ("RUNNING", "CANCELED") else 0
        if self.kind == "MUTATION" and self.status == "CANCELED":
            part = len(self.lines)
        failed = self.status in ("FAILED", "CANCELED") and not self.denied
        link = f"{self.base}/bulk/{self.number}.jsonl"
        return {
            "_type": "BulkOperation",
            "id": self.gid,
            "type": self.kind,
            "status": self.status,
            "errorCode": self._error_code(),
            "query": self.query,
            "createdAt": self.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "completedAt": self.created_at.strftime("%Y-%m-%dT%H:%M:%SZ") if ended else None,
            # UnsignedInt64 is a string on the wire.
            "objectCount": str(len(self.lines) if done else part),
            "rootObjectCount": str(self.roots if done else min(part, self.roots)),
            "fileSize": str(len(self.content())) if done and self.lines else None,
            "url": link if done and self.lines else None,
            "partialDataUrl": link if failed and self.lines else None,
        }

    def _error_code(self) -> str | None:
        if self.status != "FAILED":
            return None
        return "ACCESS_DENIED" if self.denied else "INTERNAL_SERVER_ERROR"


@dataclass
class Operations:
    """The bulk operations of all shops, and the files that were uploaded for them."""

    _found: dict[str, list[Operation]] = field(default_factory=dict)
    uploads: dict[tuple[str, str], bytes] = field(default_factory=dict)
    _count: int = 0

    def begin(self, shop: str, **given: Any) -> Operation:
        """A new operation of a shop."""
        self._count += 1
        found = Operation(number=self._count, created_at=datetime.now(UTC), **given)
        self._found.setdefault(shop, []).append(found)
        return found

    def busy(self, shop: str, kind: str) -> list[Operation]:
        """The operations of a kind that are not at their end."""
        return [o for o in self._found.get(shop, []) if o.kind == kind and o.running]

    def find(self, shop: str, operation_id: str) -> Operation | None:
        """An operation by its global id."""
        return next((o for o in self._found.get(shop, []) if o.gid == operation_id), None)

    def latest(self, shop: str, kind: str) -> Operation | None:
        """The newest operation of a kind."""
        return next((o for o in reversed(self._found.get(shop, [])) if o.kind == kind), None)

    def all(self, shop: str) -> list[Operation]:
        """All operations of a shop, the oldest first."""
        return list(self._found.get(shop, []))

    def numbered(self, shop: str, number: int) -> Operation | None:
        """An operation by the number in its result's address."""
        return next((o for o in self._found.get(shop, []) if o.number == number), None)
