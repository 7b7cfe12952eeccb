"""One dbt build for a window of shop days, in this process, with progress and sentences."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from orchestration.errors import HealthError
from orchestration.publish.serving import held_back
from orchestration.settings import PROJECT_DIR, settings
from orchestration.transform import parse, scorecards, spark, spark_tables, versions
from orchestration.transform.garbage import collected_seldom
from orchestration.warehouse import connect, holders

DEFAULT_WAREHOUSE = PROJECT_DIR / "data" / "warehouse.duckdb"

# All that the days of a run decide, and nothing that only landed data do.
FROM_THE_DAYS_ON = "int_as_of_days+"


@dataclass(frozen=True)
class BuildRequest:
    """Which days to score, both ends included, for which shop, and under which scorecards.

    Without days, each shop's latest complete day in the data; without a shop, all of them.
    `scorecards` are versions (`jewelry_points@2`) to use instead of those valid on the day.
    `select` narrows the build to models, without their tests unless `with_tests`.
    """

    first_day: date | None = None
    last_day: date | None = None
    shop: str | None = None
    full_refresh: bool = False
    scorecards: tuple[str, ...] = ()
    select: tuple[str, ...] = ()
    with_tests: bool = False

    def __post_init__(self) -> None:
        if (self.first_day is None) != (self.last_day is None):
            raise HealthError("A window has two ends: give --from and --to together.")
        if self.first_day and self.last_day and self.first_day > self.last_day:
            raise HealthError(
                f"--from {self.first_day} is after --to {self.last_day}: swap the two."
            )


def blocks(request: BuildRequest, customers: int, customer_days: int) -> list[BuildRequest]:
    """The request, or one for each stretch of its days that holds at most `customer_days`.

    A run's memory grows with its customers and days. `customers` are those known. Days that the
    first stretch has prepared landed data for need that no more.
    """
    if request.first_day is None or request.last_day is None:
        return [request]
    days = (request.last_day - request.first_day).days + 1
    longest = max(1, customer_days // max(1, customers))
    count = -(-days // longest)
    ends = [days * (n + 1) // count for n in range(count)]
    return [
        replace(
            request,
            first_day=request.first_day + timedelta(days=start),
            last_day=request.first_day + timedelta(days=end - 1),
            full_refresh=request.full_refresh and start == 0,
            select=request.select or ((FROM_THE_DAYS_ON,) if start else ()),
            with_tests=not request.select,
        )
        for start, end in zip([0, *ends], ends, strict=False)
    ]


@dataclass(frozen=True)
class BuildResult:
    """What a build did: number of nodes that ended in each status, and its warnings."""

    statuses: dict[str, int]
    warnings: list[str]


def dbt_arguments(request: BuildRequest, target_path: Path, command: str = "build") -> list[str]:
    """The dbt command line for a request.

    The window travels as dbt's event-time flags, whose end is exclusive: their change makes dbt
    reparse nothing.
    """
    arguments = [
        "--log-level", "none",
        command,
        "--project-dir", str(PROJECT_DIR),
        "--profiles-dir", str(PROJECT_DIR),
        "--target-path", str(target_path),
        "--log-path", str(target_path / "logs"),
        # Unit tests prove the SQL, not the data: they belong to `make test`.
        "--exclude-resource-type", "unit_test",
    ]  # fmt: skip
    if request.first_day and request.last_day:
        end = request.last_day + timedelta(days=1)
        arguments += ["--event-time-start", request.first_day.isoformat()]
        arguments += ["--event-time-end", end.isoformat()]
    if request.full_refresh:
        arguments.append("--full-refresh")
    if request.select:
        arguments += ["--select", " ".join(request.select)]
        if not request.with_tests:
            arguments += ["--exclude-resource-type", "test"]
    return arguments


def target_path(warehouse: Path) -> Path:
    """Where dbt keeps its parse and compiled SQL: beside the warehouse, so that two runs on one
    machine never meet and nothing outlives a warehouse. `DBT_TARGET_PATH` goes before."""
    if chosen := os.environ.get("DBT_TARGET_PATH"):
        return PROJECT_DIR / chosen
    if warehouse == DEFAULT_WAREHOUSE:
        return PROJECT_DIR / "target"
    return warehouse.parent / f".{warehouse.stem}.dbt"


@contextmanager
def build_environment(request: BuildRequest, warehouse: Path) -> Iterator[None]:
    """The environment of one build: the project's root, its warehouse and its arguments."""
    before, folder = dict(os.environ), Path.cwd()
    os.chdir(PROJECT_DIR)
    if warehouse != DEFAULT_WAREHOUSE:
        os.environ["DUCKDB_PATH"] = str(warehouse)
    os.environ.pop("HEALTH_BUILD_SHOP", None)
    os.environ.pop("HEALTH_BUILD_ZONE", None)
    os.environ.pop("HEALTH_BUILD_SCORECARDS", None)
    if request.shop:
        os.environ["HEALTH_BUILD_SHOP"] = request.shop
    if request.scorecards:
        os.environ["HEALTH_BUILD_SCORECARDS"] = ",".join(request.scorecards)
    try:
        yield
    finally:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(before)


