"""The plan: what is to be sent, to whom, and why.

`activation.plan` (dbt) compares the desired state with the ledger. Here it is frozen at the start
of a run, completed with what a run that died left unanswered, held back where a shop is not
connected, and cut into rows that say which fields change.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import duckdb

from orchestration.activate.ledger import IN_FLIGHT_DDL, LATEST_SQL, LEDGER_DDL, REJECTED_DDL
from orchestration.errors import HealthError

NOT_CONNECTED = "not connected"
REFUSED = "refused before"
UNANSWERED = "unanswered"

Fields = Mapping[str, Any]


@dataclass(frozen=True)
class Sizes:
    """How much the vendors take at once: Klaviyo's bulk import, Shopify's `metafieldsSet`."""

    profiles_per_job: int = 10_000
    bytes_per_job: int = 5_000_000
    bytes_per_profile: int = 100_000
    metafields_per_call: int = 25


@dataclass(frozen=True, slots=True)
class Row:
    """One object to write.

    `payload_text` is the desired state as SQL wrote it, `previous` what the destination last
    confirmed (None: never anything), `unanswered` the fields that a run which died may or may not
    have written.
    """

    shop_id: str
    destination: str
    object_id: str
    customer_key: str
    reason: str
    payload_text: str
    payload_hash: str
    payload: Fields
    previous: Fields | None = None
    unanswered: frozenset[str] = frozenset()
    as_of_date: date | None = None


@dataclass(frozen=True)
class PlanCount:
    """How many rows of a destination and shop share an action (`send` or `hold`) and a reason."""

    destination: str
    shop_id: str
    action: str
    reason: str
    rows: int


@dataclass(frozen=True)
class Example:
    """One row of the plan, to be read by people: field -> (old, new)."""

    destination: str
    customer_key: str
    reason: str
    fields: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)


def canonical(value: Any) -> str:
    """A JSON value as text that is equal when, and only when, the value and its type are."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def changes(row: Row) -> dict[str, Any]:
    """The fields to write, in order of name; None means: clear it.

    Everything, nulls included, when nothing is known of the object; else what differs from the
    last confirmation or is unanswered. A field that was confirmed once and is no longer desired
    is cleared.
    """
    if row.previous is None:
        wanted: Collection[str] = row.payload.keys() | row.unanswered
    else:
        known = row.previous
        wanted = {
            name
            for name in row.payload.keys() | known.keys()
            if canonical(known.get(name)) != canonical(row.payload.get(name))
        } | row.unanswered
    return {name: row.payload.get(name) for name in sorted(wanted)}


def difference(row: Row) -> dict[str, tuple[Any, Any]]:
    """The changed fields as (old, new), for people, without those that were and stay unset."""
    previous = row.previous or {}
    return {
        name: (previous.get(name), new)
        for name, new in changes(row).items()
        if not (previous.get(name) is None and new is None)
    }


def parse_fields(text: str, where: str) -> dict[str, Any]:
    """A payload as a dictionary. Raises `HealthError` when it is not a JSON object."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise HealthError(
            f"The payload of {where} is not a JSON object: run `health build`, and if it stays so, "
            "look at the model activation.desired_state."
        )
    return value


_SOURCES = {"ledger": LEDGER_DDL, "rejected": REJECTED_DDL, "in_flight": IN_FLIGHT_DDL}

# The plan is a view over the ledger, which grows while batches are confirmed: the run works from
# a copy. Objects that a dead run left unanswered and that the view does not list (their desired
# state equals the last confirmation) join it, since the destination may hold something else.
_FREEZE_SQL = f"""
create or replace temp table push_plan as
with unanswered as (
    select shop_id, destination, object_id, list_distinct(flatten(list(fields))) as fields
    from {{in_flight}}
    group by all
),
latest as ({LATEST_SQL.format(ledger="{ledger}")}),
refused as (
    select r.shop_id, r.destination, r.object_id, r.payload_hash, max(r.rejected_at) as rejected_at
    from {{rejected}} as r
    group by all
),
listed as (
    select
        shop_id, destination, object_id, customer_key, action, reason,
        payload::varchar as payload, payload_hash, previous_payload::varchar as previous_payload,
        as_of_date
    from activation.plan
),
again as (
    select
        d.shop_id, d.destination, d.object_id, d.customer_key,
        'send' as action, '{UNANSWERED}' as reason,
        d.payload::varchar as payload, d.payload_hash, l.payload as previous_payload, d.as_of_date
    from activation.desired_state as d
    inner join unanswered as u using (shop_id, destination, object_id)
    left join latest as l using (shop_id, destination, object_id)
    anti join listed using (shop_id, destination, object_id)
),
held as (
    select
        p.* exclude (action, reason),
        coalesce(u.fields, []) as unanswered,
        case
            when p.action <> 'send' then p.action
            when not list_contains($connected, p.destination || ' ' || p.shop_id) then 'hold'
            when r.object_id is not null then 'hold'
            else 'send'
        end as action,
        case
            when p.action <> 'send' then p.reason
            when not list_contains($connected, p.destination || ' ' || p.shop_id)
                then '{NOT_CONNECTED}'
            when r.object_id is not null then '{REFUSED}'
            else p.reason
        end as reason
    from (from listed union all by name from again) as p
    left join unanswered as u using (shop_id, destination, object_id)
    left join latest as l using (shop_id, destination, object_id)
    left join refused as r
        on r.shop_id = p.shop_id
        and r.destination = p.destination
        and r.object_id = p.object_id
        and r.payload_hash = p.payload_hash
        and r.rejected_at >= coalesce(l.confirmed_at, r.rejected_at)
        and not $retry_refused
)
select
    row_number() over (order by destination, shop_id, object_id) as ordinal,
    *
