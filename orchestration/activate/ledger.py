"""The ledger: what each destination confirmed, what it refused, and what is still unanswered.

A batch is noted in `activation.in_flight` before it leaves; its answer is recorded and the note
removed in one transaction. So after a crash at any instruction, the notes that are left name
exactly the objects of which nobody knows whether the destination took them: at most one batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from orchestration.activate.plan import Row

RUN_AGAIN = "What it confirmed is in the ledger; run the push again later."

# The latest row of an object is the one with the highest `ledger_id`: a counter, because two
# confirmations may share a microsecond and a clock may be set back.
LEDGER_DDL = """
create table if not exists activation.ledger (
    ledger_id bigint not null,
    shop_id varchar not null,
    destination varchar not null,
    object_id varchar not null,
    customer_key varchar not null,
    payload varchar not null,
    payload_hash varchar not null,
    as_of_date date,
    confirmed_at timestamp not null,
    request_id varchar,
    batch_id varchar not null
)
"""

# One row for each refused object and attempt; `field` names the field at fault when the
# destination did.
REJECTED_DDL = """
create table if not exists activation.rejected (
    shop_id varchar not null,
    destination varchar not null,
    object_id varchar not null,
    customer_key varchar not null,
    field varchar,
    payload varchar not null,
    payload_hash varchar not null,
    code varchar,
    message varchar not null,
    rejected_at timestamp not null,
    request_id varchar,
    batch_id varchar not null
)
"""

# Empty between runs. A row that stays means: these fields of this object may hold the old value
# or the new one.
IN_FLIGHT_DDL = """
create table if not exists activation.in_flight (
    batch_id varchar not null,
    shop_id varchar not null,
    destination varchar not null,
    object_id varchar not null,
    fields varchar[] not null,
    sent_at timestamp not null
)
"""

LATEST_SQL = """
    select *
    from {ledger}
    qualify row_number() over (
        partition by shop_id, destination, object_id order by ledger_id desc
    ) = 1
"""


@dataclass(frozen=True)
class Refusal:
    """What a destination would not take, in its own words."""

    row: Row
    message: str
    code: str | None = None
    field: str | None = None


@dataclass(frozen=True)
class Answer:
    """What became of a batch: every row of it is in at least one of the three lists.

    `unanswered` are rows of which nobody knows what they hold now; one that was refused after a
    part of it had been written is in `refused` too. `stopped` is the sentence why the connection
    cannot go on after this batch.
    """

    confirmed: Sequence[Row]
    refused: Sequence[Refusal]
    request_id: str | None
    unanswered: Sequence[Row] = ()
    stopped: str | None = None


def ensure_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the schema and the three tables where they are missing."""
    connection.execute("create schema if not exists activation")
    for ddl in (LEDGER_DDL, REJECTED_DDL, IN_FLIGHT_DDL):
        connection.execute(ddl)


class Ledger:
    """Writes to the three tables over one connection, the only writer while it lives."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        ensure_tables(connection)
        self._connection = connection
        found = connection.execute("select max(ledger_id) from activation.ledger").fetchone()
        self._last_id: int = (found[0] if found else None) or 0

    def note(self, batch_id: str, rows: Sequence[Row], fields: Sequence[Sequence[str]]) -> None:
        """Note that a batch is about to leave; `fields` are the names each row writes."""
        first = rows[0]
        self._connection.execute(
            """
            insert into activation.in_flight
            select $batch, $shop, $destination, unnest($objects::varchar[]),
                unnest($fields::varchar[][]), $now::timestamp
            """,
            {
                "batch": batch_id,
                "shop": first.shop_id,
                "destination": first.destination,
                "objects": [r.object_id for r in rows],
                "fields": [list(names) for names in fields],
                "now": _now(),
            },
        )

    def settle(self, batch_id: str, answer: Answer) -> None:
        """Record the answer to a batch and remove its notes, all or nothing.

        The notes of rows that are still unanswered stay.
        """
        now = _now()
        self._connection.execute("begin")
        try:
            self._confirm(batch_id, answer, now)
            self._refuse(batch_id, answer, now)
            self._forget(batch_id, answer)
            self._connection.execute("commit")
        except BaseException:
            self._connection.execute("rollback")
            raise
        self._last_id += len(answer.confirmed)

    def _confirm(self, batch_id: str, answer: Answer, now: datetime) -> None:
        rows = answer.confirmed
        if not rows:
            return
        self._connection.execute(
            """
            insert into activation.ledger
            select unnest(range($first, $first + len($objects))), $shop, $destination,
                unnest($objects::varchar[]), unnest($keys::varchar[]),
                unnest($payloads::varchar[]), unnest($hashes::varchar[]), unnest($days::date[]),
                $now::timestamp, $request, $batch
            """,
            {
                "first": self._last_id + 1,
                "shop": rows[0].shop_id,
                "destination": rows[0].destination,
                "objects": [r.object_id for r in rows],
                "keys": [r.customer_key for r in rows],
                "payloads": [r.payload_text for r in rows],
                "hashes": [r.payload_hash for r in rows],
                "days": [r.as_of_date for r in rows],
                "now": now,
                "request": answer.request_id,
                "batch": batch_id,
            },
        )

    def _refuse(self, batch_id: str, answer: Answer, now: datetime) -> None:
        refused = answer.refused
        if not refused:
            return
        self._connection.execute(
            """
            insert into activation.rejected
            select $shop, $destination, unnest($objects::varchar[]), unnest($keys::varchar[]),
                unnest($fields::varchar[]), unnest($payloads::varchar[]),
                unnest($hashes::varchar[]), unnest($codes::varchar[]),
                unnest($messages::varchar[]), $now::timestamp, $request, $batch
            """,
            {
                "shop": refused[0].row.shop_id,
                "destination": refused[0].row.destination,
                "objects": [r.row.object_id for r in refused],
                "keys": [r.row.customer_key for r in refused],
                "fields": [r.field for r in refused],
                "payloads": [r.row.payload_text for r in refused],
                "hashes": [r.row.payload_hash for r in refused],
                "codes": [r.code for r in refused],
                "messages": [r.message for r in refused],
                "now": now,
                "request": answer.request_id,
                "batch": batch_id,
            },
        )

    def _forget(self, batch_id: str, answer: Answer) -> None:
        # A confirmation settles whatever was sent of that object before. A refusal settles its
        # own batch alone: what a dead run had sent earlier may still stand at the destination.
        self._connection.execute(
            """
            delete from activation.in_flight
            where batch_id = $batch
                and object_id not in (select unnest($unanswered::varchar[]))
            """,
            {"batch": batch_id, "unanswered": [r.object_id for r in answer.unanswered]},
        )
        if answer.confirmed:
            first = answer.confirmed[0]
            self._connection.execute(
                """
                delete from activation.in_flight
                where shop_id = $shop and destination = $destination
                    and object_id in (select unnest($objects::varchar[]))
                """,
                {
                    "shop": first.shop_id,
                    "destination": first.destination,
                    "objects": [r.object_id for r in answer.confirmed],
                },
            )


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
