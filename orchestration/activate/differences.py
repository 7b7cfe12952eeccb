"""What a destination holds against what it confirmed: the differences, and their record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from orchestration.activate import postscript
from orchestration.activate.plan import canonical
from orchestration.activate.shopify import metafield

CHANGED = "changed by hand"
MISSING = "missing field"
EXTRA_TAG = "extra managed tag"
EXTRA = "extra field"
GONE = "object gone"

DDL = """
create table if not exists activation.reconciliations (
    run_id varchar not null,
    found_at timestamp not null,
    shop_id varchar not null,
    destination varchar not null,
    object_id varchar not null,
    customer_key varchar not null,
    field varchar,
    kind varchar not null,
    confirmed varchar,
    found varchar
)
"""


@dataclass(frozen=True)
class Difference:
    """One field that is not as it was confirmed, `field` None for an object that is gone.

    `confirmed` and `found` are canonical JSON values, None for nothing.
    """

    field: str | None
    kind: str
    confirmed: str | None
    found: str | None


@dataclass(frozen=True)
class Drift:
    """A difference, and where it is; `ledger_id` is the confirmation that it was compared with."""

    destination: str
    shop_id: str
    object_id: str
    customer_key: str
    ledger_id: int
    difference: Difference


def expected(destination: str, name: str, value: Any) -> Any:
    """A confirmed value as its destination holds it; None for nothing."""
    if destination == "shopify" and not name.startswith("tag:"):
        return value if metafield(name, value) is not None else None
    if destination == "postscript":
        return None if value in (None, "") else postscript.as_property(value)
    return value


def compare(
    destination: str, confirmed: Mapping[str, Any], found: Mapping[str, Any] | None
) -> list[Difference]:
    """What differs between what was confirmed of an object and what was found of it.

    Fields of others are no drift: a tag that was never in a payload, a property of another app.
    Metafields are: no other app can write into our namespace.
    """
    if found is None:
        return [Difference(None, GONE, None, None)]
    differences: list[Difference] = []
    for name in sorted(confirmed):
        ours, theirs = _text(expected(destination, name, confirmed[name])), _text(found.get(name))
        if ours == theirs:
            continue
        kind = MISSING if theirs is None else CHANGED
        if ours is None and name.startswith("tag:"):
            kind = EXTRA_TAG
        differences.append(Difference(name, kind, ours, theirs))
    if destination == "shopify":
        extra = (n for n in found if n not in confirmed and not n.startswith("tag:"))
        differences += [Difference(n, EXTRA, None, _text(found[n])) for n in sorted(extra)]
    return differences


def _text(value: Any) -> str | None:
    return None if value is None else canonical(value)


# What a push has written since the ledger was looked at, or is just writing, is no drift.
_STANDING_SQL = """
create or replace temp table standing_drift as
with drift as (
    select
        unnest($places::integer[]) as place, unnest($destinations::varchar[]) as destination,
        unnest($shops::varchar[]) as shop_id, unnest($objects::varchar[]) as object_id,
        unnest($keys::varchar[]) as customer_key, unnest($ledger_ids::bigint[]) as ledger_id,
        unnest($fields::varchar[]) as field, unnest($kinds::varchar[]) as kind,
        unnest($confirmed::varchar[]) as confirmed, unnest($found::varchar[]) as found
)
select drift.*
from drift
anti join activation.ledger as newer
    on newer.destination = drift.destination
    and newer.shop_id = drift.shop_id
    and newer.object_id = drift.object_id
    and newer.ledger_id > drift.ledger_id
anti join activation.in_flight as noted
    on noted.destination = drift.destination
    and noted.shop_id = drift.shop_id
    and noted.object_id = drift.object_id
"""


def record(
    connection: duckdb.DuckDBPyConnection,
    run_id: str,
    drifts: Sequence[Drift],
    now: datetime,
    *,
    repair: bool,
) -> tuple[list[Drift], int]:
    """Write down the drift that still stands; gives it, and how many objects are to be repaired.

    With `repair`, each object that is still there gets a note in `activation.in_flight`: the next
    push takes its drifted fields for unanswered and writes them again.
    """
    connection.execute(DDL)
    connection.execute(
        _STANDING_SQL,
        {
            "places": list(range(len(drifts))),
            "destinations": [d.destination for d in drifts],
            "shops": [d.shop_id for d in drifts],
            "objects": [d.object_id for d in drifts],
            "keys": [d.customer_key for d in drifts],
            "ledger_ids": [d.ledger_id for d in drifts],
            "fields": [d.difference.field for d in drifts],
            "kinds": [d.difference.kind for d in drifts],
            "confirmed": [d.difference.confirmed for d in drifts],
            "found": [d.difference.found for d in drifts],
        },
    )
    places = connection.execute("select place from standing_drift order by place").fetchall()
    connection.execute("begin")
    try:
        repairs = _write(connection, {"run": run_id, "now": now}, repair)
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise
    return [drifts[place] for (place,) in places], repairs


def _write(connection: duckdb.DuckDBPyConnection, run: dict[str, Any], repair: bool) -> int:
    """Record the standing drift and leave notes if wanted; gives how many notes."""
    connection.execute(
        "insert into activation.reconciliations select $run, $now::timestamp, shop_id, "
        "destination, object_id, customer_key, field, kind, confirmed, found "
        "from standing_drift order by place",
        run,
    )
    if not repair:
        return 0
    connection.execute(
        "insert into activation.in_flight select $run, shop_id, destination, object_id, "
        "list(field order by field), $now::timestamp from standing_drift "
        "where field is not null group by shop_id, destination, object_id",
        run,
    )
    found = connection.execute(
        "select count(*) from activation.in_flight where batch_id = ?", [run["run"]]
    ).fetchone()
    return int(found[0]) if found else 0
