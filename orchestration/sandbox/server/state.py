"""What the pretended vendors know, hold and have been asked, in one SQLite file (or memory).

A file outlives whoever pushes: after a killed client it says what really arrived.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import duckdb

from orchestration.errors import HealthError
from orchestration.sandbox.server.faults import FaultPlan

_SCHEMA = """
create table if not exists objects (
    destination text, shop_id text, object_id text, fields text not null default '{}',
    primary key (destination, shop_id, object_id)
) without rowid;
create table if not exists shops (
    destination text, shop_id text, primary key (destination, shop_id)
) without rowid;
create table if not exists requests (
    number integer primary key, destination text, shop_id text, operation text, items integer,
    status integer, fault text, body_hash text, request_id text
);
create table if not exists jobs (
    job_id text primary key, shop_id text, total integer, looks integer, created_at text
);
create table if not exists job_errors (job_id text, position integer, error text);
"""


@dataclass(frozen=True)
class Request:
    """One line of the request log; `status` is None when the connection was broken instead."""

    number: int
    destination: str
    shop_id: str
    operation: str
    items: int
    status: int | None
    fault: str | None
    body_hash: str
    request_id: str


class Moment(StrEnum):
    """Where a request stands when a watcher is told of it."""

    ARRIVED = "arrived"
    WORKED = "worked"
    ANSWERED = "answered"


@dataclass(frozen=True)
class Seen:
    """A request as a watcher sees it."""

    number: int
    destination: str
    shop_id: str
    path: str


class Store:
    """The file behind a sandbox. Every method is atomic and may be called from any thread."""

    def __init__(self, journal: Path | None) -> None:
        self._lock = threading.RLock()
        if journal is not None:
            journal.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(str(journal or ":memory:"), check_same_thread=False)
        self._db.isolation_level = None
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = off")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; what is read inside sees what was written inside."""
        with self._lock:
            self._db.execute("begin immediate")
            try:
                yield self._db
            except BaseException:
                self._db.execute("rollback")
                raise
            self._db.execute("commit")

    def query(self, sql: str, values: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with self._lock:
            return self._db.execute(sql, tuple(values)).fetchall()

    def know(self, destination: str, shop_id: str, object_ids: Iterable[str]) -> None:
        """Add objects; those already known keep what they hold."""
        with self.transaction() as db:
            db.execute("insert or ignore into shops values (?, ?)", (destination, shop_id))
            db.executemany(
                "insert or ignore into objects (destination, shop_id, object_id) values (?, ?, ?)",
                ((destination, shop_id, object_id) for object_id in object_ids),
            )

    def fields(self, destination: str, shop_id: str, object_id: str) -> dict[str, Any] | None:
        """What an object holds, None when it is not known."""
        found = self.query(
            "select fields from objects where destination = ? and shop_id = ? and object_id = ?",
            (destination, shop_id, object_id),
        )
        return json.loads(found[0][0]) if found else None

    def write(self, destination: str, shop_id: str, held: Mapping[str, Mapping[str, Any]]) -> None:
        """Replace what known objects hold."""
        with self.transaction() as db:
            db.executemany(
                "update objects set fields = ? "
                "where destination = ? and shop_id = ? and object_id = ?",
                (
                    (json.dumps(fields, sort_keys=True), destination, shop_id, object_id)
                    for object_id, fields in held.items()
                ),
            )

    def log(self, request: Request) -> None:
        """Add a line to the request log."""
        with self.transaction() as db:
            db.execute(
                "insert into requests values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    request.number,
                    request.destination,
                    request.shop_id,
                    request.operation,
                    request.items,
                    request.status,
                    request.fault,
                    request.body_hash,
                    request.request_id,
                ),
            )


