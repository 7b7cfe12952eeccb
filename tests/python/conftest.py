"""What the tests share: one simulated shop, built once, whichever worker comes first."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from contextlib import contextmanager
from datetime import date
from operator import itemgetter
from pathlib import Path

import pytest
from hypothesis import settings
from rich.console import Console

from orchestration.transform.build import BuildRequest, build

# `make test` judges a change by the same random cases every time; `make fuzz` looks for new ones.
settings.register_profile("same cases", derandomize=True)
settings.register_profile("new cases", print_blob=True)
settings.load_profile("same cases")

ROOT = Path(__file__).resolve().parents[2]
HEALTH = Path(sys.executable).parent / "health"
DBT = Path(sys.executable).parent / "dbt"
SHOP_END = date(2026, 10, 31)
WINDOW_START = date(2026, 10, 25)


# The longest files, which start first: one that begins last would run alone at the end.
LONG = (
    "test_parity.py",
    "test_backfill_browser.py",
    "test_console_browser.py",
    "test_push_kill_points.py",
    "test_build.py",
    "test_replay.py",
    "test_golden.py",
    "test_forget.py",
    "test_fivetran.py",
    "test_against_reference.py",
    "test_dagster.py",
    "test_chores.py",
    "test_scoring_guide.py",
    "test_landing.py",
    "test_extract_faults.py",
    "test_stale.py",
    "test_reference_power.py",
    "test_what_if.py",
    "test_as_known.py",
    "test_catch_up.py",
    "test_spark_dagster.py",
    "test_ducklake.py",
    "test_push_kill.py",
    "test_report.py",
    "test_spark_traps.py",
)


def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are cores, since tests of the console wait for its daemons."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of the longest files first, the others as they come."""
    turns = {name: turn for turn, name in enumerate(LONG)}
    items.sort(key=lambda item: turns.get(item.path.name, len(LONG)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how long the longest files took, for `LONG` and for whoever makes the tests faster."""
    took: dict[str, float] = defaultdict(float)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                took[Path(report.location[0]).name] += report.duration
    terminalreporter.section("slowest 30 files")
    for name, seconds in sorted(took.items(), key=itemgetter(1), reverse=True)[:30]:
        terminalreporter.line(f"{seconds:8.0f}s {name}")


def require(condition: bool, what: str) -> None:
    """Skip loudly for want of a system package; fail instead where everything is required."""
    if condition:
        return
    if os.environ.get("HEALTH_TEST_REQUIRE_ALL") == "1":
        pytest.fail(f"NOT RUN: {what} (HEALTH_TEST_REQUIRE_ALL=1 makes this a failure)")
    pytest.skip(f"NOT RUN: {what}")


def run_health(
    *arguments: str, warehouse: Path, expect: int = 0, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the CLI against a warehouse of its own and check how it ended."""
    done = subprocess.run(
        [str(HEALTH), *arguments],
        cwd=ROOT,
        env={**os.environ, "DUCKDB_PATH": str(warehouse), "COLUMNS": "120", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == expect, f"health {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
    return done


def build_models(
    warehouse: Path,
    first: date,
    last: date | None = None,
    *,
    shop: str | None = None,
    full_refresh: bool = False,
) -> None:
    """What `health build` does but for dbt's tests, in this process: less than half the time."""
    request = BuildRequest(
        first, last or first, shop, full_refresh=full_refresh, select=("path:models", "path:seeds")
    )
    build(request, warehouse, Console(quiet=True))


@pytest.fixture(scope="session")
def health() -> Callable[..., subprocess.CompletedProcess[str]]:
    """`health("build", "--as-of", "2026-10-31", warehouse=path)`."""
    return run_health


def copied(warehouse: Path, folder: Path) -> Path:
    """A copy of a warehouse in another folder, called as all are: dbt's parse goes by the name."""
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(warehouse, folder / "warehouse.duckdb"))


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this run share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


@contextmanager
def once(folder: Path, name: str):
    """Yields True to the first worker that comes, False to the others, one at a time."""
    done = folder / f"{name}.done"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield not done.exists()
        done.touch()


@pytest.fixture(scope="session")
def drop(shared: Path) -> Path:
    """The file drop of a simulated shop of 500 customers."""
    folder = shared / "drop"
    with once(shared, "drop") as first:
        if first:
            run_health(
                "simulate", str(folder), "--customers", "500", "--days", "365",
                "--end", SHOP_END.isoformat(), warehouse=shared / "unused.duckdb",
            )  # fmt: skip
    return folder


@pytest.fixture(scope="session")
def warehouse(shared: Path, drop: Path) -> Path:
    """A built warehouse of that shop, one week of days. Open it read-only, or copy it."""
    path = shared / "warehouse" / "warehouse.duckdb"
    with once(shared, "warehouse") as first:
        if first:
            run_health("load", str(drop), "--loaded-at", "2026-11-02T12:00:00", warehouse=path)
            run_health(
                "build", "--from", WINDOW_START.isoformat(), "--to", SHOP_END.isoformat(),
                warehouse=path,
            )  # fmt: skip
    return path
