"""The days to come: who will leave their band by themselves, and when.

The future is a replay in which nothing happens. The days after the last scored one are scored on a
copy of the warehouse by the models that score every day: windows close, answers grow old, scores
fade. What would leave its band there is written into `activation.outlook`, which
`marts.score_changes` reads. RFM groups are left out: they move with everybody else's orders.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb
from rich.console import Console, Group, RenderableType
from rich.table import Table

from orchestration.errors import HealthError
from orchestration.transform import spark
from orchestration.transform.build import BuildRequest, build
from orchestration.warehouse import connect

# As if the days were run, nothing but what the bands need.
MODELS = "int_as_of_days+,+band_intervals"

LEAVING = """
    select
        now.shop_id, now.customer_key, now.scorecard_id, last.as_of_date, now.band,
        min(later.valid_from) as leaves_on, min_by(later.band, later.valid_from) as leaves_for
    from last_days as last
    join history.band_intervals as now
        on now.shop_id = last.shop_id
        and now.valid_from <= last.as_of_date and now.valid_to > last.as_of_date
    join history.band_intervals as later
        on later.customer_key = now.customer_key and later.scorecard_id = now.scorecard_id
        and later.valid_from > last.as_of_date
    where now.scorecard_id != 'rfm'
    group by 1, 2, 3, 4, 5
"""


@dataclass(frozen=True)
class Leaving:
    """How many customers of a shop will leave a band for another within the days looked at."""

    shop_id: str
    scorecard_id: str
    band: str
    leaves_for: str
    customers: int
    first_on: date


def look_ahead(warehouse: Path, days: int, console: Console) -> list[Leaving]:
    """Score the next `days` days on a copy and keep who leaves which band.

    Raises `HealthError` when nothing has been scored yet.
    """
    with connect(warehouse, read_only=True) as connection:
        last_days = _last_days(connection)
    with tempfile.TemporaryDirectory(dir=warehouse.parent, prefix=".outlook-") as folder:
        copy = Path(folder) / warehouse.name
        shutil.copyfile(warehouse, copy)
        with spark.copied(warehouse, copy):
            # Shops that were scored up to the same day share a run.
            for last in sorted(set(last_days.values())):
                shops = [shop for shop, day in last_days.items() if day == last]
                for shop in [None] if len(shops) == len(last_days) else shops:
                    whose = f" for {shop}" if shop else ""
                    console.print(f"Looking {days} days ahead of {last}{whose}.")
                    first = last + timedelta(days=1)
                    request = BuildRequest(
                        first, last + timedelta(days=days), shop, select=(MODELS,)
                    )
                    build(request, copy, console)
        with connect(warehouse) as connection:
            connection.execute(f"attach '{_quoted(copy)}' as ahead (read_only)")
            _keep(connection, last_days)
            return _leaving(connection)


def _last_days(connection: duckdb.DuckDBPyConnection) -> dict[str, date]:
    scored = connection.execute(
        "select count(*) from information_schema.tables "
        "where table_schema = 'marts' and table_name = 'scored_days'"
    ).fetchone()
    rows = (
        connection.execute(
            "select shop_id, max(as_of_date) from marts.scored_days group by 1 order by 1"
        ).fetchall()
        if scored and scored[0]
        else []
    )
    if not rows:
        raise HealthError("Nothing has been scored yet. Run `health load` and `health build`.")
    return dict(rows)


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _keep(connection: duckdb.DuckDBPyConnection, last_days: dict[str, date]) -> None:
    """Replace the outlook of these shops by what the attached database `ahead` says."""
    connection.execute("create temp table last_days (shop_id varchar, as_of_date date)")
    connection.executemany("insert into last_days values (?, ?)", list(last_days.items()))
    leaving = LEAVING.replace("history.", "ahead.history.")
    connection.execute("begin")
    connection.execute(
        "delete from activation.outlook where shop_id in (select shop_id from last_days)"
    )
    connection.execute(f"insert into activation.outlook by name {leaving}")
    connection.execute("commit")


def _leaving(connection: duckdb.DuckDBPyConnection) -> list[Leaving]:
    return [
        Leaving(*row)
        for row in connection.execute(
            "select shop_id, scorecard_id, band, leaves_for, count(*), min(leaves_on) "
            "from activation.outlook group by 1, 2, 3, 4 order by 1, 2, 5 desc, 3, 4"
        ).fetchall()
    ]


def render(leaving: list[Leaving], days: int) -> RenderableType:
    """The moves to come as a table, most customers first."""
    if not leaving:
        return f"Nobody leaves a band within {days} days, if nothing happens."
    table = Table(box=None, padding=(0, 2), header_style="bold")
    for title in ("shop", "score", "from", "to"):
        table.add_column(title)
    table.add_column("customers", justify="right")
    table.add_column("first on")
    for row in leaving:
        table.add_row(
            row.shop_id,
            row.scorecard_id,
            row.band.replace("_", " "),
            row.leaves_for.replace("_", " "),
            f"{row.customers:,}",
            str(row.first_on),
        )
    return Group(f"Who leaves a band within {days} days, if nothing happens:", table)
