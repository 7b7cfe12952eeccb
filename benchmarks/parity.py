"""The same shop built on DuckDB and on Spark, delivery after delivery, compared cell by cell.

    make parity
    .venv/bin/python -m benchmarks.parity [--customers 2000] [--days 180] [--deliveries 3] [--tests]

Deliveries one after another: what was dated up to the day, but for some rows that come a delivery
late. After each, both engines build the day, side by side, and every relation of the project is
compared, from staging to the plan: all columns exactly, but for 64-bit floats, which agree to 1e-9
of their size, and to the last bit where scores are made of them. A column that is of an engine's
own making is named in `OWN` with the reason.
`--tests` has both run dbt's tests as well, on rows that are the same.
Ends with 1 when anything differs.
"""

from __future__ import annotations

import argparse
import multiprocessing
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path

import duckdb
from rich import box
from rich.console import Console
from rich.table import Table

from orchestration.errors import HealthError
from orchestration.extract.contract import tables
from orchestration.extract.files import load_directory
from orchestration.sandbox.simulation import simulate
from orchestration.transform import spark
from orchestration.transform.build import BuildRequest, build

LAST_DAY = date(2026, 10, 31)
NINE = time_of_day(9)
# One row in so many comes a delivery after its day.
LATE = 7
SCHEMAS = ("staging", "seeds", "intermediate", "features", "history", "marts", "activation")
# Hashes that tell one state from another; each engine has its own, and they never meet.
OWN = {"fingerprint"}
TOLERANCE = 1e-9
# Cells of a relation that are compared at a time: some 4 GB of memory.
AT_ONCE = 100_000_000
# What decayed scores are made of: see macros/decay.sql.
TO_THE_LAST_BIT = re.compile(r"(^|_)term$")

DATES = ("occurred_at", "event_at", "created_at", "shown_at")


@dataclass(frozen=True)
class Compared:
    """One relation after one delivery: its cells, and the columns that differ, with how often."""

    relation: str
    rows: int
    cells: int
    differing: Mapping[str, int]


def deliver(drop: Path, folder: Path, last: date, *, whole: bool) -> Path:
    """Write what is dated up to `last`, without the late rows unless `whole`, into `folder`."""
    for path in sorted(drop.glob("*/*/*.parquet")):
        source, name = path.parts[-3:-1]
        table = tables()[source, name]
        dated = next((c for c in DATES if c in table.columns), None)
        key = table.primary_key[-1]
        day = f"left(cast({dated} as varchar), 10)"
        kept = [f"{day} <= '{last}'"] if dated else []
        if dated and not whole:
            kept.append(f"(hash({key}) % {LATE} <> 0 or {day} < '{last}')")
        target = folder / source / name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        duckdb.sql(
            f"copy (from '{path}' where {' and '.join(kept) or 'true'}) "
            f"to '{target}' (format parquet)"
        )
    return folder


def build_on(target: str, warehouse: Path, request: BuildRequest) -> float:
    """Build on an engine; seconds. Changes the process, so it wants one of its own."""
    spark.choose(target)
    started = time.perf_counter()
    build(request, warehouse, Console(quiet=True))
    return time.perf_counter() - started


def compare(ours: Path, theirs: Path, schemas: Sequence[str] = SCHEMAS) -> list[Compared]:
    """Every relation of two warehouses, held against one another in both directions."""
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"attach '{ours}' as ours (read_only)")
        connection.execute(f"attach '{theirs}' as theirs (read_only)")
        found = connection.execute(
            "select schema_name, table_name, list((column_name, data_type) order by column_index) "
            "from duckdb_columns() where database_name = 'ours' and list_contains(?, schema_name) "
            "group by all order by all",
            [list(schemas)],
        ).fetchall()
        return [_compare_one(connection, *one) for one in found]


def _compare_one(
    connection: duckdb.DuckDBPyConnection, schema: str, name: str, columns: list[tuple[str, str]]
) -> Compared:
    """Rows are paired by all that is exact, in order of what is not, in slices that fit."""
    columns = [(c, t) for c, t in columns if c not in OWN]
    near = {c for c, t in columns if t == "DOUBLE" and not TO_THE_LAST_BIT.search(c)}
    exact = [f'"{c}"' for c, _ in columns if c not in near]
    floats = [f'"{c}"' for c, _ in columns if c in near]
    found = connection.execute(f'select count(*) from ours.{schema}."{name}"').fetchone()
    slices = 1 + (found[0] if found else 0) * len(columns) // AT_ONCE
    # What is paired has the same hash, so each pair is in one slice.
    slice_of = f"hash({', '.join(exact)}) % {slices}"
    counts = [_paired(connection, f'{schema}."{name}"', exact, floats, f"{slice_of} = {number}")
              for number in range(slices)]  # fmt: skip
    here, unpaired, *wrong = (sum(count) for count in zip(*counts, strict=True))
    differing = {c.strip('"'): n for c, n in zip(floats, wrong, strict=True) if n}
    if unpaired:
        differing = {"rows": unpaired}
    return Compared(f"{schema}.{name}", here, here * len(columns), differing)


