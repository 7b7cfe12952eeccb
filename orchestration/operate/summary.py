"""What a build came to, in one table."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from orchestration.warehouse import connect

BUCKETS = """
select
    shop_id,
    max(as_of_date) as as_of_date,
    count(*) as customers,
    count(*) filter (where health_bucket = 'high') as high,
    count(*) filter (where health_bucket = 'medium') as medium,
    count(*) filter (where health_bucket = 'low') as low,
    count(*) filter (where behaviour_band = 'vip') as vip,
    count(*) filter (where behaviour_band = 'engaged') as engaged,
    count(*) filter (where behaviour_band = 'at_risk') as at_risk,
    count(*) filter (where trust_rating in ('great', 'good')) as trusted,
    count(*) filter (where trust_rating in ('mid', 'bad')) as doubtful,
    count(*) filter (where trust_rating = 'unknown') as unknown
from marts.customer_scores
group by shop_id
order by shop_id
"""


def buckets(warehouse: Path) -> Table:
    """Customers of each shop on its latest day, by health bucket, behaviour band and trust."""
    table = Table(title="Customers by score, latest day", title_justify="left")
    table.add_column("shop")
    table.add_column("day")
    for name in (
        "customers", "high", "medium", "low", "vip", "engaged", "at risk",
        "trust good+", "mid-", "unknown",
    ):  # fmt: skip
        table.add_column(name, justify="right")
    with connect(warehouse, read_only=True) as connection:
        for row in connection.execute(BUCKETS).fetchall():
            table.add_row(*[f"{v:,}" if isinstance(v, int) else str(v) for v in row])
    return table
