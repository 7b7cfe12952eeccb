"""Two versions of a scorecard on one day: who changes band, and what stands behind them.

Reads `marts.what_if` and `marts.what_if_customers`, which every build fills for the last of its
days; the command builds just these two first, so that what was edited a minute ago is what counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from orchestration.errors import HealthError
from orchestration.transform import versions
from orchestration.transform.build import BuildRequest, build
from orchestration.warehouse import connect

MOVERS_SHOWN = 20
# The two marts and all they are made of: scores, contributions and history stay as they are.
MODELS = ("+what_if", "+what_if_customers")


@dataclass(frozen=True)
class Cell:
    """Customers with one band under one version and another under the other."""

    band_from: str
    band_to: str
    customers: int
    changed: int
    monetary: Decimal


@dataclass(frozen=True)
class Comparison:
    """One shop on one day. `bands` has the best first; `movers` the largest changes first.

    Without `cells` nothing was compared: the version `is_in_force`, or nobody has the score yet.
    """

    shop_id: str
    as_of_date: date
    version_from: int
    version_to: int
    bands: list[str]
    cells: list[Cell]
    movers: list[dict[str, Any]]
    is_in_force: bool = False

    def total(self, moved: bool = False) -> int:
        """Customers in all, or those who change band."""
        return sum(c.customers for c in self.cells if not moved or c.band_from != c.band_to)


def gather(
    warehouse: Path, card: str, version: int, day: date | None, shop: str | None
) -> list[Comparison]:
    """What the last build said of this version, shop by shop."""
    with connect(warehouse, read_only=True) as connection:
        days = connection.execute(
            "select shop_id, max(as_of_date) from intermediate.int_as_of_days "
            "where ($1::date is null or as_of_date = $1) and ($2::varchar is null or shop_id = $2) "
            "group by 1 order by 1",
            [day, shop],
        ).fetchall()
        ranks = dict(
            connection.execute(
                "select band, min(rank) from seeds.scorecard_bands where scorecard_id = ? "
                "group by 1",
                [card],
            ).fetchall()
        )
        in_force = {
            row[0]
            for row in connection.execute(
                "select as_of_date from features.scorecard_days "
                "where scorecard_id = ? and scorecard_version = ? and is_in_force",
                [card, version],
            ).fetchall()
        }
        found = []
        for shop_id, as_of in days:
            which = [shop_id, as_of, card, version]
            where = "shop_id = ? and as_of_date = ? and scorecard_id = ? and version_to = ?"
            rows = connection.execute(
                "select version_from, band_from, band_to, customers, customers_with_another_score, "
                f"monetary from marts.what_if where {where}",
                which,
            ).fetchall()
            if not rows:
                found.append(
                    Comparison(shop_id, as_of, version, version, [], [], [], as_of in in_force)
                )
                continue
            cursor = connection.execute(
                "select customer_key, band_from, band_to, score_from, score_to, monetary, moved_by "
                f"from marts.what_if_customers where {where} "
                "order by abs(coalesce(score_to, 0) - coalesce(score_from, 0)) desc, "
                f"monetary desc, customer_key limit {MOVERS_SHOWN}",
                which,
            )
            names = [column[0] for column in cursor.description or []]
            cells = [Cell(*row[1:]) for row in rows]
            bands = {c.band_from for c in cells} | {c.band_to for c in cells}
            found.append(
                Comparison(
                    shop_id,
                    as_of,
                    rows[0][0],
                    version,
                    sorted(bands, key=lambda band: (ranks.get(band, 99), band)),
                    cells,
                    [dict(zip(names, row, strict=True)) for row in cursor.fetchall()],
                )
            )
    return found


def _number(value: Decimal | None) -> str:
    return "unknown" if value is None else f"{float(value):.1f}".rstrip("0").rstrip(".")


def _matrix(comparison: Comparison) -> Table:
    """Bands before down, bands after across; each cell has customers over what they have spent."""
    table = Table(box=None, padding=(0, 2), header_style="bold")
    table.add_column(f"version {comparison.version_from}", no_wrap=True)
    for band in comparison.bands:
        table.add_column(f"→ {band.replace('_', ' ')}", justify="right", no_wrap=True)
    table.add_column("in all", justify="right", no_wrap=True)
    cells = {(c.band_from, c.band_to): c for c in comparison.cells}
    for before in comparison.bands:
        row: list[RenderableType] = [before.replace("_", " ")]
        for after in comparison.bands:
            cell = cells.get((before, after))
            if cell is None:
                row.append(Text("·", style="dim"))
            else:
                style = "" if before == after else "bold yellow"
                row.append(Text(f"{cell.customers:,}\n{cell.monetary:,.0f}", style=style))
        row.append(f"{sum(c.customers for c in comparison.cells if c.band_from == before):,}")
        table.add_row(*row)
    return table


def _movers(comparison: Comparison) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("customer", overflow="fold")
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("band", no_wrap=True)
    table.add_column("net value", justify="right", no_wrap=True)
    table.add_column("moved by")
    for mover in comparison.movers:
        bands = [str(mover[b]).replace("_", " ") for b in ("band_from", "band_to")]
        table.add_row(
            mover["customer_key"],
            f"{_number(mover['score_from'])} → {_number(mover['score_to'])}",
            bands[0] if bands[0] == bands[1] else f"{bands[0]} → {bands[1]}",
            f"{mover['monetary']:,.0f}",
            mover["moved_by"] or "the bands",
        )
    return table


def render(card: str, comparisons: list[Comparison]) -> RenderableType:
    """The comparison of each shop: a sentence, the matrix, the largest movers."""
    blocks: list[RenderableType] = []
    for one in comparisons:
        if not one.cells:
            why = (
                f"{card} version {one.version_to} is in force: nothing to compare."
                if one.is_in_force
                else f"Nobody has a score of {card} yet: nothing to compare."
            )
            blocks += [
                Text(f"{one.shop_id}  {one.as_of_date}", style="bold underline"),
                Text(why),
                Text(""),
            ]
            continue
        moved, total = one.total(moved=True), one.total()
        scored = sum(c.changed for c in one.cells)
        behind = sum((c.monetary for c in one.cells if c.band_from != c.band_to), Decimal(0))
        blocks += [
            Text(
                f"{one.shop_id}  {one.as_of_date}  {card}: version {one.version_from} "
                f"→ {one.version_to}",
                style="bold underline",
            ),
            Text(
                f"{moved:,} of {total:,} customers ({moved / total:.1%}) change band; they have "
                f"spent {behind:,.2f} net. {scored:,} have another score."
            ),
            Text(""),
            _matrix(one),
            Text("Customers over their net value so far; who moves is bold.", style="dim"),
            Text(""),
        ]
        if one.movers:
            blocks += [
                Text(f"The {len(one.movers)} largest movers", style="bold"),
                _movers(one),
                Text(""),
            ]
    return Group(*blocks)


def what_if(
    warehouse: Path,
    version: str,
    against: int | None,
    day: date | None,
    shop: str | None,
    console: Console,
) -> RenderableType:
    """Compare a version with the one in force (or with `against`) on a day, the latest if none.

    Raises `HealthError` when the seeds lack a version, or when it is the one in force.
    """
    card, number = versions.parse(version)
    base = (f"{card}@{against}",) if against is not None else ()
    if against == number:
        raise HealthError(f"{version} cannot be compared with itself: name another version.")
    build(BuildRequest(day, day, shop, scorecards=base, select=MODELS), warehouse, console)
    comparisons = gather(warehouse, card, number, day, shop)
    if not any(one.cells or one.is_in_force for one in comparisons):
        raise HealthError(
            f"Nobody has a score of {card} on that day, so there is nothing to compare: name a day "
            "by which there are customers."
        )
    if not any(one.cells for one in comparisons):
        raise HealthError(
            f"{version} is the version in force on that day, so there is nothing to compare: name "
            "the other one, or say --against."
        )
    return render(card, comparisons)
