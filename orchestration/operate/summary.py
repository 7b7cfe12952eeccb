"""What a build came to: customers by band, drawn."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from orchestration.warehouse import connect

BAR = 28
SCORES = (
    ("Health", "health_bucket", (("high", "green"), ("medium", "yellow"), ("low", "red"))),
    ("Behaviour", "behaviour_band", (("vip", "green"), ("engaged", "yellow"), ("at_risk", "red"))),
    (
        "Trust",
        "trust_rating",
        (
            ("great", "green"),
            ("good", "green"),
            ("mid", "yellow"),
            ("bad", "red"),
            ("unknown", "bright_black"),
        ),
    ),
)


def buckets(warehouse: Path, day: date | None = None) -> RenderableType:
    """Customers of each shop by health bucket, behaviour band and trust, on a day.

    Without a day, or for a shop that has no score on it, the shop's latest.
    """
    blocks: list[RenderableType] = []
    with connect(warehouse, read_only=True) as connection:
        shops = connection.execute(
            "select shop_id, coalesce(max(as_of_date) filter (where as_of_date = $1), "
            "max(as_of_date)) as day from marts.scored_days group by 1 order by 1",
            [day],
        ).fetchall()
        for shop, shown in shops:
            table = Table(box=None, show_header=False, padding=(0, 1))
            for _ in range(2):
                table.add_column()
            for _ in range(2):
                table.add_column(justify="right")
            table.add_column()
            total = 0
            for title, column, bands in SCORES:
                counts = dict(
                    connection.execute(
                        f"select {column}, count(*) from marts.customer_score_history "
                        "where shop_id = ? and as_of_date = ? group by 1",
                        [shop, shown],
                    ).fetchall()
                )
                total = sum(counts.values())
                for place, (band, colour) in enumerate(bands):
                    count = counts.get(band, 0)
                    table.add_row(
                        title if place == 0 else "",
                        band.replace("_", " "),
                        f"{count:,}",
                        f"{count / total:.0%}",
                        Text("█" * max(round(BAR * count / total), 1 if count else 0), colour),
                    )
            blocks += [Text(f"{shop}  {shown}  {total:,} customers", style="bold"), table, Text("")]
    if not blocks:
        blocks.append(Text("No customer is known yet: load some data first."))
    return Group(*blocks)
