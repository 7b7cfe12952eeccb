"""The plan as it stood when a run began, in temporary tables of its connection.

`activation.plan` (dbt) is a view over the ledger, which grows while batches are confirmed: a run
works from a copy. Rows are told which of their fields a run that died left unanswered, and held
back where a shop is not connected or switched off and where a payload was refused. Nothing else is
written, so a read-only connection will do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

import duckdb

from orchestration.activate.ledger import IN_FLIGHT_DDL, LEDGER_DDL, REJECTED_DDL
from orchestration.activate.plan import Example, PlanCount, Row, difference, parse_fields
from orchestration.activate.retries import PARKED, REFUSED_SQL, WAITS
from orchestration.errors import HealthError

NOT_CONNECTED = "not connected"
SWITCHED_OFF = "switched off"

Pair = tuple[str, str]

_SOURCES = {"ledger": LEDGER_DDL, "rejected": REJECTED_DDL, "in_flight": IN_FLIGHT_DDL}

# Without the payloads: the plan has those of the objects that differ.
_LATEST_SQL = """
create or replace temp table push_latest as
select
    shop_id, destination, object_id,
    max_by(payload_hash, ledger_id) as payload_hash,
    max_by(confirmed_at, ledger_id) as confirmed_at
from push_ledger
group by shop_id, destination, object_id
"""

_PLAN_SQL = f"""
create or replace temp table push_plan as
with unanswered as (
    select shop_id, destination, object_id, list_distinct(flatten(list(fields))) as fields
    from push_in_flight
    group by all
),
refused as ({REFUSED_SQL}),
listed as (
    select
        shop_id, destination, object_id, customer_key, action, reason,
        payload::varchar as payload, payload_hash, previous_payload::varchar as previous_payload,
        as_of_date
    from activation.plan
    where list_contains($destinations, destination)
),
judged as (
    select
        p.*,
        coalesce(u.fields, []) as unanswered,
        case
            when p.action = 'hold' then p.reason
            when list_contains($off, p.destination || ' ' || p.shop_id) then '{SWITCHED_OFF}'
            when not list_contains($connected, p.destination || ' ' || p.shop_id)
                then '{NOT_CONNECTED}'
            when r.object_id is null or $retry_refused then null
            when r.tried_again_at is null then '{PARKED}'
            when $now::timestamp < r.tried_again_at then '{WAITS}'
        end as held_for
    from listed as p
    left join unanswered as u using (shop_id, destination, object_id)
    left join refused as r using (shop_id, destination, object_id, payload_hash)
)
select
    row_number() over (order by destination, shop_id, object_id) as ordinal,
    * exclude (held_for)
        replace (
            if(held_for is null, action, 'hold') as action,
            coalesce(held_for, reason) as reason
        )
