"""The static report of customer health: one self-contained page, read from the marts alone.

Each query is a file of `dashboards/`, the page around them is `dashboards/page.html`, the pictures
come from `charts`. A card says its reading in its title, shows it, and keeps the numbers in a table
below. The page holds no script, no link to elsewhere, no clock and no name of a customer: the same
warehouse gives the same bytes, and it may be mailed to whoever may see the shop's figures.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from orchestration.errors import HealthError
from orchestration.publish.cards import (
    Rows,
    Shop,
    behaviour_card,
    health_card,
    preference_card,
    push_card,
    readiness,
    returns_card,
    rfm_card,
    trust_card,
)
from orchestration.publish.groups import agreement_card, segments_card
from orchestration.publish.kpis import COMPARED, NAMES, kpi_html, kpi_strip
from orchestration.publish.page import DASHBOARDS, card_html, filled, write_page
from orchestration.publish.quality import (
    audit_card,
    catalogue_card,
    readiness_card,
    tracking_card,
)
from orchestration.publish.versions import what_if_cards
from orchestration.publish.wording import count, day
from orchestration.warehouse import connect

if TYPE_CHECKING:
    from orchestration.activate.push import PushReport

QUERIES = (
    "shops",
    "bands",
    "kpis",
    "kpi_targets",
    "health_buckets",
    "health_movement",
    "behaviour_distribution",
    "trust_ratings",
    "rfm_grid",
    "rfm_groups",
    "rfm_readiness",
    "rfm_agreement",
    "segments",
    "preference_mix",
    "preference_audit",
    "return_reasons",
    "push_plan",
    "what_if",
    "what_if_movers",
    "readiness",
    "catalogue",
    "tracking",
)
# What a warehouse of an earlier version lacks until its next build.
YOUNGER = (
    "marts.customer_segments",
    "marts.event_quality",
    "marts.preference_audit",
    "marts.product_quality",
    "marts.readiness",
    "marts.rfm_agreement",
    "marts.rfm_readiness",
    "marts.scorecard_scores",
    "marts.what_if",
    "marts.what_if_customers",
    "seeds.kpi_targets",
)


def read(connection: duckdb.DuckDBPyConnection) -> list[Shop]:
    """Run every query of `dashboards/` and sort the answers by shop.

    Raises `HealthError` when the warehouse holds no marts yet, or only those of an earlier version.
    """
    built = {
        name
        for (name,) in connection.execute(
            "select table_schema || '.' || table_name from information_schema.tables "
            "where table_schema in ('marts', 'activation', 'seeds')"
        ).fetchall()
    }
    if not built >= {"marts.customer_scores", "activation.plan"}:
        raise HealthError("There is nothing to report yet. Run `health load` and `health build`.")
    lacking = [name for name in YOUNGER if name not in built]
    if lacking:
        raise HealthError(
            f"The warehouse was built before there was {lacking[0]}. Run `health build`, "
            "which adds what is new and keeps the rest."
        )
    rows: dict[str, dict[str, Rows]] = defaultdict(lambda: {name: [] for name in QUERIES})
    for name in QUERIES:
        cursor = connection.execute((DASHBOARDS / f"{name}.sql").read_text(encoding="utf-8"))
        columns = [column[0] for column in cursor.description or []]
        for values in cursor.fetchall():
            row = dict(zip(columns, values, strict=True))
            rows[row["shop_id"]][name].append(row)
    return [
        Shop(shop_id, of_shop["shops"][0], of_shop)
        for shop_id, of_shop in sorted(rows.items())
        if of_shop["shops"]
    ]


def shop_html(shop: Shop, anchor: str, push_report: PushReport | None) -> str:
    """A shop's section of the page."""
    name = escape(shop.shop_id)
    if not shop.about["customers"]:
        return (
            f'<section id="{anchor}"><h2>{name}</h2><p class="empty">'
            f"{escape(count(shop.about['customers_known'], 'customer'))} known, none scored yet. "
            "Run <code>health build</code>.</p></section>"
        )
    # What a shop wants to know first comes first; what the figures rest on closes.
    parts = [
        (
            "health",
            "How customers are doing",
            [health_card(shop), behaviour_card(shop), trust_card(shop)],
        ),
        (
            "groups",
            "Who they are, what they like",
            [
                rfm_card(shop),
                preference_card(shop),
                agreement_card(shop),
                segments_card(shop),
                audit_card(shop),
            ],
        ),
        (
            "next",
            "What came back, what comes next",
            [returns_card(shop), push_card(shop, push_report), *what_if_cards(shop)],
        ),
        (
            "data",
            "What the figures rest on",
            [readiness_card(shop), catalogue_card(shop), tracking_card(shop)],
        ),
    ]
    links = "".join(f'<li><a href="#{anchor}-{part}">{head}</a></li>' for part, head, _ in parts)
    content = "".join(
        f'<h3 id="{anchor}-{part}">{head}</h3>'
        f'<div class="cards">{"".join(card_html(card) for card in cards)}</div>'
        for part, head, cards in parts
    )
    inputs = "".join(
        f'<li class="{"there" if there else "missing"}"><span aria-hidden="true">'
        f"{'✓' if there else '○'}</span> {escape(text)}</li>"
        for there, text in readiness(shop)
    )
    return (
        f'<section id="{anchor}"><header><h2>{name}</h2>'
        f"<p>{escape(count(shop.about['customers'], 'customer'))}, scored as of "
        f"{day(shop.about['as_of_date'])}.</p>"
        f'<ul class="readiness">{inputs}</ul></header>'
        f"{kpi_html(kpi_strip(shop))}"
        f'<ul class="parts" aria-label="Parts of {name}">{links}</ul>{content}</section>'
    )


