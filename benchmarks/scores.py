"""A full `dbt build` of one day against one hand-written SQL script that makes the same scores.

    .venv/bin/python -m benchmarks.scores [--customers 100000] [--drop FOLDER --as-of 2026-10-31]

The shop is simulated and loaded here, which is said and not counted. `scores.sql` is the floor: one
day, no project, no reuse. Each side is a process of its own on a copy of the loaded warehouse, and
the floor is taken before, between and after the builds, so that a busy machine slows both. Then
every cell of both results is compared, and every score with the sum of its contributions: a
difference ends with 1. The aim is twice the floor beyond dbt's own start-up; it is printed, not
enforced.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from subprocess import Popen

import duckdb
from rich.console import Console
from rich.table import Table as RichTable

from orchestration.extract.landing import literal
from orchestration.settings import PROJECT_DIR
from orchestration.transform.build import BuildRequest, dbt_arguments, target_path

AIM = 2.0
THREADS = 2
"""Those of profiles.yml, on both sides."""

LAST_DAY = date(2026, 10, 31)
LOADED_AT = "2026-11-02T12:00:00"
BIN = Path(sys.executable).parent
SCRIPT = Path(__file__).with_name("scores.sql")
START, BUILD, FLOOR = "dbt's start-up", "build of the first day", "one SQL script by hand"

# Each result, the same name on both sides, and what names a row of it on one day. Signals are
# compared one a row, though the script has them one a column.
RESULTS = {
    "customer_score_history": ("shop_id", "customer_key"),
    "score_contributions": ("shop_id", "customer_key", "scorecard_id", "rule_id"),
    "postal_trust": ("shop_id", "country_code", "postal_code"),
    "customer_signals": ("shop_id", "customer_key", "signal"),
    "customer_segments": ("shop_id", "customer_key", "segment"),
}

SUMS = """
with scores as (
    select
        shop_id, customer_key, as_of_date, scorecard_id,
        cast(score as decimal(18, 10)) as score
    from (
        select shop_id, customer_key, as_of_date, scorecard_id, score from marts.scorecard_scores
        union all
        select shop_id, customer_key, as_of_date, 'behaviour', behaviour_score
        from marts.customer_score_history
        union all
        select shop_id, customer_key, as_of_date, 'trust', trust_score
        from marts.customer_score_history where trust_score is not null
    )
),

sums as (
    select shop_id, customer_key, as_of_date, scorecard_id, sum(points) as points
    from marts.score_contributions
    group by all
)

select
    count(*) filter (score is not null),
    count(*) filter (score is not null and score != coalesce(points, 0)),
    count(*) filter (points is not null),
    count(*) filter (points is not null and points is distinct from score)