from held
order by ordinal
"""


def _relations(connection: duckdb.DuckDBPyConnection) -> set[str]:
    found = connection.execute(
        "select table_name from information_schema.tables where table_schema = 'activation'"
    ).fetchall()
    return {name for (name,) in found}


def shops(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """(destination, shop_id) of every pair that the desired state speaks of, in order.

    Raises `HealthError` when the warehouse has no plan yet.
    """
    missing = {"desired_state", "plan"} - _relations(connection)
    if missing:
        raise HealthError(
            f"The warehouse has no activation.{min(missing)}. Run `health build` first."
        )
    return connection.execute(
        "select distinct destination, shop_id from activation.desired_state order by all"
    ).fetchall()


def freeze(
    connection: duckdb.DuckDBPyConnection,
    connected: Collection[tuple[str, str]],
    *,
    retry_refused: bool = False,
) -> None:
    """Copy the plan of this moment into the temporary table `push_plan`; writes nothing else.

    `connected` are the (destination, shop_id) pairs that have credentials: rows of others are
    held. An object whose very payload was refused is held until the payload changes, unless
    `retry_refused`. Works on a read-only connection.
    """
    present = _relations(connection)
    names = {}
    for name, ddl in _SOURCES.items():
        names[name] = f"activation.{name}"
        if name not in present:
            names[name] = f"push_no_{name}"
            empty = ddl.replace(f"activation.{name}", names[name])
            connection.execute(empty.replace("create table", "create temp table"))
    connection.execute(
        _FREEZE_SQL.format(**names),
        {
            "connected": [f"{destination} {shop}" for destination, shop in connected],
            "retry_refused": retry_refused,
        },
    )


def counts(connection: duckdb.DuckDBPyConnection) -> list[PlanCount]:
    """The frozen plan by destination, shop, action and reason."""
    found = connection.execute(
        "select destination, shop_id, action, reason, count(*) from push_plan "
        "group by all order by destination, shop_id, action desc, reason"
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


def rows(
    connection: duckdb.DuckDBPyConnection, destination: str, shop_id: str, *, page: int = 10_000
) -> Iterator[Row]:
    """The rows to send to one shop at one destination, by object id, `page` in memory at a time.

    Pages start behind the last row seen, so that other statements may run in between.
    """
    last = 0
    while True:
        found = connection.execute(
            f"select ordinal, {_COLUMNS} from push_plan where action = 'send' "
            "and destination = ? and shop_id = ? and ordinal > ? order by ordinal limit ?",
            [destination, shop_id, last, page],
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
        f"select {_COLUMNS} from push_plan where action = 'send' "
        "order by row_number() over ("
        "partition by destination, shop_id, reason order by customer_key, object_id), ordinal "
        "limit ?",
        [most],
    ).fetchall()
    chosen = [_row(values) for values in found]
    return [Example(r.destination, r.customer_key, r.reason, difference(r)) for r in chosen]