def _listener(progress: Progress, warnings: list[str]) -> Callable[[Any], None]:
    """A dbt event callback that moves the progress bar and keeps warnings."""
    task = progress.add_task("reading the project", total=None)

    def listen(event: Any) -> None:
        name = event.info.name
        if name == "LogStartLine":
            progress.update(
                task,
                total=event.data.total,
                completed=event.data.index - 1,
                description=event.data.description.removeprefix("sql ").split(" ...")[0],
            )
        elif name == "LogTestResult" and event.data.status == "warn":
            warnings.append(f"{event.data.name}: {event.data.num_failures} rows")

    return listen


def build(request: BuildRequest, warehouse: Path, console: Console) -> BuildResult:
    """Run seeds, models and tests for the request's days.

    Raises `HealthError` with what is wrong with the seeds, before anything runs, or with the first
    failing nodes and their messages.
    """
    on_spark = spark.is_chosen()
    scorecards.check()
    versions.check(request.scorecards)
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    # A held lock or a missing folder is said in a sentence, before dbt says it in a stack trace.
    with connect(warehouse) as connection:
        if request.shop:
            check_shop(connection, request.shop)
        parts = blocks(request, count_customers(connection), settings().block_customer_days)
    warnings: list[str] = []
    statuses: dict[str, int] = {}
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    views: list[str] = []
    if on_spark:
        spark.check()
        spark_tables.hand_over(warehouse)
    parse.overlook_the_path()
    with (
        build_environment(request, warehouse),
        spark.environment(warehouse),
        nullcontext() if on_spark else parse.shared(PROJECT_DIR, target_path(warehouse), warehouse),
        collected_seldom(),
        progress,
    ):
        runner = dbtRunner(callbacks=[_listener(progress, warnings)])
        try:
            for number, part in enumerate(parts, start=1):
                if len(parts) > 1:
                    console.print(f"{part.first_day} to {part.last_day} ({number} of {len(parts)})")
                outcome = runner.invoke(dbt_arguments(part, target_path(warehouse)))
                for status in _statuses(outcome):
                    statuses[status] = statuses.get(status, 0) + 1
                if on_spark:
                    views += spark_tables.remember_views(warehouse, target_path(warehouse))
            if on_spark:
                take_back(views, warehouse, runner)
        finally:
            # dbt keeps the file open for its next invocation; nobody else could open it.
            DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
    return BuildResult(statuses, warnings + held_back(warehouse))


def take_back(views: list[str], warehouse: Path, runner: Any) -> None:
    """After a build on Spark: its tables, and the views over them as DuckDB has them."""
    spark_tables.take_back(warehouse, target_path(warehouse))
    if views:
        folder = target_path(warehouse) / "views"
        with spark.on_duckdb(), parse.shared(PROJECT_DIR, folder, warehouse):
            _statuses(runner.invoke(dbt_arguments(BuildRequest(select=tuple(views)), folder)))


def _statuses(outcome: Any) -> list[str]:
    """How each node of an invocation ended; a failed one ends the build."""
    if outcome.exception is not None:
        raise HealthError(f"dbt could not build: {outcome.exception}") from outcome.exception
    results = getattr(outcome.result, "results", [])
    if not outcome.success:
        failed = [n for n in results if str(n.status) in ("error", "fail", "runtime error")]
        lines = [f"{n.node.name}: {str(n.message).strip()}" for n in failed[:5]]
        raise HealthError(
            f"The build failed at {len(failed)} of {len(results)} nodes:\n  " + "\n  ".join(lines)
        )
    return [str(n.status) for n in results]


def count_customers(connection: Any) -> int:
    """About how many customers a run has to score: those that landed, from either side."""
    names = [
        *holders(connection, "shopify", "customers"),
        *holders(connection, "klaviyo", "profiles"),
    ]
    return max(
        (connection.execute(f"select count(*) from {name}").fetchone()[0] for name in names),
        default=0,
    )


def check_shop(connection: Any, shop: str) -> None:
    """Refuse a shop that has not landed."""
    known = {
        row[0]
        for name in holders(connection, "shopify", "shops")
        for row in connection.execute(f"select shop_id from {name}").fetchall()
    }
    if shop not in known:
        names = ", ".join(sorted(known)) or "none yet"
        raise HealthError(f"There is no shop '{shop}'. Shops that have landed: {names}.")
