"""`health load` against DuckDB's own `read_json` and insert, on the same file in the same run.

    .venv/bin/python -m benchmarks.landing [--gigabytes 1] [--repeats 3] [--tables events ...]

The file is made here, set-based. Each side reads it into a new warehouse in a process of its own;
the sides take turns, so that a busy machine slows both. The baseline reads with explicit columns of
the contract's types and inserts, which is all it does: no key, no version, no unknown column, no
check, and an offset in a time is dropped. Printed are medians and their ratio, which should stay
below 1.5.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb
from rich.console import Console
from rich.table import Table as RichTable

from orchestration.extract.contract import tables
from orchestration.extract.files import MEMORY_LIMIT, load_directory
from orchestration.extract.landing import literal, quoted

BOUND = 1.5
SIDES = ("duckdb", "health load")

# `hash` of small numbers with different salts is correlated; far apart it is not.
ROWS = {
    "order_lines": (
        "shopify",
        340,
        """
        select
            'aurelia' as shop_id,
            (14000000000000 + i)::varchar as order_line_id,
            (5500000000000 + i // 2)::varchar as order_id,
            (7700000000000 + hash(i * 1000 + 1) % 500)::varchar as product_id,
            (43000000000000 + hash(i * 1000 + 2) % 2000)::varchar as variant_id,
            'RNG-' || hash(i * 1000 + 2) % 2000 as sku,
            'Stackable ring no. ' || hash(i * 1000 + 1) % 500 || ', 14k gold' as title,
            'Aurelia' as vendor,
            1 + hash(i * 1000 + 3) % 3 as quantity,
            ((hash(i * 1000 + 4) % 100000) / 100)::decimal(18, 2)::varchar as unit_price_amount,
            ((hash(i * 1000 + 5) % 1000) / 100)::decimal(18, 2)::varchar as discount_amount,
            false as is_gift_card,
            case when hash(i * 1000 + 6) % 20 = 0 then 'offer-' || i % 30 end as offer_id,
            case when hash(i * 1000 + 6) % 20 = 0 then 'bundle' end as offer_kind
        from range($rows) as t(i)
        """,
    ),
    "events": (
        "klaviyo",
        338,
        """
        select
            'aurelia' as shop_id,
            md5(i::varchar) as event_id,
            upper(md5((hash(i * 1000 + 1) % 100000)::varchar)) as profile_id,
            case hash(i * 1000 + 2) % 3
                when 0 then 'Viewed Product' when 1 then 'Added to Cart' else 'Started Checkout'
            end as metric_name,
            (1700000000 + i * 7)::varchar as unique_id,
            strftime(timestamp '2024-01-01' + to_seconds(i * 17), '%Y-%m-%dT%H:%M:%S') || '-05:00'
                as occurred_at,
            (hash(i * 1000 + 3) % 100000) / 100 as value,
            {
                'ProductID': (7700000000000 + hash(i * 1000 + 4) % 500)::varchar,
                'SKU': 'RNG-' || hash(i * 1000 + 5) % 2000,
                'Collections': ['Rings', 'Gold'],
                'CartValue': (hash(i * 1000 + 3) % 100000) / 100
            } as properties
        from range($rows) as t(i)
        """,
    ),
}


@dataclass(frozen=True)
class Cost:
    """What one load cost: seconds on the clock, CPU-seconds, peak memory in MB."""

    wall: float
    cpu: float
    memory: float


def generate(table: str, size: int, drop: Path) -> Path:
    """Write about `size` bytes of a table's rows as one file of a drop; returns the file."""
    source, row_bytes, sql = ROWS[table]
    path = drop / source / table / "rows.jsonl"
    path.parent.mkdir(parents=True)
    rows = max(1, size // row_bytes)
    duckdb.execute(f"copy ({sql}) to {literal(str(path))} (format json)", {"rows": rows})
    return path


def load_plainly(table: str, path: Path, warehouse: Path) -> None:
    """The baseline: DuckDB alone."""
    contract = tables()[ROWS[table][0], table]
    columns = ", ".join(f"{quoted(c)}: {literal(kind)}" for c, kind in contract.payload.items())
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute(f"set memory_limit = '{MEMORY_LIMIT}'")
        connection.execute(
            "create table plain ("
            + ", ".join(f"{quoted(c)} {kind}" for c, kind in contract.payload.items())
            + ")"
        )
        connection.execute(
            f"insert into plain select * from read_json({literal(str(path))}, "
            f"columns = {{{columns}}}, format = 'newline_delimited')"
        )


def measure_here(side: str, table: str, drop: Path, warehouse: Path) -> Cost:
    """Load in this process and say what it cost, imports not counted."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    if side == "duckdb":
        load_plainly(table, next(drop.rglob("*.jsonl")), warehouse)
    else:
        (result,) = load_directory(drop, warehouse)
        if result.error or result.rows_rejected:
            raise RuntimeError(f"the generated file did not load whole: {result}")
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall, cpu, after.ru_maxrss / 1024)


def measure(side: str, table: str, drop: Path, folder: Path) -> Cost:
    """Load in a new process into a new warehouse."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.landing", "--side", side, "--tables", table,
             "--drop", str(drop), "--warehouse", str(Path(place) / "warehouse.duckdb")],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
    return Cost(**json.loads(done.stdout))


def median(costs: list[Cost]) -> Cost:
    """The median of each measure by itself."""
    return Cost(
        statistics.median(c.wall for c in costs),
        statistics.median(c.cpu for c in costs),
        statistics.median(c.memory for c in costs),
    )


def compare(table: str, size: int, repeats: int, console: Console) -> float:
    """Measure both sides in turn and print them; returns the ratio of wall-clock medians."""
    with tempfile.TemporaryDirectory(prefix="health-benchmark-") as name:
        folder = Path(name)
        path = generate(table, size, folder / "drop")
        costs: dict[str, list[Cost]] = {side: [] for side in SIDES}
        for _ in range(repeats):
            for side in SIDES:
                costs[side].append(measure(side, table, folder / "drop", folder))
        title = f"{table}: {path.stat().st_size / 1e9:.2f} GB of JSONL, median of {repeats}"
    shown = RichTable(title=title, title_justify="left")
    for heading in ("", "wall s", "CPU s", "peak MB"):
        shown.add_column(heading, justify="right" if heading else "left")
    medians = {side: median(costs[side]) for side in SIDES}
    for side, cost in medians.items():
        shown.add_row(side, f"{cost.wall:.1f}", f"{cost.cpu:.1f}", f"{cost.memory:.0f}")
    plain, ours = (medians[side] for side in SIDES)
    shown.add_row(
        "ratio",
        f"{ours.wall / plain.wall:.2f}",
        f"{ours.cpu / plain.cpu:.2f}",
        f"{ours.memory / plain.memory:.2f}",
    )
    console.print(shown)
    return ours.wall / plain.wall


def main() -> None:
    """Run the benchmark; ends with 1 when a ratio is above the bound."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tables", nargs="+", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--drop", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--warehouse", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        cost = measure_here(given.side, given.tables[0], given.drop, given.warehouse)
        print(json.dumps(asdict(cost)))
        return
    console = Console()
    size = int(given.gigabytes * 1e9)
    ratios = {table: compare(table, size, given.repeats, console) for table in given.tables}
    worst = max(ratios.values())
    console.print(f"ratio {worst:.2f} (bound {BOUND})")
    if worst > BOUND:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
