"""The same shop built on DuckDB and on Spark, delivery after delivery, compared cell by cell.

    make parity
    .venv/bin/python -m benchmarks.parity [--customers 2000] [--days 365]

Three deliveries: what was dated up to the day, but for some rows that come a delivery late. After
each, both engines build the day, and every relation of the project is compared, from staging to
the plan: all columns exactly, but for 64-bit floats, which agree to 1e-9 of their size. A column
that is of an engine's own making is named in `OWN` with the reason. Ends with 1 when anything
differs.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path

import duckdb
from rich.console import Console
from rich.table import Table

from orchestration.errors import HealthError
from orchestration.extract.contract import tables
from orchestration.extract.files import load_directory
from orchestration.sandbox.simulation import simulate
from orchestration.transform import spark
from orchestration.transform.build import BuildRequest, build

LAST_DAY = date(2026, 10, 31)
DELIVERIES = 3
NINE = time_of_day(9)
# One row in so many comes a delivery after its day.
LATE = 7
SCHEMAS = ("staging", "seeds", "intermediate", "features", "history", "marts", "activation")
# Hashes that tell one state from another; each engine has its own, and they never meet.
OWN = {"fingerprint"}
TOLERANCE = 1e-9

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


@contextmanager
def target(name: str | None) -> Iterator[None]:
    """dbt's target, as `HEALTH_TARGET` says it; None for DuckDB."""
    before = os.environ.pop("HEALTH_TARGET", None)
    if name:
        os.environ["HEALTH_TARGET"] = name
    try:
        yield
    finally:
        os.environ.pop("HEALTH_TARGET", None)
        if before:
            os.environ["HEALTH_TARGET"] = before


def compare(ours: Path, theirs: Path) -> list[Compared]:
    """Every relation of two warehouses, held against one another in both directions."""
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"attach '{ours}' as ours (read_only)")
        connection.execute(f"attach '{theirs}' as theirs (read_only)")
        found = connection.execute(
            "select schema_name, table_name, list((column_name, data_type) order by column_index) "
            "from duckdb_columns() where database_name = 'ours' and list_contains(?, schema_name) "
            "group by all order by all",
            [SCHEMAS],
        ).fetchall()
        return [_compare_one(connection, *one) for one in found]


def _compare_one(
    connection: duckdb.DuckDBPyConnection, schema: str, name: str, columns: list[tuple[str, str]]
) -> Compared:
    """Rows are paired by all that is exact, in order of what is not."""
    columns = [(c, t) for c, t in columns if c not in OWN]
    exact = [f'"{c}"' for c, t in columns if t != "DOUBLE"]
    floats = [f'"{c}"' for c, t in columns if t == "DOUBLE"]
    listed = ", ".join(exact + floats)
    place = f"row_number() over (partition by {', '.join(exact)} order by {listed}) as place"
    rows = ", ".join([*exact, *floats, place])
    paired = " and ".join(f"o.{c} is not distinct from t.{c}" for c in exact)
    apart = [
        f"count(*) filter (where o.place is null or t.place is null or "
        f"(o.{c} is null) <> (t.{c} is null) or "
        f"abs(o.{c} - t.{c}) > {TOLERANCE} * greatest(abs(o.{c}), abs(t.{c})))"
        for c in floats
    ]
    sides = [f'(select {rows} from {side}.{schema}."{name}")' for side in ("ours", "theirs")]
    counted = connection.execute(
        f"select count(o.place), count(*) filter (where o.place is null or t.place is null) "
        f"{''.join(', ' + a for a in apart)} "
        f"from {sides[0]} as o full join {sides[1]} as t on {paired} and o.place = t.place"
    ).fetchone()
    if counted is None:
        raise HealthError(f"{schema}.{name} cannot be compared.")
    here, unpaired, *wrong = counted
    differing = {c.strip('"'): n for c, n in zip(floats, wrong, strict=True) if n}
    if unpaired:
        differing = {"rows": unpaired}
    return Compared(f"{schema}.{name}", here, here * len(columns), differing)


def main(arguments: list[str] | None = None) -> int:
    """Build, compare, print; returns the exit code."""
    parser = argparse.ArgumentParser(description="Parity of DuckDB and Spark.")
    parser.add_argument("--customers", type=int, default=2_000)
    parser.add_argument("--days", type=int, default=365)
    asked = parser.parse_args(arguments)
    console = Console()
    spark.check()
    shown = Table("relations", "rows", "cells", "differing", "DuckDB s", "Spark s")
    failed = []
    with tempfile.TemporaryDirectory(prefix="parity-") as base:
        folder = Path(base)
        drop = folder / "drop"
        for _ in simulate(drop, customers=asked.customers, days=asked.days, seed=7, end=LAST_DAY):
            pass
        warehouses = {None: folder / "duckdb.duckdb", spark.TARGET: folder / "spark.duckdb"}
        for number in range(1, DELIVERIES + 1):
            last = LAST_DAY - timedelta(days=DELIVERIES - number)
            part = deliver(drop, folder / f"part_{number}", last, whole=number == DELIVERIES)
            seconds = []
            for name, warehouse in warehouses.items():
                load_directory(
                    part, warehouse, loaded_at=datetime.combine(last, NINE) + timedelta(days=1)
                )
                started = time.perf_counter()
                with target(name):
                    build(BuildRequest(last, last), warehouse, Console(quiet=True))
                seconds.append(time.perf_counter() - started)
                console.print(f"{last} on {name or 'duckdb'}: {seconds[-1]:.0f} s")
            found = compare(warehouses[None], warehouses[spark.TARGET])
            differing = [one for one in found if one.differing]
            failed += differing
            for one in differing:
                console.print(f"[red]{one.relation}[/red]: {dict(one.differing)}")
            shown.add_row(
                f"{len(found):,}", f"{sum(o.rows for o in found):,}",
                f"{sum(o.cells for o in found):,}", f"{len(differing):,}",
                *(f"{s:.0f}" for s in seconds),
            )  # fmt: skip
    console.print(shown)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except HealthError as error:
        sys.exit(f"error: {error}")