@dataclass
class Sandbox:
    """The pretended vendors of several shops.

    `watch` is told of every request when it arrives, when its work is done and when its answer
    has left. `bucket` is Shopify's (points, points restored a second), `limits` are Klaviyo's
    (calls, seconds) of each endpoint, `looks` is how often a job is seen unfinished.
    """

    store: Store
    faults: FaultPlan = field(default_factory=FaultPlan)
    watch: Callable[[Moment, Seen], None] | None = None
    bucket: tuple[float, float] = (2000.0, 100.0)
    limits: tuple[tuple[int, float], ...] = ((10, 1.0), (150, 60.0))
    looks: int = 2
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def of(
        cls,
        *,
        customers: Mapping[str, Iterable[str]],
        profiles: Mapping[str, Iterable[str]],
        journal: Path | None = None,
    ) -> Sandbox:
        """A sandbox that knows Shopify customers and Klaviyo profiles, ids by shop."""
        store = Store(journal)
        for destination, known in (("shopify", customers), ("klaviyo", profiles)):
            for shop_id, object_ids in known.items():
                store.know(destination, shop_id, object_ids)
        return cls(store)

    @classmethod
    def from_drop(cls, directory: Path, *, journal: Path | None = None) -> Sandbox:
        """A sandbox that knows the people of a file drop, `<directory>/<source>/<table>/*`.

        Customers who were merged into another or redacted exist no more. Raises `HealthError`
        when the drop has no customers and no profiles.
        """
        customers = _ids(directory / "shopify" / "customers", "customer_id")
        profiles = _ids(directory / "klaviyo" / "profiles", "profile_id")
        if not customers and not profiles:
            raise HealthError(
                f"{directory} has neither shopify/customers nor klaviyo/profiles: give the folder "
                "of a file drop, such as one that `health simulate` wrote."
            )
        return cls.of(customers=customers, profiles=profiles, journal=journal)

    def shops(self, destination: str) -> list[str]:
        """The shops that a destination knows, in order."""
        found = self.store.query(
            "select shop_id from shops where destination = ? order by 1", (destination,)
        )
        return [shop for (shop,) in found]

    def token(self, destination: str, shop_id: str) -> str:
        """The credential that a shop's endpoint takes. It opens nothing but this sandbox."""
        return f"sandbox-{destination}-{shop_id}"

    def records(self) -> dict[tuple[str, str, str], dict[str, Any]]:
        """What every object holds that holds anything: (destination, shop_id, object_id) -> fields.

        Metafields are given by key, as values of their type.
        """
        found = self.store.query(
            "select destination, shop_id, object_id, fields from objects "
            "where fields <> '{}' order by 1, 2, 3"
        )
        return {
            (destination, shop, object_id): _decoded(destination, json.loads(fields))
            for destination, shop, object_id, fields in found
        }

    def metafields(self, shop_id: str, customer_id: str) -> dict[str, dict[str, str]]:
        """A customer's metafields as stored: `namespace.key` -> {type, value}."""
        return self.store.fields("shopify", shop_id, customer_id) or {}

    def requests(self) -> list[Request]:
        """Every request so far, in order of arrival."""
        return [Request(*line) for line in self.store.query("select * from requests order by 1")]

    def counts(self) -> dict[str, int]:
        """How often each operation was done and answered: 'shopify metafieldsSet' -> times."""
        found = self.store.query(
            "select destination || ' ' || operation, count(*) from requests "
            "where status between 200 and 299 and fault is null group by 1 order by 1"
        )
        return dict(found)

    def close(self) -> None:
        """Close the journal."""
        self.store.close()


def _decoded(destination: str, fields: dict[str, Any]) -> dict[str, Any]:
    if destination != "shopify":
        return fields
    return {
        name.rpartition(".")[2]: typed(stored["type"], stored["value"])
        for name, stored in fields.items()
    }


def typed(kind: str, text: str) -> Any:
    """The value that a metafield's text stands for."""
    if kind in ("single_line_text_field", "multi_line_text_field"):
        return text
    value = json.loads(text)
    return float(value) if kind == "number_decimal" else value


def _ids(folder: Path, column: str) -> dict[str, list[str]]:
    """Ids by shop from every file of a table, without those merged away or redacted."""
    found: dict[tuple[str, str], bool] = {}
    with duckdb.connect() as connection:
        for path in sorted(folder.glob("*")):
            relation = _read(connection, path, column)
            if relation is None:
                continue
            gone = " or ".join(
                f"{name} is not null"
                for name in ("merged_into_customer_id", "redacted_at")
                if name in relation.columns
            )
            for shop, object_id, is_gone in relation.project(
                f"shop_id::varchar, {column}::varchar, {gone or 'false'}"
            ).fetchall():
                if shop is not None and object_id is not None:
                    found[shop, object_id] = is_gone
    ids: dict[str, list[str]] = {}
    for (shop, object_id), is_gone in sorted(found.items()):
        if not is_gone:
            ids.setdefault(shop, []).append(object_id)
    return ids


def _read(
    connection: duckdb.DuckDBPyConnection, path: Path, column: str
) -> duckdb.DuckDBPyRelation | None:
    match path.suffix:
        case ".parquet":
            return connection.read_parquet(str(path))
        case ".csv":
            return connection.read_csv(str(path), header=True, all_varchar=True)
        case ".jsonl":
            names = ("shop_id", column, "merged_into_customer_id", "redacted_at")
            columns = ", ".join(f"{name}: 'varchar'" for name in dict.fromkeys(names))
            return connection.sql(
                f"from read_json($path, format = 'newline_delimited', columns = {{{columns}}})",
                params={"path": str(path)},
            )
        case _:
            return None
