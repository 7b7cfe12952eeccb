"""Days replayed as an operator replays them: in the console, killed half way, several at once."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import pytest
import test_console_browser
from conftest import HEALTH, ROOT, run_health
from console_helpers import Reader
from playwright.sync_api import Page, expect
from push_warehouse import query
from test_console_browser import (
    LAUNCH,
    PATIENCE,
    REPOSITORY,
    Console,
    eventually,
    held_objects,
    opening,
)

from orchestration.operate import days
from orchestration.sandbox.server import Sandbox
from orchestration.settings import Settings, health_scorecard
from orchestration.transform.build import target_path
from orchestration.transform.manifest import dagster_target

pytestmark = pytest.mark.xdist_group("backfill")

# The console of the other module on the shop of this one: it takes `drop` and `warehouse` by name.
sandbox = test_console_browser.sandbox
console = test_console_browser.console
window = test_console_browser.page

PICTURES = ROOT / "docs" / "img"
RANGE = 30
# A range, a day that stays unscored, and the latest day, scored by a daily run.
DAYS = RANGE + 2
# Every mart that keeps all days.
HISTORIES = (
    "customer_score_history",
    "customer_segments",
    "postal_trust",
    "score_contributions",
    "scorecard_scores",
)

Hashes = dict[tuple[str, str, date], tuple[int, str]]

BACKFILL = """mutation($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
EVENTS = """query($run: ID!, $after: String) { logsForRun(runId: $run, afterCursor: $after) {
  ... on EventConnection { cursor hasMore events {
    ... on MessageEvent { message }
    ... on ExecutionStepFailureEvent { error { message } }
    ... on RunFailureEvent { error { message } } } } } }"""


def replayable_days() -> list[date]:
    """As many days as this module scores; the last is over in every zone."""
    last = min(days.latest_days(Settings().shop_zones, datetime.now(UTC)))
    return [last - timedelta(days=n) for n in reversed(range(DAYS))]


# --- one shop, built twice: in the console and on the command line ------------------------------


@pytest.fixture(scope="module")
def all_days() -> list[date]:
    return replayable_days()


@pytest.fixture(scope="module")
def drop(all_days: list[date], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small shop that ends on the latest day."""
    folder = tmp_path_factory.mktemp("small") / "drop"
    run_health(
        "simulate", str(folder), "--customers", "200", "--days", "365",
        "--end", all_days[-1].isoformat(), warehouse=folder.parent / "unused.duckdb",
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def warehouse(drop: Path) -> Path:
    """The shop as it landed, not a day of it scored."""
    path = drop.parent / "warehouse.duckdb"
    run_health("load", str(drop), warehouse=path)
    return path


class CommandLine:
    """The same shop in a warehouse of its own, all days scored by one build meanwhile."""

    def __init__(self, warehouse: Path, first: date, last: date) -> None:
        self.warehouse = warehouse
        self.log = warehouse.parent / "build.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [str(HEALTH), "build", "--from", first.isoformat(), "--to", last.isoformat()],
                cwd=ROOT, env={**os.environ, "DUCKDB_PATH": str(warehouse)},
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def hashes(self, window: list[date]) -> Hashes:
        assert self.process.wait(PATIENCE) == 0, self.log.read_text()
        return hashes(self.warehouse, window)

    def stop(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        shutil.rmtree(target_path(self.warehouse), ignore_errors=True)


@pytest.fixture(scope="module")
def command_line(
    warehouse: Path, all_days: list[date], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CommandLine]:
    # The copy keeps its name: views hold it.
    copy = Path(shutil.copy(warehouse, tmp_path_factory.mktemp("command_line")))
    started = CommandLine(copy, all_days[0], all_days[-1])
    yield started
    started.stop()


@pytest.fixture(scope="module", autouse=True)
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the console puts the serving copy; set before anything starts."""
    path = tmp_path_factory.mktemp("serving") / "customer_health.duckdb"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEALTH_SERVING_PATH", str(path))
        # The console's days end where a day is over in the first zone, ours where it is in all.
        patch.setattr(test_console_browser, "DAYS", DAYS + 2)
        yield path


@pytest.fixture(scope="module")
def shop(command_line: CommandLine, console: Console, all_days: list[date]) -> Console:
    """The console after a daily run of the latest day; no other day is scored yet."""
    run = launch(console, "daily_refresh", {"dagster/partition": all_days[-1].isoformat()})
    assert ended(console, run)["status"] == "SUCCESS", console.failures()
    return console


# --- what is asked of the console, and what came of it ------------------------------------------


def launch(console: Console, job: str, tags: dict[str, str] | None = None) -> str:
    """Start a run; its id."""
    launched = console.ask(
        LAUNCH,
        params={
            "selector": {**REPOSITORY, "jobName": job},
            "executionMetadata": {
                "tags": [{"key": key, "value": value} for key, value in (tags or {}).items()]
            },
        },
    )["launchRun"]
    return str(launched["run"]["runId"])


def launch_backfill(console: Console, window: list[date]) -> str:
    """Replay a range by the job, as the dialog does; the backfill's id."""
    launched = console.ask(
        BACKFILL,
        params={
            "selector": {
                "repositorySelector": REPOSITORY,
                "partitionSetName": "replay_partition_set",
            },
            "partitionNames": [day.isoformat() for day in window],
        },
    )["launchPartitionBackfill"]
    return str(launched["backfillId"])


def run_of(console: Console, backfill: str) -> str:
    """The one run of a backfill, once it is made; its id."""
    [run] = eventually(lambda: console.runs_of(backfill), f"the run of {backfill}")
    return run


def ended(console: Console, run: str) -> dict[str, Any]:
    """A run, once it is over."""
    eventually(lambda: run in console.ended(), f"the end of run {run}")
    return next(r for r in console.runs() if r["runId"] == run)


def told(console: Console, run: str) -> list[str]:
    """All that a run's log says: messages and errors."""
    said: list[str] = []
    cursor, more = None, True
    while more:
        page = console.ask(EVENTS, run=run, after=cursor)["logsForRun"]
        cursor, more = page["cursor"], page["hasMore"]
        for event in page["events"]:
            said.append(event.get("message") or "")
            said.append((event.get("error") or {}).get("message", ""))
    return [text for text in said if text]


def hashes(warehouse: Path, window: list[date]) -> Hashes:
    """Rows and a hash of them, by mart, shop and day of the window."""
    found: Hashes = {}
    for mart in HISTORIES:
        rows = query(
            warehouse,
            "select shop_id, as_of_date, count(*), cast(sum(cast(hash(history) as hugeint)) as "
            f"varchar) from marts.{mart} as history where as_of_date between "
            f"date '{window[0]}' and date '{window[-1]}' group by shop_id, as_of_date",
        )
        found |= {(mart, shop, day): (count, digest) for shop, day, count, digest in rows}
    return found


def known_customers(warehouse: Path, window: list[date]) -> dict[date, int]:
    """How many customers were known on each day."""
    return dict(
        query(
            warehouse,
            "select cast(day as date), count(*) from intermediate.int_customers inner join "
            f"range(date '{window[0]}', date '{window[-1] + timedelta(days=1)}', interval 1 day) "
            "as days (day) on known_from <= day group by day",
        )
    )


def scored_customers(warehouse: Path, window: list[date]) -> dict[date, int]:
    """How many customers have scores on each day."""
    return dict(
        query(
            warehouse,
            "select as_of_date, count(distinct customer_key) from marts.customer_score_history "
            f"where as_of_date between date '{window[0]}' and date '{window[-1]}' group by all",
        )
    )


def builds(console: Console, run: str) -> int:
    """How many times a run called dbt."""
    return len(list((dagster_target(console.warehouse) / "runs").glob(f"*-{run[:8]}*")))


def picture(page: Page, name: str, tmp_path: Path) -> None:
    """Keep what the page shows: in the documentation where that is asked for."""
    update = os.environ.get("HEALTH_UPDATE_PICTURES") == "1"
    path = (PICTURES if update else tmp_path) / f"{name}.png"
    page.screenshot(path=path)
    assert path.stat().st_size > 20_000


def last_part(page: Page) -> str:
    """What a page's address ends with: the id of what it shows."""
    return urlsplit(page.url).path.split("/")[-1]


@pytest.fixture
def page(window: Page) -> Page:
    window.set_viewport_size({"width": 1400, "height": 800})
    return window


# --- the operator's ways ------------------------------------------------------------------------


def launch_from_dialog(page: Page, url: str, window: list[date], tmp_path: Path) -> str:
    """Choose the days, launch, go to the backfill's page, as an operator does; its id."""
    page.set_viewport_size({"width": 1400, "height": 800})
    page.goto(f"{url}/locations/orchestration.definitions/jobs/replay")
    page.get_by_role("button", name="Materialize all").click()
    dialog = page.get_by_role("dialog")
    field = dialog.get_by_placeholder("No matching partitions")
    field.fill(f"[{window[0]}...{window[-1]}]")
    field.press("Enter")
    expect(dialog.get_by_text(f"{len(window)} partitions", exact=True)).to_be_visible()
    picture(page, "backfill-dialog", tmp_path)
    dialog.get_by_role("button", name="Launch backfill").click()
    page.get_by_text("Created backfill").wait_for()
    page.get_by_role("link", name="View", exact=True).click()
    page.wait_for_url(re.compile("/runs/b/"))
    return last_part(page)


def watch_to_the_end(page: Page, tmp_path: Path) -> None:
    """Stay on a backfill's page until it says that all is done."""
    expect(page.get_by_text("100% completed")).to_be_visible(timeout=PATIENCE * 1000)
    # The head of a column, and the status.
    expect(page.get_by_text("Succeeded", exact=True)).to_have_count(2, timeout=PATIENCE * 1000)
    # A notice stays as long as the mouse rests on it.
    page.mouse.move(700, 400)
    expect(page.get_by_text("Created backfill")).to_be_hidden()
    page.set_viewport_size({"width": 1400, "height": 460})
    picture(page, "backfill-done", tmp_path)


def worker_of(run_log: list[str]) -> int:
    """The process of a run. Its dbt ends by itself when this one does."""
    return next(int(found[1]) for text in run_log if (found := re.search(r"pid: (\d+)", text)))


def is_half_way(console: Console, run: str) -> bool:
    """Whether dbt has begun the second half of what a run builds."""
    logs = (dagster_target(console.warehouse) / "runs").glob(f"scored-{run[:8]}*/dbt.log")
    begun = re.findall(r"(\d+) of (\d+) START", "".join(log.read_text() for log in logs))
    return any(2 * int(number) > int(total) for number, total in begun)


def test_a_range_killed_half_way_and_replayed_again_is_as_if_nothing_had_happened(
    shop: Console,
    command_line: CommandLine,
    all_days: list[date],
    serving: Path,
    page: Page,
    tmp_path: Path,
) -> None:
    window = all_days[:RANGE]
    others = sorted(set(scored_customers(shop.warehouse, all_days)) - set(window))
    before = hashes(shop.warehouse, others)
    with Reader(serving, health_scorecard()) as reader:
        run = run_of(shop, launch_from_dialog(page, shop.url, window, tmp_path))
        eventually(lambda: is_half_way(shop, run), "the second half of the models")
        # What an operator reads meanwhile: the days, and how far it has come.
        said = told(shop, run)
        assert [t for t in said if t.startswith(f"Scoring {RANGE} days, {window[0]} to")]
        assert [t for t in said if re.fullmatch(r"\d+ of \d+ built: .+", t)]
        os.kill(worker_of(said), signal.SIGKILL)
        assert ended(shop, run)["status"] == "FAILURE"
        again = launch_from_dialog(page, shop.url, window, tmp_path)
        watch_to_the_end(page, tmp_path)
        run = run_of(shop, again)
        assert ended(shop, run)["status"] == "SUCCESS", shop.failures()
        assert builds(shop, run) == 1
        assert hashes(shop.warehouse, window) == command_line.hashes(window)
        assert hashes(shop.warehouse, others) == before
        seen = reader.seen()
    assert seen.errors == []
    assert seen.looks > 50
    known = known_customers(shop.warehouse, all_days)
    # The days of before, then all, each of them whole: nothing between.
    assert seen.states == [
        {day.isoformat(): [known[day], 0] for day in shown}
        for shown in (others, [*window, *others])
    ]


def test_two_replays_and_a_push_at_once_take_turns(
    shop: Console, sandbox: Sandbox, all_days: list[date]
) -> None:
    ranges = [all_days[1:4], all_days[RANGE - 4 : RANGE - 1]]
    backfills = [launch_backfill(shop, window) for window in ranges]
    # The console makes a backfill's run when it next looks, up to half a minute later.
    runs = [run_of(shop, backfill) for backfill in backfills]
    runs.append(launch(shop, "push"))
    done = [ended(shop, run) for run in runs]
    assert [run["status"] for run in done] == ["SUCCESS"] * 3, shop.failures()
    for run in runs:
        assert [text for text in told(shop, run) if re.search(r"\block\b|is held by", text)] == []
    # All were there at once, and no step of one ran beside a step of another.
    assert max(r["creationTime"] for r in done) < min(r["endTime"] for r in done)
    steps = sorted((s["startTime"], s["endTime"], r["runId"]) for r in done for s in opening(r))
    assert [(a, b) for a, b in pairwise(steps) if b[0] < a[1]] == []
    assert held_objects(shop.warehouse) == sandbox.records().keys() != set()


def test_a_range_that_failed_is_taken_up_from_its_page(
    shop: Console, command_line: CommandLine, all_days: list[date], page: Page
) -> None:
    window = all_days[3:6]
    tags = {
        "dagster/asset_partition_range_start": window[0].isoformat(),
        "dagster/asset_partition_range_end": window[-1].isoformat(),
    }
    with duckdb.connect(str(shop.warehouse)):
        run = launch(shop, "replay", tags)
        assert ended(shop, run)["status"] == "FAILURE"
    sentence = (
        f"The warehouse {shop.warehouse} is held by process {os.getpid()}. DuckDB lets one process "
        "write at a time: wait for it to end, or close the program that has the file open."
    )
    assert {text for text in told(shop, run) if "Failure: " in text} == {
        f"dagster._core.definitions.events.Failure: {sentence}\n"
    }

    page.goto(f"{shop.url}/runs/{run}")
    page.get_by_text("is held by process").first.wait_for()
    whole = page.get_by_role("button", name="Re-execute all")
    # The button beside it has no name.
    whole.locator("xpath=following::button[1]").click()
    page.get_by_role("menuitem", name="From failure").click()
    page.wait_for_url(lambda url: "/runs/" in url and run not in url)
    again = last_part(page)
    expect(page.get_by_text("Success", exact=True).first).to_be_visible(timeout=PATIENCE * 1000)
    assert ended(shop, again)["status"] == "SUCCESS"
    assert builds(shop, again) == 1
    assert hashes(shop.warehouse, window) == command_line.hashes(window)


def test_nothing_is_left_behind(shop: Console) -> None:
    shop.stop()
    assert shop.left_over() == {}
