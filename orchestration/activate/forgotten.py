"""What destinations still hold of people who were forgotten, until a push has cleared it.

`activation.forgotten` names the objects, and the ledger keeps the last thing confirmed of each:
without them nobody could say what to clear. Both go when the destination has confirmed the clear.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

import duckdb

from orchestration.activate.ledger import ensure_tables

FORGOTTEN_DDL = """
create table if not exists activation.forgotten (
    shop_id varchar not null,
    destination varchar not null,
    object_id varchar not null,
    customer_key varchar not null,
    forgotten_at timestamp not null
)
"""

# An object as three columns of a table under another name.
_SAME = (
    "{0}.shop_id = {1}.shop_id and {0}.destination = {1}.destination "
    "and {0}.object_id = {1}.object_id"
)


def ensure(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the table where it is missing, and the ledger's."""
    ensure_tables(connection)
    connection.execute(FORGOTTEN_DDL)


def queue(
    connection: duckdb.DuckDBPyConnection,
    shop_id: str,
    objects: Mapping[str, Collection[str]],
    keys: Collection[str],
    moment: datetime,
    gone: Collection[str] = (),
) -> list[tuple[str, int]]:
    """Leave of a person what the next push needs to clear what was written; of the rest nothing.

    `objects` are their ids by destination, `keys` every customer_key they had, `gone` ids that
    Shopify has no longer, merged or erased there; `moment` is naive UTC. Call it inside a
    transaction. Returns (destination, objects to clear), in order.
    """
    ensure(connection)
    connection.execute(
        "create or replace temp table forgotten_objects as "
        "select $shop as shop_id, d as destination, unnest(o) as object_id "
        "from (select unnest($destinations::varchar[]) as d, unnest($objects::varchar[][]) as o)",
        {
            "shop": shop_id,
            "destinations": list(objects),
            "objects": [sorted(ids) for ids in objects.values()],
        },
    )
    whose = {"shop": shop_id, "keys": sorted(keys)}
    connection.execute(
        "insert into forgotten_objects "
        "select distinct shop_id, destination, object_id from activation.ledger "
        "where shop_id = $shop and list_contains($keys, customer_key) and destination <> 'slack' "
        "except from forgotten_objects",
        whose,
    )
    connection.execute(
        f"""
        insert into activation.forgotten
        with latest as (
            select shop_id, destination, object_id, max_by(payload, ledger_id) as payload
            from activation.ledger
            group by all
        )
        select o.shop_id, o.destination, o.object_id, o.shop_id || ':forgotten', $moment::timestamp
        from forgotten_objects as o
        left join latest as l on {_SAME.format("o", "l")}
        where not (o.destination = 'shopify' and list_contains($gone::varchar[], o.object_id))
        and (
            coalesce(l.payload, '{{}}') <> '{{}}'
            or exists (select 1 from activation.in_flight as f where {_SAME.format("o", "f")})
        )
        and not exists (select 1 from activation.forgotten as f where {_SAME.format("o", "f")})
        """,
        {"moment": moment, "gone": sorted(gone)},
    )
    is_theirs = f"""
        t.shop_id = $shop and (
            list_contains($keys, t.customer_key)
            or exists (select 1 from forgotten_objects as o where {_SAME.format("t", "o")})
        )
    """
    # Refused rows quote what was to be sent.
    connection.execute(f"delete from activation.rejected as t where {is_theirs}", whose)
    connection.execute(
        f"""
        delete from activation.ledger as t
        where {is_theirs} and (
            not exists (select 1 from activation.forgotten as f where {_SAME.format("t", "f")})
            or t.ledger_id < (
                select max(n.ledger_id) from activation.ledger as n where {_SAME.format("t", "n")}
            )
        )
        """,
        whose,
    )
    connection.execute(
        f"update activation.ledger as t set customer_key = $shop || ':forgotten' where {is_theirs}",
        whose,
    )
    counted = connection.execute(
        f"select f.destination, count(*) from activation.forgotten as f "
        f"semi join forgotten_objects as o on {_SAME.format('f', 'o')} group by 1 order by 1"
    ).fetchall()
    connection.execute("drop table forgotten_objects")
    return [(str(destination), int(count)) for destination, count in counted]


def settle(connection: duckdb.DuckDBPyConnection) -> int:
    """Let go of objects whose destination has confirmed that our fields are cleared.

    Returns how many there were. All or nothing.
    """
    ensure(connection)
    cleared = f"""
        select f.shop_id, f.destination, f.object_id
        from activation.forgotten as f
        inner join activation.ledger as l on {_SAME.format("f", "l")}
        where not exists (select 1 from activation.in_flight as i where {_SAME.format("f", "i")})
        group by all
        having max_by(l.payload, l.ledger_id) = '{{}}'
    """
    connection.execute("begin")
    try:
        connection.execute(f"create or replace temp table cleared as {cleared}")
        for table in ("ledger", "rejected", "forgotten"):
            connection.execute(
                f"delete from activation.{table} as t "
                f"where exists (select 1 from cleared as c where {_SAME.format('t', 'c')})"
            )
        found = connection.execute("select count(*) from cleared").fetchone()
        connection.execute("drop table cleared")
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise
    return int(found[0]) if found else 0
