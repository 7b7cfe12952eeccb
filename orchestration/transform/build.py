"""One dbt build for a window of shop days, in this process, with progress and sentences."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from orchestration.errors import HealthError
from orchestration.settings import PROJECT_DIR
from orchestration.transform import scorecards, versions

DEFAULT_WAREHOUSE = PROJECT_DIR / "data" / "warehouse.duckdb"


@dataclass(frozen=True)
class BuildRequest:
    """Which days to score, both ends included, for which shop, and under which scorecards.

    Without days, each shop's latest complete day in the data; without a shop, all of them.
    `scorecards` are versions (`jewelry_points@2`) to use instead of those valid on the day.
    `select` narrows the build to models, without their tests.
    """

    first_day: date | None = None
    last_day: date | None = None
    shop: str | None = None
    full_refresh: bool = False
    scorecards: tuple[str, ...] = ()
    select: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (self.first_day is None) != (self.last_day is None):
            raise HealthError("A window has two ends: give --from and --to together.")
        if self.first_day and self.last_day and self.first_day > self.last_day:
            raise HealthError(
                f"--from {self.first_day} is after --to {self.last_day}: swap the two."
            )


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
        arguments += ["--exclude-resource-type", "test", "--select", " ".join(request.select)]
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
    scorecards.check()
    versions.check(request.scorecards)
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    from orchestration.warehouse import connect

    # A held lock or a missing folder is said in a sentence, before dbt says it in a stack trace.
    with connect(warehouse) as connection:
        if request.shop:
            check_shop(connection, request.shop)
    warnings: list[str] = []
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
    with build_environment(request, warehouse), progress:
        runner = dbtRunner(callbacks=[_listener(progress, warnings)])
        try:
            outcome = runner.invoke(dbt_arguments(request, target_path(warehouse)))
        finally:
            # dbt keeps the file open for its next invocation; nobody else could open it.
            DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
    if outcome.exception is not None:
        raise HealthError(f"dbt could not build: {outcome.exception}") from outcome.exception
    results = getattr(outcome.result, "results", [])
    statuses: dict[str, int] = {}
    for node in results:
        statuses[str(node.status)] = statuses.get(str(node.status), 0) + 1
    if not outcome.success:
        failed = [n for n in results if str(n.status) in ("error", "fail", "runtime error")]
        lines = [f"{n.node.name}: {str(n.message).strip()}" for n in failed[:5]]
        raise HealthError(
            f"The build failed at {len(failed)} of {len(results)} nodes:\n  " + "\n  ".join(lines)
        )
    return BuildResult(statuses, warnings)


def check_shop(connection: Any, shop: str) -> None:
    """Refuse a shop that no landed table knows."""
    exists = connection.execute(
        "select count(*) from information_schema.tables "
        "where table_schema = 'raw_shopify' and table_name = 'shops'"
    ).fetchone()[0]
    known = (
        [r[0] for r in connection.execute("select shop_id from raw_shopify.shops").fetchall()]
        if exists
        else []
    )
    if shop not in known:
        names = ", ".join(sorted(known)) or "none yet"
        raise HealthError(f"There is no shop '{shop}'. Shops that have landed: {names}.")
