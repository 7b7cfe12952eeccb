"""One day's build on Spark beside the same build on DuckDB, at growing sizes.

    .venv/bin/python -m benchmarks.engines [--customers 10000 100000] [--settings small large]
        [--partitions 4] [--compare marts history] [--wholesaler 1000000]

For each size a shop is simulated and loaded, which is said and not counted. Each engine builds the
day on a copy of the loaded warehouse, without dbt's tests, on the same two cores (`local[2]`); the
floor is DuckDB's build. Seconds, CPU-seconds and memory are those of the command and all processes
it starts, Java's among them. Then every relation is compared cell by cell, as by `make parity`, or
those of the schemas that `--compare` names: a difference ends with 1.

`--wholesaler` lands that many more product views, once as everybody's and once as one customer's:
what one customer out of proportion costs.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
from rich.console import Console
from rich.table import Table

from benchmarks.parity import SCHEMAS, compare
from benchmarks.scores import LAST_DAY, Bench, Cost, check, prepare, start
from orchestration.transform import spark
from orchestration.transform.build import BuildRequest, target_path
from orchestration.transform.build import build as run_build

DUCKDB = "DuckDB"
SETTINGS: dict[str, dict[str, str]] = {
    "small": {},
    "large": {"HEALTH_SPARK_LARGE": "true"},
}
SAMPLED_EVERY = 0.5
SLOWEST = 12


# More views, with the times, products and shop of those that landed; the same rows each time.
MORE_VIEWS = """
insert into raw_klaviyo.events
with views as (
    select *, row_number() over (order by shop_id, event_id) as place, count(*) over () as number
    from raw_klaviyo.events
    where metric_name = 'Viewed Product'
)

select views.* exclude (place, number) replace (
    event_id || 'w' || copies.copy as event_id,
    unique_id || 'w' || copies.copy as unique_id,
    {profile} as profile_id
)
from views
cross join range(1000) as copies (copy)
where copies.copy * number + place <= {more}
"""
BUSIEST = """(
    select mode(profile_id) from raw_klaviyo.events as e where e.shop_id = views.shop_id
)"""
WHOSE = {"everybody's": "profile_id", "one customer's": BUSIEST}


@dataclass(frozen=True)
class Measured:
    """One build of one engine: what it cost, and the seconds of it that dbt ran nodes."""

    engine: str
    cost: Cost
    in_dbt: float


class Tree(threading.Thread):
    """Looks at a process and all below it until told to stop: CPU-seconds, and most MB at once."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self.root = root
        self.peak = 0.0
        self.seconds: dict[int, float] = {}
        self.over = threading.Event()

    def run(self) -> None:
        """Sample until `over`; a process that ended keeps the seconds it was last seen with."""
        while not self.over.is_set():
            self.look()
            self.over.wait(SAMPLED_EVERY)

    def look(self) -> None:
        """One sample."""
        listed = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid=,rss=,time="], capture_output=True, text=True, check=True
        ).stdout
        rows = [line.split() for line in listed.splitlines()]
        below, size = {self.root}, 0
        while len(below) > size:
            size = len(below)
            below |= {int(pid) for pid, parent, *_ in rows if int(parent) in below}
        mine = [row for row in rows if int(row[0]) in below]
        self.peak = max(self.peak, sum(float(row[2]) for row in mine) / 1024)
        self.seconds |= {int(row[0]): seconds(row[3]) for row in mine}


def seconds(shown: str) -> float:
    """CPU time as ps prints it: [days-]hours:minutes:seconds."""
    days, _, clock = shown.rpartition("-")
    total = 0.0
    for part in clock.split(":"):
        total = 60 * total + float(part)
    return 86_400 * int(days or 0) + total


def measure(command: Sequence[str], log: Path, environment: Mapping[str, str]) -> Cost:
    """Run a command to its end, with its output in `log`; raises when it fails."""
    started = time.perf_counter()
    child = start(command, log, environment)
    tree = Tree(child.pid)
    tree.start()
    child.wait()
    tree.over.set()
    tree.join()
    check(child, log)
    return Cost(time.perf_counter() - started, sum(tree.seconds.values()), tree.peak)


