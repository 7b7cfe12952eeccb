"""Shopify: the shop by one query, customers, products and orders by bulk queries.

Each stream lands in one transaction with its cursor, Shopify's own time of the query's start. The
next extract asks for what was updated since then, less an overlap.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from orchestration.errors import HealthError
from orchestration.extract.api import Report, loads
from orchestration.extract.api.shopify import documents, lines, selects, staging
from orchestration.extract.api.shopify.bulk import Failed, Operations
from orchestration.extract.files import TableResult
from orchestration.settings import Connection
from orchestration.vendors import wire
from orchestration.vendors.bulk import Operation
from orchestration.vendors.download import Gone, download
from orchestration.vendors.shopify import AdminApi

SOURCE = "shopify"
STREAMS = ("customers", "products", "orders")
OVERLAP = timedelta(minutes=5)
"""How much earlier than the cursor is asked for: clocks of one vendor may differ."""

PATIENCE = wire.Patience(job=6 * 3600.0)

_SELECTS: Mapping[str, Callable[[], dict[str, str]]] = {
    "customers": selects.customers,
    "products": selects.products,
    "orders": selects.orders,
}


def extract(
    connection: Connection,
    shop_id: str,
    warehouse: duckdb.DuckDBPyConnection,
    moment: datetime,
    full: bool,
    report: Report,
    *,
    patience: wire.Patience | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> list[TableResult]:
    """Bring what is new of a shop into the raw tables; see `orchestration.extract.api.Extract`."""
    patience = patience or PATIENCE
    scopes = ", ".join(documents.SCOPES)
    api = AdminApi(connection, patience, need=f"the scopes {scopes}", sleep=sleep)
    try:
        operations = Operations(api, warehouse, shop_id, patience, sleep=sleep)
        run = _Run(api, operations, warehouse, shop_id, moment, patience, sleep, report)
        results, note = run.shop()
        begun = {stream: run.begin(stream, full) for stream in STREAMS}
        for stream in STREAMS:
            results += run.stream(stream, begun[stream], full)
        return [replace(r, note=note) if r.table == "orders" and note else r for r in results]
    finally:
        api.close()
        staging.unstage(warehouse)


def since(cursor: str | None, full: bool) -> str | None:
    """From when on a stream is asked for, ISO 8601 in UTC; None for everything."""
    if full or cursor is None:
        return None
    moment = datetime.fromisoformat(cursor).astimezone(UTC) - OVERLAP
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class _Run:
    """One extract of one shop: what its steps share."""

    api: AdminApi
    operations: Operations
    warehouse: duckdb.DuckDBPyConnection
    shop_id: str
    moment: datetime
    patience: wire.Patience
    sleep: Callable[[float], None]
    report: Report

    def shop(self) -> tuple[list[TableResult], str | None]:
        """Land the shop itself. The second value says what the app's scopes keep from us.

        Raises `wire.Stopped` when a scope is missing without which nothing can be read.
        """
        data, _ = self.api.ask({"query": documents.SHOP})
        handles = {
            str(scope["handle"])
            for scope in (data.get("currentAppInstallation") or {}).get("accessScopes") or []
        }
        missing = {
            scope: what
            for scope, what in documents.SCOPES.items()
            if not handles & {scope, scope.replace("read_", "write_")}
        }
        if missing:
            wanted = "; ".join(f"{scope} ({what})" for scope, what in missing.items())
            raise wire.Stopped(
                f"{self.api.who} has not granted the app all that is needed: add {wanted}, and "
                "install the app on the shop again."
            )
        note = None
        if documents.ALL_ORDERS not in handles:
            note = (
                f"{self.api.who} shows orders of the last 60 days alone: the app lacks the scope "
                f"{documents.ALL_ORDERS}, which Shopify grants on request."
            )
        folder = loads.spool_folder(self._warehouse_path, SOURCE, self.shop_id, "shop")
        file = folder / "shop.jsonl"
        file.write_text(json.dumps(data))
        staging.stage_shop(self.warehouse, file, self.api.who)
        results = self._land("shop", selects.shop(), [], None)
        shutil.rmtree(folder)
        return results, note

    def begin(self, stream: str, full: bool) -> Operation:
        """The bulk operation of a stream, started or found under way."""
        cursor = loads.cursor(self.warehouse, SOURCE, self.shop_id, stream)
        document = documents.bulk(stream, since(cursor, full))
        return self.operations.begin(stream, document, self.report)

    def stream(self, stream: str, operation: Operation, full: bool) -> list[TableResult]:
        """Land a stream whose operation has begun."""
        try:
            results = self._result(stream, operation)
        except (Failed, Gone):
            # Shopify's own advice for an operation that failed is to ask again.
            self.report(f"{stream}: asking again")
            self.operations.forget(stream)
            operation = self.begin(stream, full)
            results = self._result(stream, operation)
        if operation.resumed:
            # It is as old as the run that started it: ask for what came since.
            results += self._result(stream, self.begin(stream, full=False))
        return results

    @property
    def _warehouse_path(self) -> Path:
        return loads.warehouse_path(self.warehouse)

    def _result(self, stream: str, operation: Operation) -> list[TableResult]:
        """Wait for an operation, fetch its result and land it."""
        operation = self.operations.wait(stream, operation, self.report)
        name = f"{operation.id.rpartition('/')[2]}.jsonl"
        folder = loads.spool_path(self._warehouse_path, SOURCE, self.shop_id, stream)
        folder.mkdir(parents=True, exist_ok=True)
        for other in folder.iterdir():
            # The same operation's file may be half fetched already.
            if other.name != name:
                other.unlink()
        try:
            results = self._fetch_and_land(stream, operation, folder / name)
        except wire.Stopped:
            raise
        except HealthError:
            # The result itself is at fault: the next run must not take it again.
            self.operations.forget(stream)
            shutil.rmtree(folder)
            raise
        self.operations.forget(stream)
        shutil.rmtree(folder)
        return results

    def _fetch_and_land(self, stream: str, operation: Operation, file: Path) -> list[TableResult]:
        files = []
        if operation.url:
            download(
                operation.url,
                file,
                operation.size,
                who=self.api.who,
                patience=self.patience,
                report=lambda line: self.report(f"{stream}: {line}"),
                sleep=self.sleep,
            )
            files = [file]
        self.report(f"{stream}: landing {operation.objects:,} objects")
        staging.stage(self.warehouse, stream, files, self.api.who)
        told = staging.counts(self.warehouse, stream, operation.objects, operation.roots)
        # Before the second pass, which would ask in vain for what is not there.
        loads.compare(SOURCE, self.shop_id, stream, told)
        if stream == "orders":
            told += [self._lines(kind, file.parent) for kind in ("Refund", "Return")]
        return self._land(stream, _SELECTS[stream](), told, operation.created_at)

    def _lines(self, kind: str, folder: Path) -> loads.Told:
        ids = staging.ids_of(self.warehouse, kind)
        target = folder / f"{kind}.jsonl"
        lines.fetch(self.api, kind, ids, target, self.report)
        staging.stage_lines(self.warehouse, kind, [target] if ids else [], self.api.who)
        return staging.counted_lines(self.warehouse, kind, len(ids))

    def _land(
        self, stream: str, sql: Mapping[str, str], told: list[loads.Told], cursor: str | None
    ) -> list[TableResult]:
        return loads.land(
            self.warehouse,
            source=SOURCE,
            shop_id=self.shop_id,
            stream=stream,
            selects=sql,
            told=told,
            cursor=cursor,
            moment=self.moment,
        )
