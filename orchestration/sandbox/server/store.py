"""What the pretended vendors hold and have been asked, in one SQLite file (or memory).

A file outlives whoever pushes: after a killed client it says what really arrived.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

_SCHEMA = """
create table if not exists objects (
    destination text, shop_id text, object_id text, fields text not null default '{}',
    primary key (destination, shop_id, object_id)
) without rowid;
create table if not exists shops (
    destination text, shop_id text, primary key (destination, shop_id)
) without rowid;
create table if not exists gone (
    destination text, shop_id text, object_id text,
    primary key (destination, shop_id, object_id)
) without rowid;
create table if not exists requests (
    number integer primary key, destination text, shop_id text, operation text, items integer,
    status integer, fault text, body_hash text, request_id text
);
create table if not exists jobs (
    job_id text primary key, shop_id text, total integer, looks integer, created_at text
);
create table if not exists cancelled_jobs (job_id text primary key);
create table if not exists job_errors (job_id text, position integer, error text);
create table if not exists messages (
    number integer primary key, shop_id text, channel text, message text
);
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


@dataclass(frozen=True)
class Sent:
    """What a client sent, whole: for tests that judge it."""

    destination: str
    method: str
    path: str
    query: str
    body: bytes


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
        """Add objects; those already known keep what they hold, those gone stay so."""
        with self.transaction() as db:
            db.execute("insert or ignore into shops values (?, ?)", (destination, shop_id))
            db.executemany(
                "insert or ignore into objects (destination, shop_id, object_id) "
                "select ?1, ?2, ?3 where not exists (select 1 from gone "
                "where destination = ?1 and shop_id = ?2 and object_id = ?3)",
                ((destination, shop_id, object_id) for object_id in object_ids),
            )

    def fields(self, destination: str, shop_id: str, object_id: str) -> dict[str, Any] | None:
        """What an object holds, None when it is not known."""
        found = self.query(
            "select fields from objects where destination = ? and shop_id = ? and object_id = ?",
            (destination, shop_id, object_id),
        )
        return json.loads(found[0][0]) if found else None

    def held(
        self, destination: str, shop_id: str, object_ids: Sequence[str]
    ) -> dict[str, dict[str, Any]]:
        """What objects hold, by id; those that hold nothing are left out."""
        marks = ", ".join("?" for _ in object_ids)
        found = self.query(
            "select object_id, fields from objects where destination = ? and shop_id = ? "
            f"and fields <> '{{}}' and object_id in ({marks})",
            (destination, shop_id, *object_ids),
        )
        return {object_id: json.loads(fields) for object_id, fields in found}

    def all_held(self, destination: str, shop_id: str) -> dict[str, dict[str, Any]]:
        """What the objects of a shop hold, by id; those that hold nothing are left out."""
        found = self.query(
            "select object_id, fields from objects "
            "where destination = ? and shop_id = ? and fields <> '{}'",
            (destination, shop_id),
        )
        return {object_id: json.loads(fields) for object_id, fields in found}

    def gone(self, destination: str, shop_id: str) -> set[str]:
        """The objects that were there and are there no more."""
        found = self.query(
            "select object_id from gone where destination = ? and shop_id = ?",
            (destination, shop_id),
        )
        return {object_id for (object_id,) in found}

    def forget(self, destination: str, shop_id: str, object_ids: Iterable[str]) -> None:
        """Let objects be gone, with all that they hold."""
        lines = [(destination, shop_id, object_id) for object_id in object_ids]
        with self.transaction() as db:
            db.executemany("insert or ignore into gone values (?, ?, ?)", lines)
            db.executemany(
                "delete from objects where destination = ? and shop_id = ? and object_id = ?", lines
            )

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

    def post(self, shop_id: str, channel: str, message: Mapping[str, Any]) -> str:
        """Keep a message of Slack; gives its timestamp, which is its name too."""
        with self.transaction() as db:
            number = db.execute(
                "insert into messages (shop_id, channel, message) values (?, ?, ?)",
                (shop_id, channel, json.dumps(message)),
            ).lastrowid
        return _stamp(number)

    def posted(self, shop_id: str, channel: str) -> list[tuple[str, dict[str, Any]]]:
        """The messages of a channel of Slack in order: (timestamp, message)."""
        found = self.query(
            "select number, message from messages where shop_id = ? and channel = ? order by 1",
            (shop_id, channel),
        )
        return [(_stamp(number), json.loads(message)) for number, message in found]

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


def _stamp(number: int | None) -> str:
    """The timestamp that a message of Slack is known by."""
    return f"1700000000.{number:06d}"
