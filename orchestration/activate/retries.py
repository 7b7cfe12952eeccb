"""Trying again what a destination refused: later each time, and after a while no more.

A payload that was refused is tried again 1, 2, 4 and 8 days after its last refusal; after the
fifth it is parked. Another payload starts afresh, and so does a confirmation in between.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import duckdb

WAITS = "refused, waits"
PARKED = "parked"

ATTEMPTS = 5

# A daily push begins at about the same time each day, not at the same second.
EARLIER = "interval 2 hours"

# One row an object and payload that was refused since the object's last confirmation.
REFUSED_SQL = f"""
    select
        r.shop_id, r.destination, r.object_id, r.payload_hash,
        count(distinct r.batch_id) as attempts,
        max_by(r.message, r.rejected_at) as message,
        max_by(r.code, r.rejected_at) as code,
        max_by(r.field, r.rejected_at) as field,
        case
            when attempts < {ATTEMPTS}
                then max(r.rejected_at) + to_days((1 << (attempts - 1))::integer) - {EARLIER}
        end as tried_again_at
    from push_rejected as r
    left join push_latest as l using (shop_id, destination, object_id)
    where r.rejected_at >= coalesce(l.confirmed_at, r.rejected_at)
    group by r.shop_id, r.destination, r.object_id, r.payload_hash
"""


@dataclass(frozen=True)
class Refused:
    """What a destination says of some objects that the plan lists, and since when it may not.

    `tried_again` is the first day on which one of them is; None when all of them are parked.
    """

    destination: str
    shop_id: str
    field: str | None
    code: str | None
    message: str
    objects: int
    tried_again: date | None


def refused(connection: duckdb.DuckDBPyConnection, most: int = 20) -> list[Refused]:
    """The vendors' words on what stands refused in the frozen plan, the most frequent first.

    A word may quote an address; whoever shows it hides that.
    """
    found = connection.execute(
        f"""
        with refused as ({REFUSED_SQL})
        select
            destination, shop_id, r.field, r.code, r.message, count(*) as objects,
            min(r.tried_again_at)::date
        from push_plan as p
        inner join refused as r using (shop_id, destination, object_id, payload_hash)
        group by all
        order by objects desc, destination, shop_id, message, code, field
        limit ?
        """,
        [most],
    ).fetchall()
    return [Refused(*line) for line in found]
