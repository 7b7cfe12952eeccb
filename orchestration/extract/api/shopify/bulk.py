"""Bulk operations: Shopify runs a query by itself and puts the result where it can be fetched.

The id of a running operation is kept in `raw_shopify._operations` with the hash of its document,
so that a restarted extract goes on waiting for it instead of asking again, and never takes the
result of another query for its own.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import duckdb

from orchestration.extract.api import Report
from orchestration.extract.api.shopify import documents
from orchestration.extract.landing import transaction
from orchestration.vendors import bulk, pace, wire
from orchestration.vendors.bulk import Operation
from orchestration.vendors.shopify import AdminApi

_OPERATIONS = """
    shop_id varchar not null,
    stream varchar not null,
    operation_id varchar not null,
    document_hash varchar not null,
    started_at timestamp not null
"""


class Failed(wire.Stopped):
    """An operation that ended without a result; asking again may help."""


class Operations:
    """The bulk operations of one shop."""

    def __init__(
        self,
        api: AdminApi,
        connection: duckdb.DuckDBPyConnection,
        shop_id: str,
        patience: wire.Patience,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._api = api
        self._connection = connection
        self._shop_id = shop_id
        self._patience = patience
        self._sleep = sleep
        connection.execute("create schema if not exists raw_shopify")
        connection.execute(f"create table if not exists raw_shopify._operations ({_OPERATIONS})")

    def begin(self, stream: str, document: str, report: Report) -> Operation:
        """The operation of a document: the one that is known of, or one that is started now.

        Raises `wire.Stopped` when Shopify cannot be asked or will not run the document.
        """
        known = self._known(stream, document)
        found = self._look(known, resumed=True) if known is not None else None
        if found is not None and (found.under_way or found.status == "COMPLETED"):
            report(f"{stream}: going on with the bulk operation of an earlier run")
            return found
        return self._start(stream, document, report)

    def forget(self, stream: str) -> None:
        """Drop the stored id: its result has landed or cannot be used."""
        self._connection.execute(
            "delete from raw_shopify._operations where shop_id = $shop and stream = $stream",
            {"shop": self._shop_id, "stream": stream},
        )

    def _known(self, stream: str, document: str) -> str | None:
        row = self._connection.execute(
            "select operation_id from raw_shopify._operations "
            "where shop_id = $shop and stream = $stream and document_hash = $hash",
            {"shop": self._shop_id, "stream": stream, "hash": digest(document)},
        ).fetchone()
        return str(row[0]) if row else None

    def _start(self, stream: str, document: str, report: Report) -> Operation:
        body = {"query": documents.RUN, "variables": {"query": document}}
        patience = self._patience
        node, errors = bulk.begin(
            self._api,
            body,
            "bulkOperationRunQuery",
            pace.polls(patience.first_poll, patience.longest_poll, patience.job),
            self._sleep,
            lambda: report(f"{stream}: waiting for another bulk operation of the shop to end"),
        )
        if errors:
            said = "; ".join(str(error.get("message")) for error in errors)
            raise wire.Stopped(f"{self._api.who} would not run the query of {stream}: {said}")
        operation = _operation(node, resumed=False)
        with transaction(self._connection):
            self.forget(stream)
            self._connection.execute(
                "insert into raw_shopify._operations values ($shop, $stream, $id, $hash, $at)",
                {
                    "shop": self._shop_id,
                    "stream": stream,
                    "id": operation.id,
                    "hash": digest(document),
                    "at": datetime.fromisoformat(operation.created_at).replace(tzinfo=None),
                },
            )
        return operation

    def _look(self, operation_id: str, *, resumed: bool) -> Operation | None:
        found = bulk.look(self._api, operation_id)
        return replace(found, resumed=resumed) if found else None

    def wait(self, stream: str, operation: Operation, report: Report) -> Operation:
        """The operation when it is completed.

        Raises `Failed` when it ends without a result; it is then forgotten. Raises `wire.Stopped`
        when Shopify cannot be asked or takes longer than patience; then it is still known of.
        """
        patience = self._patience
        operation = bulk.follow(
            self._api,
            operation,
            pace.polls(patience.first_poll, patience.longest_poll, patience.job),
            self._sleep,
            lambda seen: report(f"{stream}: Shopify has gathered {seen.objects:,} objects"),
        )
        if operation.under_way:
            raise wire.Stopped(
                f"{self._api.who} is still gathering {stream} after "
                f"{patience.job / 60:.0f} minutes. The next extract goes on waiting for it."
            )
        if operation.status == "COMPLETED":
            return operation
        self.forget(stream)
        raise Failed(self._why(stream, operation))

    def _why(self, stream: str, operation: Operation) -> str:
        if operation.error == "ACCESS_DENIED":
            return (
                f"{self._api.who} denied the query of {stream} (ACCESS_DENIED): give the app the "
                f"scopes {', '.join(documents.SCOPES)} and access to protected customer data."
            )
        reason = f" ({operation.error})" if operation.error else ""
        return (
            f"{self._api.who} ended the query of {stream} as {operation.status}{reason}. "
            "Nothing of it has landed: run the extract again later."
        )


def digest(document: str) -> str:
    """What tells one document from another."""
    return hashlib.sha256(document.encode()).hexdigest()


def _operation(node: Mapping[str, Any], *, resumed: bool) -> Operation:
    return replace(bulk.operation_of(node), resumed=resumed)