def build(bench: Bench, engine: str, environment: Mapping[str, str]) -> tuple[Measured, Path]:
    """Build the day on a fresh copy of the loaded warehouse; what it cost, and the copy."""
    folder = bench.folder / engine.replace(" ", "_")
    folder.mkdir()
    warehouse = folder / "warehouse.duckdb"
    shutil.copyfile(bench.loaded, warehouse)
    cost = measure(
        [sys.executable, "-m", "benchmarks.engines", "--build", str(warehouse)],
        folder / "build.log",
        {"DUCKDB_PATH": str(warehouse), **environment},
    )
    results = json.loads((target_path(warehouse) / "run_results.json").read_text())
    bench.console.print(
        f"  {engine}: {cost.wall:.0f} s, {cost.cpu:.0f} CPU-s, {cost.memory:.0f} MB at most"
    )
    slow = sorted(results["results"], key=lambda node: -node["execution_time"])[:SLOWEST]
    named = (f"{node['unique_id'].split('.')[2]} {node['execution_time']:.0f}" for node in slow)
    bench.console.print(f"    slowest: {', '.join(named)}", highlight=False)
    return Measured(engine, cost, results["elapsed_time"]), warehouse


def land_more(bench: Bench, more: int, whose: str) -> None:
    """Land more views beside those of the simulated shop, and say how many customers have them."""
    with duckdb.connect(str(bench.loaded)) as connection:
        connection.execute("delete from raw_klaviyo.events where contains(event_id, 'w')")
        connection.execute(MORE_VIEWS.format(more=more, profile=WHOSE[whose]))
        [(landed, most)] = connection.execute(
            "select sum(n), max(n) from "
            "(select count(*) as n from raw_klaviyo.events group by profile_id)"
        ).fetchall()
    bench.console.print(f"{more:,} more views, {whose}: {landed:,} events, at most {most:,} of one")


def grow(bench: Bench, title: str, asked: argparse.Namespace) -> bool:
    """Measure and compare what has landed; whether every relation is the same."""
    floor, ours = build(bench, DUCKDB, {})
    found, same = [floor], True
    for name in asked.settings:
        environment = {"HEALTH_TARGET": spark.TARGET, "HEALTH_SPARK_MEMORY": asked.memory}
        if name != "small":
            environment["HEALTH_SPARK_PARTITIONS"] = str(asked.partitions)
        one, theirs = build(bench, f"Spark {name}", environment | SETTINGS[name])
        found.append(one)
        compared = compare(ours, theirs, asked.compare)
        differing = [relation for relation in compared if relation.differing]
        bench.console.print(
            f"    {len(compared)} relations, {sum(c.cells for c in compared):,} cells, "
            f"{len(differing)} differing"
        )
        for relation in differing:
            bench.console.print(f"    {relation.relation}: {dict(relation.differing)}")
        same = same and not differing and bool(compared)
        shutil.rmtree(theirs.parent)
    shutil.rmtree(ours.parent)
    table = Table(title=title, title_justify="left")
    for heading in ("engine", "wall s", "of it in dbt", "CPU s", "peak MB", "times DuckDB", "CPU"):
        table.add_column(heading, justify="left" if heading == "engine" else "right")
    for one in found:
        table.add_row(
            one.engine,
            f"{one.cost.wall:.0f}",
            f"{one.in_dbt:.0f}",
            f"{one.cost.cpu:.0f}",
            f"{one.cost.memory:.0f}",
            f"{one.cost.wall / floor.cost.wall:.1f}",
            f"{one.cost.cpu / floor.cost.cpu:.1f}",
        )
    bench.console.print(table)
    return same


def main() -> None:
    """Run it in temporary folders."""
    parser = argparse.ArgumentParser(description="Spark beside DuckDB.")
    parser.add_argument("--customers", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--settings", nargs="*", choices=SETTINGS, default=["large"])
    parser.add_argument("--wholesaler", type=int, default=0, metavar="VIEWS")
    parser.add_argument("--memory", default="8g", help="of Spark's driver")
    parser.add_argument("--partitions", type=int, default=4, help="of a shuffle, unless small")
    parser.add_argument("--compare", nargs="+", choices=SCHEMAS, default=SCHEMAS, metavar="SCHEMA")
    parser.add_argument("--build", type=Path, help="build this warehouse, measure nothing")
    asked, _ = parser.parse_known_args()
    console = Console(width=120)
    if asked.build:
        run_build(BuildRequest(LAST_DAY, LAST_DAY, select=("*",)), asked.build, console)
        return
    spark.check()
    same = True
    for customers in asked.customers:
        with tempfile.TemporaryDirectory(prefix="engines-") as folder:
            bench = Bench(Path(folder), LAST_DAY, console)
            title = f"{customers:,} customers, one day"
            prepare(bench, None, customers)
            shutil.rmtree(bench.folder / "drop")
            for whose in WHOSE if asked.wholesaler else [""]:
                if whose:
                    land_more(bench, asked.wholesaler, whose)
                    title = f"{customers:,} customers, and {asked.wholesaler:,} views, {whose}"
                same = grow(bench, title, asked) and same
    sys.exit(int(not same))


if __name__ == "__main__":
    main()