from scores
full outer join sums using (shop_id, customer_key, as_of_date, scorecard_id)
"""


@dataclass(frozen=True)
class Cost:
    """What one process cost: seconds on the clock, CPU-seconds, peak memory in MB."""

    wall: float
    cpu: float
    memory: float


@dataclass(frozen=True)
class Agreement:
    """Two results beside each other: rows of each, cells compared, cells that differ."""

    rows: int
    rows_by_hand: int
    cells: int
    differences: int
    examples: list[tuple[object, ...]]


def start(command: Sequence[str], log: Path, environment: Mapping[str, str]) -> Popen[bytes]:
    """Start a command of the project, with its output in `log`."""
    with log.open("w") as output:
        return Popen(
            command, cwd=PROJECT_DIR, stdout=output, stderr=subprocess.STDOUT,
            env={**os.environ, "COLUMNS": "120", **environment},
        )  # fmt: skip


def check(child: Popen[bytes], log: Path) -> None:
    """Raise with what a command said when it failed."""
    if child.returncode != 0:
        raise RuntimeError(f"{child.args!r} ended with {child.returncode}:\n{log.read_text()}")


def measure(command: Sequence[str], log: Path, **environment: str) -> Cost:
    """Run a command to its end, with its output in `log`; raises when it fails.

    `wait4` tells of this one child, where RUSAGE_CHILDREN would keep the peak of all before it.
    """
    started = time.perf_counter()
    child = start(command, log, environment)
    _, status, used = os.wait4(child.pid, 0)
    wall = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    check(child, log)
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def median(costs: Sequence[Cost]) -> Cost:
    """The median of each measure by itself."""
    return Cost(
        statistics.median(c.wall for c in costs),
        statistics.median(c.cpu for c in costs),
        statistics.median(c.memory for c in costs),
    )


def score_by_hand(warehouse: Path, day: date) -> None:
    """Run the script; it writes its results into the warehouse, schema `by_hand`."""
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute(f"set TimeZone = 'UTC'; set threads = {THREADS}")
        connection.execute("set preserve_insertion_order = false")
        connection.execute("set variable as_of_date = ?", [day.isoformat()])
        connection.execute("set variable seeds = ?", [str(PROJECT_DIR / "seeds")])
        connection.execute(SCRIPT.read_text(encoding="utf-8"))


class Bench:
    """One loaded shop in a folder, and what is measured on copies of it."""

    def __init__(self, folder: Path, day: date, console: Console) -> None:
        self.day = day
        self.console = console
        self.folder = folder
        self.loaded = folder / "loaded.duckdb"
        # One path for every build: dbt reparses when the path of the warehouse changes.
        self.work = folder / "work.duckdb"
        self.by_hand = folder / "floor.duckdb"

    def run(self, what: str, command: Sequence[str], warehouse: Path) -> Cost:
        """Measure one command on a warehouse and say so."""
        log = self.folder / f"{what.replace(' ', '_').replace(',', '')}.log"
        cost = measure(command, log, DUCKDB_PATH=str(warehouse))
        self.console.print(f"  {what}: {cost.wall:.1f} s, {cost.cpu:.1f} CPU-s")
        return cost

    def health(self, what: str, *arguments: str, warehouse: Path) -> Cost:
        """Measure one command of the project."""
        return self.run(what, [str(BIN / "health"), *arguments], warehouse)

    def dbt(self, what: str, request: BuildRequest, *extra: str) -> Cost:
        """Measure dbt alone, as `health build` calls it."""
        arguments = dbt_arguments(request, target_path(self.work))
        return self.run(what, [str(BIN / "dbt"), *arguments, *extra], self.work)

    def floor(self) -> Cost:
        """Measure the script on a fresh copy of the loaded warehouse."""
        shutil.copyfile(self.loaded, self.by_hand)
        return self.run(
            FLOOR,
            [sys.executable, "-m", "benchmarks.scores", "--side", "by-hand",
             "--warehouse", str(self.by_hand), "--as-of", self.day.isoformat()],
            self.by_hand,
        )  # fmt: skip

    def slowest(self, number: int) -> list[tuple[float, str]]:
        """The slowest nodes of the last build: seconds and name."""
        found = json.loads((target_path(self.work) / "run_results.json").read_text())["results"]
        nodes = [(node["execution_time"], str(node["unique_id"])) for node in found]
        return [(s, name.split(".")[2]) for s, name in sorted(nodes, reverse=True)[:number]]


def compare(project: Path, by_hand: Path, day: date) -> dict[str, Agreement]:
    """Compare each result of one day, cell by cell.

    Numbers may differ by 1e-9 of themselves, or by 5e-9: decayed sums are rounded to ten decimals
    before they are weighed with up to 10, and a half may fall to either side.
    """
    found = {}
    with duckdb.connect(str(project), read_only=True) as connection:
        connection.execute(f"attach {literal(str(by_hand))} as hand (read_only)")
        for name, key in RESULTS.items():
            found[name] = compare_one(connection, name, key, day)
    return found


def long_signals(connection: duckdb.DuckDBPyConnection) -> str:
    """The wide signals of the script, one a row."""
    columns = connection.execute("describe hand.by_hand.customer_signals").fetchall()
    keys = ("shop_id", "customer_key", "as_of_date")
    numbers = ", ".join(c[0] for c in columns if c[0] not in keys and c[1] == "DOUBLE")
    texts = ", ".join(c[0] for c in columns if c[0] not in keys and c[1] == "VARCHAR")
    source = "(select shop_id, customer_key, as_of_date, {} from hand.by_hand.customer_signals)"
    return (
        "(select *, cast(null as varchar) as value_text from "
        f"(unpivot {source.format(numbers)} on {numbers} into name signal value value_number) "
        "union all by name select *, cast(null as double) as value_number from "
        f"(unpivot {source.format(texts)} on {texts} into name signal value value_text))"
    )


def compare_one(
    connection: duckdb.DuckDBPyConnection, name: str, key: tuple[str, ...], day: date
) -> Agreement:
    """Compare one result: a cell is a column of a row; a row of one side alone differs in all."""
    hand = f"hand.by_hand.{name}"
    if name == "customer_signals":
        hand = long_signals(connection)
    columns = connection.execute(f"describe marts.{name}").fetchall()
    tests = []
    for column, kind, *_ in columns:
        if column in key:
            tests.append("p.here is null or h.here is null")
        elif kind.startswith(("DOUBLE", "DECIMAL")):
            ours, theirs = (f"cast({side}.{column} as double)" for side in "ph")
            tests.append(
                f"p.here is null or h.here is null or ({ours} is null) != ({theirs} is null) "
                f"or abs({ours} - {theirs}) > greatest(5e-9, 1e-9 * abs({ours}))"
            )
        else:
            tests.append(
                f"p.here is null or h.here is null or p.{column} is distinct from h.{column}"
            )
    differing = " + ".join(f"cast(coalesce({test}, false) as bigint)" for test in tests)
    joined = (
        f"(select *, 1 as here from marts.{name} "
        f"where as_of_date = date '{day}') as p full outer join "
        f"(select *, 1 as here from {hand}) as h "
        f"on {' and '.join(f'p.{column} = h.{column}' for column in key)}"
    )
    connection.execute(
        f"create or replace temp table compared as select "
        f"{', '.join(f'coalesce(p.{column}, h.{column}) as {column}' for column in key)}, "
        f"p.here as ours, h.here as theirs, {differing} as differing from {joined}"
    )
    [(ours, theirs, rows, differences)] = connection.execute(
        "select count(ours), count(theirs), count(*), coalesce(sum(differing), 0) from compared"
    ).fetchall()
    examples = connection.execute("from compared where differing > 0 limit 3").fetchall()
    return Agreement(ours, theirs, rows * len(columns), int(differences), examples)


def check_sums(warehouse: Path) -> tuple[int, int, int, int]:
    """Scores and how many differ from the sum of their contributions; sums and how many differ
    from their score. Decimals, compared to the last digit."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        [(scores, wrong_scores, sums, wrong_sums)] = connection.execute(SUMS).fetchall()
    return scores, wrong_scores, sums, wrong_sums


