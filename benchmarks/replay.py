"""What a window of days costs beside one day, and what a year of history takes on disk.

    .venv/bin/python -m benchmarks.replay [--customers 10000 100000] [--days 1 30 90 365]

For each size a shop is simulated and loaded, which is said and not counted. Every window ends on
the same day and is built by `health build`, tests included, on a copy of the loaded warehouse. The
floor is the build of one day of the same shop in the same run: the aim is a year in ten times it.
Then the questions a BI tool asks are put to the last warehouse: one day of everybody, and one
customer's whole history.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import duckdb
from rich.console import Console
from rich.table import Table as RichTable

from benchmarks.scores import LAST_DAY, Bench, Cost, prepare

AIM = 10.0

QUESTIONS = {
    "one day, every score": "select count(health_score + behaviour_score) "
    "from marts.customer_score_history where as_of_date = $day",
    "one day, every contribution": "select sum(points) from marts.score_contributions "
    "where as_of_date = $day",
    "one customer, every day": "select sum(behaviour_score) from marts.customer_score_history "
    "where customer_key = $customer",
    "one customer, every change": "select count(moved_by) from marts.score_changes "
    "where customer_key = $customer",
    "one customer, every signal of a day": "select count(*) from marts.customer_signals "
    "where customer_key = $customer and as_of_date = $day",
}


@dataclass(frozen=True)
class Window:
    """What scoring a window cost: days, customer days scored, cost, MB of history on disk."""

    days: int
    rows: int
    cost: Cost
    history: float


def history_on_disk(warehouse: Path) -> float:
    """MB of the interval tables, in a file of their own."""
    with tempfile.TemporaryDirectory(dir=warehouse.parent) as folder:
        alone = Path(folder) / "alone.duckdb"
        with duckdb.connect(str(alone)) as connection:
            connection.execute(f"attach '{warehouse}' as built (read_only)")
            for (name,) in connection.execute(
                "select table_name from duckdb_tables() "
                "where database_name = 'built' and schema_name = 'history'"
            ).fetchall():
                connection.execute(
                    f"create table {name} as from built.history.{name} order by shop_id, valid_from"
                    if name != "fact_log"
                    else f"create table {name} as from built.history.{name}"
                )
        return alone.stat().st_size / 1e6


def customer_days(warehouse: Path) -> int:
    """Rows of the last run's customer days: what was really computed."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        [(rows,)] = connection.execute("select count(*) from features.customer_days").fetchall()
    return int(rows)


def measure_window(bench: Bench, days: int) -> Window:
    """Score the last `days` days on a fresh copy."""
    shutil.copyfile(bench.loaded, bench.work)
    first = LAST_DAY - timedelta(days=days - 1)
    cost = bench.health(
        f"{days} days", "build", "--from", first.isoformat(), "--to", LAST_DAY.isoformat(),
        warehouse=bench.work,
    )  # fmt: skip
    return Window(days, customer_days(bench.work), cost, history_on_disk(bench.work))


def show(console: Console, customers: int, windows: Sequence[Window]) -> None:
    """Print what each window cost, and its ratio to one day."""
    one = windows[0].cost
    table = RichTable(
        title=f"{customers:,} customers; aim: a year in {AIM:.0f} times one day",
        title_justify="left",
    )
    for heading in ("days", "customer days", "wall s", "CPU s", "peak MB", "history MB"):
        table.add_column(heading, justify="right")
    table.add_column("times one day, wall", justify="right")
    table.add_column("CPU", justify="right")
    for window in windows:
        table.add_row(
            str(window.days),
            f"{window.rows:,}",
            f"{window.cost.wall:.0f}",
            f"{window.cost.cpu:.0f}",
            f"{window.cost.memory:.0f}",
            f"{window.history:.0f}",
            f"{window.cost.wall / one.wall:.1f}",
            f"{window.cost.cpu / one.cpu:.1f}",
        )
    console.print(table)


def ask(console: Console, warehouse: Path) -> None:
    """Time the questions of a BI tool, each the median of five."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        connection.execute("set threads = 2")
        [(customer,)] = connection.execute(
            "select customer_key from history.score_intervals group by 1 "
            "order by count(*) desc, 1 limit 1"
        ).fetchall()
        table = RichTable(title="Questions, median of five", title_justify="left")
        table.add_column("")
        table.add_column("ms", justify="right")
        for name, question in QUESTIONS.items():
            given = {"day": LAST_DAY - timedelta(days=17), "customer": customer}
            used = {k: v for k, v in given.items() if f"${k}" in question}
            seconds = []
            for _ in range(5):
                started = time.perf_counter()
                connection.execute(question, used).fetchall()
                seconds.append(time.perf_counter() - started)
            table.add_row(name, f"{sorted(seconds)[2] * 1000:.0f}")
        console.print(table)


def main() -> None:
    """Run it in a temporary folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--days", type=int, nargs="+", default=[1, 30, 90, 365])
    arguments, _ = parser.parse_known_args()
    console = Console(width=120)
    for customers in arguments.customers:
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(Path(folder), LAST_DAY, console)
            prepare(bench, None, customers)
            windows = [measure_window(bench, days) for days in arguments.days]
            show(console, customers, windows)
            ask(console, bench.work)


if __name__ == "__main__":
    main()