from judged
order by ordinal
"""


def _relations(connection: duckdb.DuckDBPyConnection) -> set[str]:
    found = connection.execute(
        "select table_name from information_schema.tables where table_schema = 'activation'"
    ).fetchall()
    return {name for (name,) in found}


def find_sources(connection: duckdb.DuckDBPyConnection) -> None:
    """Name the tables that a run reads: `push_ledger` and its like, empty where there are none.

    Raises `HealthError` when the warehouse has no plan yet.
    """
    present = _relations(connection)
    missing = {"desired_state", "plan"} - present
    if missing:
        raise HealthError(
            f"The warehouse has no activation.{min(missing)}. Run `health build` first."
        )
    for name, ddl in _SOURCES.items():
        there = f"activation.{name}"
        if name not in present:
            connection.execute(
                ddl.replace(f"table if not exists {there}", f"or replace temp table no_{name}")
            )
            there = f"no_{name}"
        connection.execute(f"create or replace temp view push_{name} as from {there}")


def pairs(connection: duckdb.DuckDBPyConnection) -> list[Pair]:
    """(destination, shop_id) of every pair that is desired or confirmed, in order."""
    return connection.execute(
        "select distinct destination, shop_id from activation.desired_state "
        "union select distinct destination, shop_id from push_ledger "
        "union select distinct destination, shop_id from push_in_flight order by all"
    ).fetchall()


def read_confirmations(connection: duckdb.DuckDBPyConnection) -> None:
    """Read what every object holds into `push_latest`; again after a push has confirmed more."""
    connection.execute(_LATEST_SQL)


def freeze(
    connection: duckdb.DuckDBPyConnection,
    pairs: Collection[Pair],
    connected: Collection[Pair],
    *,
    now: datetime,
    off: Collection[Pair] = (),
    retry_refused: bool = False,
) -> None:
    """Copy the plan of this moment into the temporary table `push_plan`, after `find_sources`.

    Only the destinations of `pairs` are looked at. Rows of pairs that are not `connected` or are
    switched `off` are held; so is a payload that was refused, until it is time to try again
    (`now`: UTC) or with `retry_refused` at once.
    """
    read_confirmations(connection)
    connection.execute(
        _PLAN_SQL,
        {
            "destinations": sorted({destination for destination, _ in pairs}),
            "connected": [f"{destination} {shop}" for destination, shop in connected],
            "off": [f"{destination} {shop}" for destination, shop in off],
            "retry_refused": retry_refused,
            "now": now.replace(tzinfo=None),
        },
    )


def hold(connection: duckdb.DuckDBPyConnection, pair: Pair, reason: str) -> None:
    """Hold whatever the frozen plan would still send to a shop at a destination."""
    connection.execute(
        "update push_plan set action = 'hold', reason = ? "
        "where destination = ? and shop_id = ? and action <> 'hold'",
        [reason, *pair],
    )


def counts(connection: duckdb.DuckDBPyConnection) -> list[PlanCount]:
    """The frozen plan by destination, shop, action and reason; what is sent first."""
    found = connection.execute(
        "select destination, shop_id, action, reason, count(*) from push_plan "
        "group by destination, shop_id, action, reason order by destination, shop_id, "
        "list_position(['send', 'clear', 'hold'], action), reason"
    ).fetchall()
    return [PlanCount(*line) for line in found]


_COLUMNS = (
    "shop_id, destination, object_id, customer_key, reason, payload, payload_hash, "
    "previous_payload, unanswered, as_of_date"
)


def _row(values: tuple[Any, ...]) -> Row:
    shop, destination, object_id, key, reason, text, digest, previous, unanswered, as_of = values
    where = f"{destination} {object_id} (shop {shop}) in activation.plan"
    return Row(
        shop_id=shop,
        destination=destination,
        object_id=object_id,
        customer_key=key,
        reason=reason,
        payload_text=text,
        payload_hash=digest,
        payload=parse_fields(text, where),
        previous=None if previous is None else parse_fields(previous, where),
        unanswered=frozenset(unanswered),
        as_of_date=as_of,
    )


def rows(connection: duckdb.DuckDBPyConnection, pair: Pair, *, page: int = 10_000) -> Iterator[Row]:
    """The rows to send to one shop at one destination, by object id, `page` in memory at a time.

    Pages start behind the last row seen, so that other statements may run in between.
    """
    last = 0
    while True:
        found = connection.execute(
            f"select ordinal, {_COLUMNS} from push_plan where action <> 'hold' "
            "and destination = ? and shop_id = ? and ordinal > ? order by ordinal limit ?",
            [*pair, last, page],
        ).fetchall()
        if not found:
            return
        for ordinal, *values in found:
            last = ordinal
            yield _row(tuple(values))


def examples(connection: duckdb.DuckDBPyConnection, most: int = 20) -> list[Example]:
    """Up to `most` rows to send, from every destination, shop and reason in turn.

    Keys and fields only: no email is read here, so none can be shown.
    """
    found = connection.execute(
        f"select {_COLUMNS} from push_plan where action <> 'hold' "
        "order by row_number() over ("
        "partition by destination, shop_id, reason order by customer_key, object_id), ordinal "
        "limit ?",
        [most],
    ).fetchall()
    chosen = [_row(values) for values in found]
    return [Example(r.destination, r.customer_key, r.reason, difference(r)) for r in chosen]