def prepare(bench: Bench, drop: Path | None, customers: int) -> None:
    """Simulate, unless there is a drop, and load."""
    if drop is None:
        drop = bench.folder / "drop"
        bench.health(
            f"simulated {customers:,} customers, not counted", "simulate", str(drop),
            "--customers", str(customers), "--end", LAST_DAY.isoformat(), warehouse=bench.loaded,
        )  # fmt: skip
    bench.health(
        "loaded, not counted", "load", str(drop), "--loaded-at", LOADED_AT, warehouse=bench.loaded
    )
    with duckdb.connect(str(bench.loaded), read_only=True) as connection:
        [(people, orders, events)] = connection.execute(
            "select (select count(*) from raw_shopify.customers), "
            "(select count(*) from raw_shopify.orders), (select count(*) from raw_klaviyo.events)"
        ).fetchall()
    bench.console.print(f"  {people:,} Shopify customers, {orders:,} orders, {events:,} events")


def show(console: Console, costs: dict[str, Cost], title: str) -> float:
    """Print what each build cost and its ratio to the floor; returns that of the first build."""
    start, floor = costs[START], costs[FLOOR]
    shown = RichTable(title=title, title_justify="left")
    for heading in ("", "wall s", "CPU s", "peak MB", "wall ratio", "CPU ratio"):
        shown.add_column(heading, justify="right" if heading else "left")
    for name, cost in costs.items():
        ratios = ["", ""]
        if name not in (START, FLOOR):
            ratios = [
                f"{(cost.wall - start.wall) / floor.wall:.2f}",
                f"{(cost.cpu - start.cpu) / floor.cpu:.2f}",
            ]
        shown.add_row(name, f"{cost.wall:.1f}", f"{cost.cpu:.1f}", f"{cost.memory:.0f}", *ratios)
    console.print(shown)
    console.print("Ratios: less dbt's start-up, to the script.")
    return (costs[BUILD].wall - start.wall) / floor.wall