def overview_html(shops: Sequence[Shop]) -> str:
    """All shops in one table, with the way to each; nothing for a single shop."""
    if len(shops) < 2:
        return ""
    head = ["Shop", "Data up to"]
    names = [*(NAMES[kpi][0] for kpi in COMPARED), "Targets met"]
    lines = []
    for place, shop in enumerate(shops, start=1):
        link = f'<th scope="row"><a href="#shop-{place}">{escape(shop.shop_id)}</a></th>'
        if not shop.about["customers"]:
            lines.append(f'<tr>{link}<td colspan="{len(names) + 1}">none scored yet</td></tr>')
            continue
        strip = kpi_strip(shop)
        figures = [kpi.figure for kpi in strip.kpis if kpi.kpi in COMPARED]
        lines.append(
            f"<tr>{link}<td>{day(shop.about['as_of_date'])}</td>"
            + "".join(f'<td class="figure">{escape(text)}</td>' for text in (*figures, strip.met))
            + "</tr>"
        )
    titles = "".join(f'<th scope="col">{title}</th>' for title in head) + "".join(
        f'<th scope="col" class="figure">{escape(name)}</th>' for name in names
    )
    return (
        '<nav aria-label="Shops"><div class="scroll" tabindex="0" role="group" '
        'aria-label="All shops"><table class="overview"><caption class="hidden">All shops</caption>'
        f"<thead><tr>{titles}</tr></thead><tbody>{''.join(lines)}</tbody></table></div></nav>"
    )


def render(shops: Sequence[Shop], push_report: PushReport | None = None) -> str:
    """The whole page."""
    if shops:
        sections = "".join(
            shop_html(shop, f"shop-{place}", push_report)
            for place, shop in enumerate(shops, start=1)
        )
        customers = sum(shop.about["customers"] for shop in shops)
        days = sorted({s.about["as_of_date"] for s in shops if s.about["as_of_date"]})
        summary = f"{count(len(shops), 'shop')}, {count(customers, 'customer')}"
        summary += f", scored up to {' and '.join(day(d) for d in days)}" if days else ""
    else:
        sections = (
            '<section><p class="empty">No customer of any shop is known yet. Load some data with '
            "<code>health load</code>, score it with <code>health build</code>, and this page "
            "fills.</p></section>"
        )
        summary = "Nothing has been loaded yet"
    return filled(
        "page.html",
        summary=escape(summary) + ".",
        overview=overview_html(shops),
        sections=sections,
    )


def write_report(warehouse: Path, out: Path, push_report: PushReport | None = None) -> Path:
    """Write the report of a warehouse to the file `out` and return it.

    The file appears whole or not at all. Raises `HealthError` without a warehouse, without marts,
    or when `out` is a folder.
    """
    with connect(warehouse, read_only=True) as connection:
        shops = read(connection)
    return write_page(out, render(shops, push_report))
