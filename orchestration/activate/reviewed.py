"""The plan's id: what was reviewed is what is applied, or nothing is.

The id is a digest of every row that a plan sends, values included. Its rows, keys and hashes
without any value, are kept beside the warehouse, so that a plan that has moved can say how.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from orchestration.errors import HealthError

DIGITS = 12
KEPT = 20
EXAMPLES = 5

# The order of rows does not count, nor the day they were planned.
_ROWS_SQL = """
create or replace temp table push_reviewed as
select
    destination, shop_id, object_id, customer_key, action, payload_hash,
    sha256(previous_payload) as previous_hash,
    list_sort(unanswered) as unanswered
from push_plan
where action <> 'hold'
"""

_ID_SQL = f"""
select left(sha256(string_agg(digest, '' order by digest)), {DIGITS})
from (
    select sha256(concat_ws(
        chr(31), destination, shop_id, object_id, payload_hash, coalesce(previous_hash, ''),
        array_to_string(unanswered, chr(30))
    )) as digest
    from push_reviewed
)
"""

_MOVED_SQL = """
with moved as (
    select
        case
            when f.object_id is null then 'new'
            when n.object_id is null then 'gone'
            else 'other'
        end as what,
        coalesce(f.destination, n.destination) as destination,
        coalesce(f.customer_key, n.customer_key) as customer_key
    from read_parquet(?) as f
    full outer join push_reviewed as n using (destination, shop_id, object_id)
    where f.object_id is null
        or n.object_id is null
        or f.payload_hash is distinct from n.payload_hash
        or f.previous_hash is distinct from n.previous_hash
        or f.unanswered is distinct from n.unanswered
)
select
    what,
    count(*),
    list_sort(list(distinct destination || ' ' || customer_key))[1:?]
from moved
group by what
"""

_WORDS = {
    "gone": "no longer to be sent",
    "other": "to be sent with other values",
    "new": "new",
}


@dataclass(frozen=True)
class Moved:
    """Rows that differ between a reviewed plan and the present one, in one way."""

    what: str
    rows: int
    examples: Sequence[str]

    def __str__(self) -> str:
        more = ", ..." if self.rows > len(self.examples) else ""
        return f"{self.rows:,} {_WORDS[self.what]} ({', '.join(self.examples)}{more})"


def plan_id(connection: duckdb.DuckDBPyConnection) -> str | None:
    """The id of the frozen plan; None when it sends nothing."""
    connection.execute(_ROWS_SQL)
    found = connection.execute(_ID_SQL).fetchone()
    return found[0] if found else None


def folder(warehouse: Path) -> Path:
    """Where the plans of a warehouse are kept."""
    return warehouse.parent / "plans"


def keep(connection: duckdb.DuckDBPyConnection, warehouse: Path, identity: str) -> Path:
    """Keep the rows of the frozen plan, after `plan_id`; the latest KEPT plans stay.

    Raises `HealthError` when they cannot be written.
    """
    kept = folder(warehouse) / f"{identity}.parquet"
    beside = kept.with_suffix(".new")
    try:
        kept.parent.mkdir(exist_ok=True)
        connection.execute(
            "copy (from push_reviewed order by destination, shop_id, object_id) "
            f"to '{str(beside).replace(chr(39), chr(39) * 2)}' (format parquet, compression zstd)"
        )
        beside.replace(kept)
        by_age = sorted(kept.parent.glob("*.parquet"), key=lambda path: path.stat().st_mtime_ns)
        for old in by_age[:-KEPT]:
            old.unlink(missing_ok=True)
    except (OSError, duckdb.IOException) as error:
        raise HealthError(
            f"The plan could not be kept in {kept.parent}: {str(error).splitlines()[0]}."
        ) from error
    return kept


def check(
    connection: duckdb.DuckDBPyConnection, warehouse: Path, reviewed: str, present: str | None
) -> None:
    """Raise `HealthError` unless the frozen plan, whose id is `present`, is the `reviewed` one."""
    if reviewed == present:
        return
    kept = folder(warehouse) / f"{reviewed}.parquet"
    if not re.fullmatch(rf"[0-9a-f]{{{DIGITS}}}", reviewed) or not kept.exists():
        raise HealthError(
            f"There is no plan '{reviewed}' here: `health push` shows the present one and its id. "
            f"The latest {KEPT} are kept."
        )
    found = {
        what: Moved(what, rows, examples)
        for what, rows, examples in connection.execute(_MOVED_SQL, [str(kept), EXAMPLES]).fetchall()
    }
    said = "; ".join(str(found[what]) for what in _WORDS if what in found)
    raise HealthError(
        f"Nothing was sent: since the plan {reviewed} was made, rows have moved: {said}. "
        "`health push` shows the present plan."
    )