def run(bench: Bench, drop: Path | None, customers: int) -> bool:
    """Measure and compare everything; returns whether the results agree."""
    console, day, next_day = bench.console, bench.day.isoformat(), bench.day + timedelta(days=1)
    prepare(bench, drop, customers)

    shutil.copyfile(bench.loaded, bench.work)
    trivial = BuildRequest(bench.day, bench.day, select=("ltv_tiers",))
    bench.dbt("dbt's first parse", trivial)
    start = median([bench.dbt(f"{START}, one seed", trivial) for _ in range(3)])
    floors = [bench.floor()]
    full = bench.health(BUILD, "build", "--as-of", day, warehouse=bench.work)
    nodes = bench.slowest(10)
    floors.append(bench.floor())
    following = bench.health("next day", "build", "--as-of", str(next_day), warehouse=bench.work)
    agreements = compare(bench.work, bench.by_hand, bench.day)
    scores, wrong_scores, sums, wrong_sums = check_sums(bench.work)
    shutil.copyfile(bench.loaded, bench.work)
    untested = bench.dbt(
        "build without tests", BuildRequest(bench.day, bench.day),
        "--exclude-resource-type", "test",
    )  # fmt: skip
    floors.append(bench.floor())

    ratio = show(
        console,
        {
            START: start,
            BUILD: full,
            "next day, nothing new": following,
            "build without data tests": untested,
            FLOOR: median(floors),
        },
        f"One day's scores, {customers:,} customers" if drop is None else f"{drop}, {day}",
    )
    slow = RichTable("seconds", "slowest nodes of the build", title_justify="left")
    for seconds, name in nodes:
        slow.add_row(f"{seconds:.1f}", name)
    console.print(slow)

    compared = RichTable("", title=f"Both results of {day}", title_justify="left")
    for heading in ("rows", "rows by hand", "cells", "differences"):
        compared.add_column(heading, justify="right")
    for name, found in agreements.items():
        compared.add_row(
            name, f"{found.rows:,}", f"{found.rows_by_hand:,}", f"{found.cells:,}",
            f"{found.differences:,}",
        )  # fmt: skip
    console.print(compared)
    for name, found in agreements.items():
        for example in found.examples:
            console.print(f"  {name}: {example}", highlight=False)
    console.print(
        f"{scores:,} scores, {wrong_scores:,} differ from the sum of their contributions; "
        f"{sums:,} sums of contributions, {wrong_sums:,} differ from their score"
    )
    console.print(f"ratio {ratio:.2f} (aim {AIM})")
    same = all(found.differences == 0 for found in agreements.values())
    return same and wrong_scores == 0 and wrong_sums == 0


def main() -> None:
    """Run the benchmark; ends with 1 when results differ."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--drop", type=Path, help="a file drop to load instead of a simulated one")
    parser.add_argument("--as-of", type=date.fromisoformat, default=LAST_DAY)
    parser.add_argument("--side", choices=["by-hand"], help=argparse.SUPPRESS)
    parser.add_argument("--warehouse", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        score_by_hand(given.warehouse, given.as_of)
        return
    drop = given.drop.absolute() if given.drop else None
    with tempfile.TemporaryDirectory(prefix="health-benchmark-") as name:
        if not run(Bench(Path(name), given.as_of, Console()), drop, given.customers):
            raise SystemExit(1)


if __name__ == "__main__":
    main()
