"""A warehouse with nothing in it but what the push reads, for the tests of the push."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from orchestration.activate.ledger import LATEST_SQL, ensure_tables
from orchestration.vendors.wire import Patience

DAY = date(2026, 10, 31)
QUICK = Patience(
    attempts=4,
    first_wait=0.01,
    longest_wait=2.0,
    answer=10.0,
    first_poll=0.01,
    longest_poll=0.05,
    job=5.0,
)

Key = tuple[str, str, str]
Desired = dict[Key, dict[str, Any]]

# What models/marts/activation is to do, in its simplest form.
PLAN_SQL = f"""
create or replace view activation.plan as
with latest as ({LATEST_SQL.format(ledger="activation.ledger")}),
unanswered as (select distinct shop_id, destination, object_id from activation.in_flight)
select
    shop_id, destination, object_id, coalesce(d.customer_key, l.customer_key) as customer_key,
    d.email, d.external_id,
    case
        when h.object_id is not null then 'hold'
        when d.object_id is null then 'clear'
        else 'send'
    end as action,
    case
        when h.object_id is not null then 'no consent'
        when d.object_id is null then 'no longer scored'
        when l.object_id is null then 'new'
        when l.payload_hash = d.payload_hash then 'unanswered'
        else 'changed'
    end as reason,
    coalesce(d.payload, '{{}}') as payload,
    coalesce(d.payload_hash, sha256('{{}}')) as payload_hash,
    l.payload as previous_payload, d.as_of_date
from activation.desired_state as d
full join latest as l using (shop_id, destination, object_id)
left join activation.test_holds as h using (shop_id, destination, object_id)
left join unanswered as u using (shop_id, destination, object_id)
where (d.object_id is not null or destination <> 'slack')
    and (
        u.object_id is not null
        or l.payload_hash is distinct from coalesce(d.payload_hash, sha256('{{}}'))
    )
"""


def scores(number: int, **more: Any) -> dict[str, Any]:
    """A payload that differs from one customer to the next, with nulls in some."""
    return {
        "health_score": number % 100,
        "health_bucket": ("low", "medium", "high")[number % 3],
        "trust_rating": None if number % 4 == 0 else ("bad", "mid", "good")[number % 3],
        "rfm_group": f"group {number % 7}",
        "last_survey_response": None if number % 5 else 'For my mother\'s "70th", größer\nand up',
        **more,
    }


def people(destination: str, shop: str, numbers: Iterable[int]) -> Desired:
    """Desired states of numbered customers."""
    return {(destination, shop, object_id(destination, n)): scores(n) for n in numbers}


def object_id(destination: str, number: int) -> str:
    """What a numbered customer is called at a destination."""
    return f"{7_000_000_000 + number}" if destination == "shopify" else f"01PROFILE{number:08d}"


def canonical(payload: Mapping[str, Any]) -> str:
    return json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def write_desired(warehouse: Path, desired: Desired, *, holds: Iterable[Key] = ()) -> None:
    """Make `desired` the desired state; creates the warehouse where it is missing."""
    with duckdb.connect(str(warehouse)) as connection:
        ensure_tables(connection)
        connection.execute(
            "create or replace table activation.desired_state (shop_id varchar, "
            "destination varchar, customer_key varchar, object_id varchar, email varchar, "
            "external_id varchar, payload varchar, payload_hash varchar, as_of_date date)"
        )
        connection.execute(
            "create or replace table activation.test_holds "
            "(destination varchar, shop_id varchar, object_id varchar)"
        )
        connection.execute(PLAN_SQL)
        # The other way round: no order of rows may matter.
        for destination, shop, identifier in sorted(desired, reverse=True):
            text = canonical(desired[destination, shop, identifier])
            connection.execute(
                "insert into activation.desired_state values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    shop,
                    destination,
                    f"{shop}:{identifier}",
                    identifier,
                    f"{identifier}@example.com",
                    identifier,
                    text,
                    hashlib.sha256(text.encode()).hexdigest(),
                    DAY,
                ],
            )
        for key in holds:
            connection.execute("insert into activation.test_holds values (?, ?, ?)", list(key))


def query(warehouse: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def confirmed(warehouse: Path) -> Desired:
    """What the ledger says every object holds."""
    latest = LATEST_SQL.format(ledger="activation.ledger")
    found = query(warehouse, f"select destination, shop_id, object_id, payload from ({latest})")
    return {(d, s, o): json.loads(p) for d, s, o, p in found}


def held(desired: Desired) -> Desired:
    """What a destination holds once it has taken the desired state: nothing for null."""
    found = {
        key: {name: value for name, value in fields.items() if value is not None}
        for key, fields in desired.items()
    }
    return {key: fields for key, fields in found.items() if fields}


def known(desired: Iterable[Key], destination: str) -> dict[str, list[str]]:
    """The ids that a sandbox must know, by shop."""
    found: dict[str, list[str]] = {}
    for where, shop, identifier in sorted(desired):
        if where == destination:
            found.setdefault(shop, []).append(identifier)
    return found
