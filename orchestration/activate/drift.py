"""Whether the fields of the plan are still what was confirmed before, by name and JSON type."""

from __future__ import annotations

import duckdb

from orchestration.activate.frozen import Pair

# Fields have the type of a column, so some rows tell what all do.
SAMPLE = 20_000

# Every so many rows that change something that was confirmed, one line a field: whether it was
# confirmed and is desired now, and the JSON types of both values, null where there is no value.
# What is cleared has no fields, and tags come and go with the vocabulary.
_FIELDS_SQL = """
with changing as (
    select previous_payload, payload, row_number() over (order by ordinal) as place
    from push_plan
    where destination = $destination and shop_id = $shop
        and action <> 'hold' and previous_payload is not null and payload <> '{}'
),
sampled as (
    from changing
    where place % (select 1 + (count(*) // $sample) from changing) = 0
),
sides as (
    select 'before' as side, previous_payload as fields from sampled
    union all
    select 'now', payload from sampled
),
fields as (
    select side, fields, unnest(json_keys(fields)) as field from sides
),
typed as (
    select
        side,
        field,
        case json_type(fields, '/' || replace(replace(field, '~', '~0'), '/', '~1'))
            when 'NULL' then null
            when 'VARCHAR' then 'text'
            when 'BOOLEAN' then 'true or false'
            when 'ARRAY' then 'list'
            when 'OBJECT' then 'object'
            else 'number'
        end as type
    from fields
    where not starts_with(field, 'tag:')
)
select
    field,
    count(*) filter (side = 'now') > 0 as is_there,
    list_sort(list(distinct type) filter (side = 'before' and type is not null)) as types_before,
    list_sort(list(distinct type) filter (side = 'now' and type is not null)) as types_now
from typed
group by field
having count(*) filter (side = 'before') > 0
order by field
"""


def drifted(connection: duckdb.DuckDBPyConnection, pair: Pair) -> str | None:
    """What has become of the fields of a shop at a destination; None where they are the same."""
    destination, shop = pair
    found = connection.execute(
        _FIELDS_SQL, {"destination": destination, "shop": shop, "sample": SAMPLE}
    ).fetchall()
    others = [
        f"{field} ({' or '.join(before)} -> {' or '.join(sorted(set(now) - set(before)))})"
        for field, _, before, now in found
        if before and set(now or ()) - set(before)
    ]
    if others:
        return f"fields have another type than was confirmed: {', '.join(others)}."
    gone = [field for field, is_there, _, _ in found if not is_there]
    if 2 * len(gone) > len(found):
        named = ", ".join(gone[:5]) + (", ..." if len(gone) > 5 else "")
        return f"{len(gone)} of {len(found)} confirmed fields are gone, more than half: {named}."
    return None
