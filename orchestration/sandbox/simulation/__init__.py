"""The pretend shops: a seeded simulation that writes a file drop of the raw contract.

`aurelia` sells fine jewellery from New York and is connected to every source; `hoshi` is small,
sells from Tokyo in yen, and has neither surveys nor the files of other tools. The simulation is
set-based SQL in the files beside this one, in the order of `STEPS`; people are simulated in
batches, so that memory does not grow with their number.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb

from orchestration.errors import HealthError
from orchestration.extract.contract import tables
from orchestration.sandbox.simulation.writing import FileFormat, clear_drop, write_table

__all__ = ["Batch", "FileFormat", "batches", "open_simulation", "run_batch", "simulate"]

FOUNDATION = ("foundation", "catalogue")
STEPS = ("people", "behaviour", "orders", "aftermath", "survey", "support", "events")

# These do not depend on people and are written once.
SHOP_TABLES = {("shopify", "shops"), ("shopify", "products"), ("files", "ad_spend")}

BATCH_SIZE = 20_000
MEMORY_LIMIT = "3GB"
CUSTOMERS = range(50, 1_000_001)
DAYS = range(30, 3_651)
AURELIA, HOSHI = 1, 2


@dataclass(frozen=True)
class Batch:
    """People `first_n` .. `last_n` of one shop, and the strangers who buy at its till."""

    shop_no: int
    first_n: int
    last_n: int
    walk_ins: int


def batches(customers: int, days: int, size: int = BATCH_SIZE) -> list[Batch]:
    """The batches of both shops; strangers come with the last batch of their shop."""
    found = []
    for shop_no, people in ((AURELIA, customers), (HOSHI, max(40, customers * 8 // 100))):
        strangers = max(3, people * days // 40_000)
        for first in range(1, people + 1, size):
            last = min(first + size - 1, people)
            found.append(Batch(shop_no, first, last, strangers if last == people else 0))
    return found


@contextmanager
def open_simulation(
    *, customers: int, days: int, seed: int, end: date
) -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory database with the shops, their calendar and catalogue, and no people yet."""
    with (
        tempfile.TemporaryDirectory(prefix="simulation-") as spill,
        duckdb.connect(
            config={"memory_limit": MEMORY_LIMIT, "temp_directory": spill}
        ) as connection,
    ):
        connection.execute(
            f"""
            set TimeZone = 'UTC';
            set variable customers = {int(customers)}::bigint;
            set variable days = {int(days)}::bigint;
            set variable first_date = date '{end - timedelta(days=days - 1)}';
            set variable seed_offset = (hash({int(seed)}::bigint) >> 2)::bigint;
            """
        )
        for name in FOUNDATION:
            connection.execute(_sql(name))
        yield connection


def run_batch(connection: duckdb.DuckDBPyConnection, batch: Batch) -> None:
    """Simulate one batch: its tables replace those of the batch before."""
    for name, value in vars(batch).items():
        connection.execute(f"set variable {name} = {int(value)}::bigint")
    for name in STEPS:
        connection.execute(_sql(name))


def simulate(
    directory: Path,
    *,
    customers: int,
    days: int,
    seed: int,
    end: date,
    file_format: FileFormat = "parquet",
) -> Iterator[str]:
    """Write both shops to `directory/<source>/<table>/`, every table of the raw contract.

    `customers` is how many people `aurelia` has, guests and prospects among them; `days` of
    history end with the shop day `end`. The same arguments write the same bytes. Yields a line of
    progress now and then, and at the end one a table with the rows written. Files of an earlier
    simulation in `directory` are replaced, others are left alone.

    Raises `HealthError` for arguments that are out of range.
    """
    if customers not in CUSTOMERS:
        raise HealthError(
            f"--customers is {customers}: give a number from {CUSTOMERS[0]} to {CUSTOMERS[-1]:,}."
        )
    if days not in DAYS:
        raise HealthError(f"--days is {days}: give a number from {DAYS[0]} to {DAYS[-1]:,}.")
    if directory.exists() and not directory.is_dir():
        raise HealthError(f"{directory} is a file: name a folder for the file drop.")
    return _written(directory, customers, days, seed, end, file_format)


def _written(
    directory: Path, customers: int, days: int, seed: int, end: date, file_format: FileFormat
) -> Iterator[str]:
    written: Counter[tuple[str, str]] = Counter()
    planned = batches(customers, days)
    clear_drop(directory)
    with open_simulation(customers=customers, days=days, seed=seed, end=end) as connection:
        for part, batch in enumerate(planned, start=1):
            run_batch(connection, batch)
            if part == 1:
                # Views bind when they are made, and so need the tables of a first batch.
                connection.execute(_sql("outputs"))
            for key, table in tables().items():
                if part == 1 or key not in SHOP_TABLES:
                    written[key] += write_table(connection, table, directory, part, file_format)
            if len(planned) > 2:
                yield f"simulated {part} of {len(planned)} batches of people"
    for (source, name), rows in written.items():
        yield f"{source}/{name}: {rows:,} rows"


def _sql(name: str) -> str:
    return (Path(__file__).parent / f"{name}.sql").read_text(encoding="utf-8")
