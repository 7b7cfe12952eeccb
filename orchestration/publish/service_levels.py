"""The one-page SLA: what is promised, and what is measured of it, a table a shop."""

from __future__ import annotations

from html import escape
from itertools import groupby
from pathlib import Path

from orchestration.publish.page import DASHBOARDS
from orchestration.publish.wording import day
from orchestration.warehouse import connect

# What is promised of experiments is kept by whoever runs them; it is said, not measured, here.
EXPERIMENTS = (
    "Experiments run four weeks at least, with one metric named before; a first look after 48 "
    "hours stops only what does harm. A holdout stays as it was drawn. None is measured here yet."
)


def service_levels_html(warehouse: Path) -> str:
    """The page's content, from the warehouse as it stands."""
    query = (DASHBOARDS / "site" / "service_levels.sql").read_text(encoding="utf-8")
    with connect(warehouse, read_only=True) as connection:
        cursor = connection.execute(query)
        names = [column[0] for column in cursor.description or []]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    parts = []
    for shop, of_shop in groupby(rows, key=lambda row: row["shop_id"]):
        levels = list(of_shop)
        kept = sum(row["is_kept"] for row in levels)
        lines = "".join(
            f'<tr><th scope="row">{escape(row["promise"])}</th>'
            f'<td class="figure">{row["measured"]:,}</td><td class="figure">{row["at_most"]:,}</td>'
            f"<td>{escape(row['unit'])}</td>"
            f'<td class="{"better" if row["is_kept"] else "worse"}">'
            f"{'kept' if row['is_kept'] else 'not kept'}</td></tr>"
            for row in levels
        )
        parts.append(
            f"<h2>{escape(shop)}</h2><p>{kept} of {len(levels)} kept, scored up to "
            f"{day(levels[0]['last_day'])}.</p>"
            f'<div class="scroll" tabindex="0" role="group" aria-label="{escape(shop)}">'
            f'<table class="prose"><caption class="hidden">Promises of {escape(shop)}</caption>'
            '<thead><tr><th scope="col">Promise</th><th scope="col" class="figure">Measured</th>'
            '<th scope="col" class="figure">At most</th><th scope="col">Of what</th>'
            f'<th scope="col">State</th></tr></thead><tbody>{lines}</tbody></table></div>'
        )
    return (
        "<h1>Service levels</h1><p>What whoever reads the scores may rely on, and how it stands. "
        "The limits are in <code>seeds/reference/service_levels.csv</code>.</p>"
        f"{''.join(parts)}<h2>Experiments</h2><p>{EXPERIMENTS}</p>"
    )