def _paired(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    exact: list[str],
    floats: list[str],
    condition: str,
) -> tuple[int, ...]:
    """Of a slice: how many rows are ours, how many rows are alone, and floats that differ."""
    place = (
        f"row_number() over (partition by {', '.join(exact)} order by {', '.join(exact + floats)})"
    )
    rows = f"{', '.join(exact + floats)}, {place} as _place"
    ours, theirs = (
        f"(select {rows} from {side}.{relation} where {condition})" for side in ("ours", "theirs")
    )
    paired = " and ".join(f"o.{c} is not distinct from t.{c}" for c in exact)
    apart = [
        f"count(*) filter (where o._place is null or t._place is null or "
        f"(o.{c} is null) <> (t.{c} is null) or "
        f"abs(o.{c} - t.{c}) > {TOLERANCE} * greatest(abs(o.{c}), abs(t.{c})))"
        for c in floats
    ]
    counted = connection.execute(
        f"select count(o._place), count(*) filter (where o._place is null or t._place is null) "
        f"{''.join(', ' + a for a in apart)} "
        f"from {ours} as o full join {theirs} as t on {paired} and o._place = t._place"
    ).fetchone()
    if counted is None:
        raise HealthError(f"{relation} cannot be compared.")
    return counted


@dataclass(frozen=True)
class Delivery:
    """What was compared after one delivery, and the seconds of builds that ran side by side."""

    day: date
    compared: list[Compared]
    seconds: Mapping[str, float]

    @property
    def differing(self) -> list[Compared]:
        """The relations that are not the same."""
        return [one for one in self.compared if one.differing]


def deliveries(
    folder: Path,
    *,
    customers: int,
    days: int,
    number: int,
    select: tuple[str, ...] = (),
    with_tests: bool = False,
) -> Iterator[Delivery]:
    """Simulate a shop in `folder`, build it delivery by delivery on both engines, and compare.

    `select` narrows the builds to models, as dbt names them; only these are compared then.
    """
    drop = folder / "drop"
    for _ in simulate(drop, customers=customers, days=days, seed=7, end=LAST_DAY):
        pass
    sides = ("duckdb", spark.TARGET)
    warehouses = {side: folder / f"{side}.duckdb" for side in sides}
    context = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        # A process each, which stays: Spark is started once.
        pools = {
            side: stack.enter_context(ProcessPoolExecutor(1, mp_context=context)) for side in sides
        }
        for place in range(1, number + 1):
            last = LAST_DAY - timedelta(days=number - place)
            part = deliver(drop, folder / f"part_{place}", last, whole=place == number)
            running = {}
            for side in sides:
                load_directory(
                    part,
                    warehouses[side],
                    loaded_at=datetime.combine(last, NINE) + timedelta(days=1),
                )
                # Only a build of chosen models may be one without tests.
                chosen = select or (() if with_tests else ("*",))
                request = BuildRequest(last, last, select=chosen, with_tests=with_tests)
                running[side] = pools[side].submit(build_on, side, warehouses[side], request)
            seconds = {side: one.result() for side, one in running.items()}
            yield Delivery(last, compare(warehouses["duckdb"], warehouses[spark.TARGET]), seconds)


def main(arguments: list[str] | None = None) -> int:
    """Build, compare, print; returns the exit code."""
    parser = argparse.ArgumentParser(description="Parity of DuckDB and Spark.")
    parser.add_argument("--customers", type=int, default=2_000)
    parser.add_argument("--days", type=int, default=180)
    parser.add_argument("--deliveries", type=int, default=3)
    parser.add_argument("--select", default="", help="models, as dbt names them; all by default")
    parser.add_argument("--tests", action="store_true", help="run dbt's tests as well")
    asked = parser.parse_args(arguments)
    console = Console()
    spark.check()
    shown = Table(box=box.SIMPLE, padding=(0, 1), collapse_padding=True, pad_edge=False)
    shown.add_column("delivery", no_wrap=True)
    for heading in ("relations", "rows", "cells", "differing", "DuckDB s", "Spark s"):
        shown.add_column(heading, no_wrap=True, justify="right")
    failed = False
    with tempfile.TemporaryDirectory(prefix="parity-") as base:
        for one in deliveries(
            Path(base),
            customers=asked.customers,
            days=asked.days,
            number=asked.deliveries,
            select=tuple(asked.select.split()),
            with_tests=asked.tests,
        ):
            console.print(", ".join(f"{k} {s:.0f} s" for k, s in one.seconds.items()), one.day)
            failed = failed or bool(one.differing) or not one.compared
            for differing in one.differing:
                console.print(f"[red]{differing.relation}[/red]: {dict(differing.differing)}")
            shown.add_row(
                str(one.day),
                f"{len(one.compared):,}", f"{sum(c.rows for c in one.compared):,}",
                f"{sum(c.cells for c in one.compared):,}", f"{len(one.differing):,}",
                *(f"{s:.0f}" for s in one.seconds.values()),
            )  # fmt: skip
    console.print(shown)
    return int(failed)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except HealthError as error:
        sys.exit(f"error: {error}")
