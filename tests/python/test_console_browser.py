"""The operator's console, started as an operator starts it, and looked at in a browser."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import pytest
from conftest import HEALTH, ROOT, require
from playwright.sync_api import Page, ViewportSize, sync_playwright
from push_warehouse import Key, confirmed, query

from orchestration.operate import days
from orchestration.sandbox.server import Sandbox, Urls, running
from orchestration.settings import Settings
from orchestration.transform.build import target_path
from orchestration.transform.manifest import dagster_target

pytestmark = pytest.mark.xdist_group("console")

Found = TypeVar("Found")
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)
# Of a window that holds the graph of all groups.
HEIGHT = 900
PICTURES = ROOT / "docs" / "img"
STORY = ["landing", "staging", "intermediate", "features", "marts", "activation", "push"]
DAYS = 30
PATIENCE = 1200
REPOSITORY = {
    "repositoryLocationName": "orchestration.definitions",
    "repositoryName": "__repository__",
}
FINISHED = ("SUCCESS", "FAILURE", "CANCELED")

LOCATIONS = """{ workspaceOrError { ... on Workspace { locationEntries {
  locationOrLoadError { __typename ... on PythonError { message } } } } } }"""
ASSETS = """{ assetNodes { groupName partitionDefinition { name } assetKey { path } } }"""
LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
BACKFILL = """mutation($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
START_SENSOR = """mutation($sensor: SensorSelector!) { startSensor(sensorSelector: $sensor) {
  __typename ... on Sensor { name } ... on PythonError { message } } }"""
TICKS = """query($sensor: SensorSelector!) { sensorOrError(sensorSelector: $sensor) {
  ... on Sensor { sensorState { ticks(limit: 9) { skipReason status } } } } }"""
RUNS = """{ runsOrError { ... on Runs { results { runId status creationTime endTime
  tags { key value } stepStats { stepKey status startTime endTime } } } } }"""
# What is asked again and again: of the steps the console would read whole logs.
STATUSES = "{ runsOrError { ... on Runs { results { runId status tags { key value } } } } }"


def eventually(look: Callable[[], Found | None], what: str) -> Found:
    """What `look` finds, within a time that a busy machine needs."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        found = look()
        if found:
            return found
        time.sleep(1)
    raise AssertionError(f"{what}: not within {PATIENCE} seconds")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def members(session: int) -> dict[int, str]:
    """The processes of a session, by id."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,args="], capture_output=True, text=True)
    found = {}
    for line in listed.stdout.splitlines():
        number, _, args = line.strip().partition(" ")
        try:
            if os.getsid(int(number)) == session:
                found[int(number)] = args.strip()
        except ProcessLookupError:
            continue
    return found


def held_objects(warehouse: Path) -> set[Key]:
    """What the ledger says that destinations hold; a message to Slack is said, not held."""
    return {key for key in confirmed(warehouse) if key[0] != "slack"}


def opening(run: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps of a run that open the warehouse: all but the look at the kill switch."""
    return [step for step in run["stepStats"] if not step["stepKey"].endswith("push_is_on")]


class Console:
    """A running console with a home and a warehouse of its own, switched on to a sandbox."""

    def __init__(self, folder: Path, warehouse: Path, drop: Path, urls: Urls) -> None:
        self.warehouse = warehouse
        self.log = folder / "console.log"
        last = max(days.latest_days(Settings().shop_zones, datetime.now(UTC)))
        self.days = [last - timedelta(days=n) for n in reversed(range(DAYS))]
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        environment = {
            **os.environ,
            **urls.environment,
            "HEALTH_PUSH_ENABLED": "1",
            "HEALTH_ALERTS_ENABLED": "1",
            "HEALTH_CONSOLE_URL": self.url,
            "DAGSTER_HOME": str(folder / "home"),
            "DUCKDB_PATH": str(warehouse),
            "HEALTH_LANDING": str(drop),
            "HEALTH_FIRST_DAY": self.days[0].isoformat(),
        }
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [str(HEALTH), "ui", "--port", str(port)],
                cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            [entry] = self.ask(LOCATIONS)["workspaceOrError"]["locationEntries"]
        except (httpx.HTTPError, ValueError):
            return False
        found = entry["locationOrLoadError"]
        assert not found or found["__typename"] != "PythonError", found
        return bool(found)

    def ask(self, document: str, **variables: Any) -> Any:
        answer = httpx.post(
            f"{self.url}/graphql", json={"query": document, "variables": variables}, timeout=60
        ).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def launch(self, job: str, day: date, **scored: str) -> str:
        tags = [{"key": "dagster/partition", "value": day.isoformat()}]
        launched = self.ask(
            LAUNCH,
            params={
                "selector": {**REPOSITORY, "jobName": job},
                "executionMetadata": {"tags": tags},
                "runConfigData": {"ops": {"scored": {"config": scored}}} if scored else {},
            },
        )["launchRun"]
        return str(launched["run"]["runId"])

    def backfill(self) -> str:
        """Score all days again, as an operator does who selects them in the page."""
        partitioned = [
            n["assetKey"] for n in self.ask(ASSETS)["assetNodes"] if n["partitionDefinition"]
        ]
        launched = self.ask(
            BACKFILL,
            params={
                "assetSelection": [{"path": key["path"]} for key in partitioned],
                "partitionNames": [day.isoformat() for day in self.days],
            },
        )["launchPartitionBackfill"]
        return str(launched["backfillId"])

    def runs(self) -> list[dict[str, Any]]:
        return list(self.ask(RUNS)["runsOrError"]["results"])

    def runs_of(self, backfill: str) -> list[str]:
        """The runs that a backfill made so far, by id."""
        tag = {"key": "dagster/backfill", "value": backfill}
        found = self.ask(STATUSES)["runsOrError"]["results"]
        return [run["runId"] for run in found if tag in run["tags"]]

    def ended(self) -> set[str]:
        """The runs that are over, by id."""
        found = self.ask(STATUSES)["runsOrError"]["results"]
        return {run["runId"] for run in found if run["status"] in FINISHED}

    def failures(self) -> str:
        """What the log says of steps that failed, each with the lines that follow."""
        _, *told = re.split(r"(?=STEP_FAILURE|RUN_FAILURE)", self.log.read_text())
        return "\n".join(part[:3000] for part in told)

    def left_over(self) -> dict[int, str]:
        return members(self.process.pid)

    def stop(self) -> None:
        """Ask it to end; what is left of it after that is killed and told."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(PATIENCE)
        try:
            eventually(lambda: not self.left_over(), "the end of all processes")
        finally:
            for number in self.left_over():
                os.kill(number, signal.SIGKILL)


@pytest.fixture(scope="module")
def sandbox(drop: Path) -> Iterator[Sandbox]:
    made = Sandbox.from_drop(drop)
    made.bucket = (20_000.0, 1_000.0)
    yield made
    made.close()


@pytest.fixture(scope="module")
def console(
    warehouse: Path, drop: Path, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("console")
    with running(sandbox) as urls:
        # The copy keeps its name: views hold it.
        started = Console(folder, Path(shutil.copy(warehouse, folder)), drop, urls)
        try:
            eventually(started.is_ready, "the console")
            yield started
        finally:
            started.stop()
            shutil.rmtree(target_path(started.warehouse), ignore_errors=True)


def test_two_runs_at_once_take_turns_and_many_days_are_one_build(
    console: Console, sandbox: Sandbox
) -> None:
    backfill = console.backfill()
    eventually(lambda: console.runs_of(backfill), "the run of a backfill")
    console.launch("daily_refresh", console.days[-1])
    eventually(lambda: len(console.ended()) == 2, "the end of both runs")
    done = console.runs()
    assert [r["status"] for r in done] == ["SUCCESS", "SUCCESS"], console.failures()
    [many_days] = console.runs_of(backfill)
    # Both were there at once, and no step of one ran beside a step of the other.
    assert max(r["creationTime"] for r in done) < min(r["endTime"] for r in done)
    steps = sorted((s["startTime"], s["endTime"]) for r in done for s in opening(r))
    assert len(steps) == 11
    assert [(a, b) for a, b in pairwise(steps) if b[0] < a[1]] == []
    # All the days were one call of dbt.
    folders = (dagster_target(console.warehouse) / "runs").glob(f"*-{many_days[:8]}*")
    assert [f.name.split("-")[0] for f in folders] == ["scored"]
    scored = query(
        console.warehouse,
        "select count(distinct as_of_date) from marts.customer_score_history "
        f"where as_of_date between date '{console.days[0]}' and date '{console.days[-1]}'",
    )
    assert scored == [(DAYS,)]
    # The day's push was switched on, its checks had passed, and the vendors took it.
    assert {destination for destination, _, _ in sandbox.records()} >= {"klaviyo", "shopify"}
    assert held_objects(console.warehouse) == sandbox.records().keys()


def chromium() -> str | None:
    """Where a Chromium is: `HEALTH_CHROMIUM`, or one on the path."""
    named = os.environ.get("HEALTH_CHROMIUM")
    return named or next((path for name in NAMES if (path := shutil.which(name))), None)


@pytest.fixture
def page() -> Iterator[Page]:
    """A window of the size of a picture; no request may leave this machine."""
    path = chromium()
    require(path is not None, "no Chromium on the path; set HEALTH_CHROMIUM to one")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        size: ViewportSize = {"width": 1960, "height": HEIGHT}
        opened = browser.new_page(viewport=size, device_scale_factor=1.4)
        opened.set_default_timeout(120_000)
        asked: list[str] = []
        opened.on("request", lambda request: asked.append(request.url))
        yield opened
        browser.close()
    outside = re.compile(r"(?!(https?|wss?)://127\.0\.0\.1[:/]|data:|blob:)")
    assert asked
    assert [url for url in asked if outside.match(url)] == []


def lineage(page: Page, url: str) -> None:
    """Open the whole graph, one group unfolded, and nothing else in the window."""
    page.goto(f"{url}/asset-groups")
    page.get_by_text("Hide navigation").click()
    page.goto(f"{url}/asset-groups?expanded={quote('global@global:push', safe='')}")
    page.get_by_text("klaviyo", exact=True).last.wait_for()
    # The button beside this field folds the list away; it has no name.
    field = page.get_by_placeholder("Jump to").bounding_box()
    assert field
    page.mouse.click(field["x"] + field["width"] + 28, field["y"] + field["height"] / 2)
    page.get_by_placeholder("Jump to").wait_for(state="hidden")
    # A double click beside the graph fits it into the window.
    page.mouse.dblclick(980, HEIGHT - 15)
    page.wait_for_timeout(1000)
    page.get_by_text("fetching statuses").first.wait_for(state="hidden")
    page.wait_for_timeout(1000)


def test_the_graph_tells_its_story(console: Console, page: Page, tmp_path: Path) -> None:
    lineage(page, console.url)
    edges = {}
    for group in [*STORY, "seeds"]:
        box = page.get_by_text(group, exact=True).last.bounding_box()
        assert box, group
        assert 0 < box["x"] < 1960, group
        assert 110 < box["y"] < HEIGHT, group
        edges[group] = box["x"]
    assert sorted(STORY, key=edges.__getitem__) == STORY
    picture(page, "dagster-assets", tmp_path)


def picture(page: Page, name: str, tmp_path: Path) -> None:
    """Keep what the page shows: in the documentation where that is asked for."""
    update = os.environ.get("HEALTH_UPDATE_PICTURES") == "1"
    path = (PICTURES if update else tmp_path) / f"{name}.png"
    page.screenshot(path=path)
    assert path.stat().st_size > 20_000


def test_a_models_page_tells_what_its_columns_are_made_of(
    console: Console, page: Page, tmp_path: Path
) -> None:
    page.set_viewport_size({"width": 1400, "height": 900})
    page.goto(f"{console.url}/assets/marts/customer_scores?view=overview")
    page.get_by_text("From history/score_intervals.health_score.").wait_for()
    page.get_by_text("Columns", exact=True).first.scroll_into_view_if_needed()
    picture(page, "dagster-columns", tmp_path)


def test_a_check_is_told_in_words(console: Console, page: Page, tmp_path: Path) -> None:
    page.set_viewport_size({"width": 1400, "height": 620})
    name = "monetary_equals_orders"
    page.goto(f"{console.url}/assets/marts/customer_scores?view=checks&checkDetail={name}")
    page.get_by_text("Money is neither lost nor doubled on its way").wait_for()
    page.get_by_text("blocking", exact=True).first.wait_for()
    picture(page, "dagster-checks", tmp_path)


def test_a_failed_run_is_told_in_slack_once(console: Console, sandbox: Sandbox) -> None:
    sensor = {**REPOSITORY, "sensorName": "failure_alerts"}

    def said() -> list[str]:
        state = console.ask(TICKS, sensor=sensor)["sensorOrError"]["sensorState"]
        return [tick["skipReason"] or "" for tick in state["ticks"]]

    def alerts(shop: str) -> list[str]:
        texts = (message["text"] for _, message in sandbox.messages(shop))
        return [text for text in texts if text.startswith("*replay* failed")]

    assert console.ask(START_SENSOR, sensor=sensor)["startSensor"]["__typename"] == "Sensor"
    eventually(lambda: "Failures are told from now on." in said(), "the first look")
    run = console.launch("replay", console.days[-1], shop="nobody")
    eventually(lambda: any("posted" in words for words in said()), "the alert")
    eventually(lambda: said()[0] == "Nothing failed.", "a look after it")
    for shop in ("aurelia", "hoshi"):
        [text] = alerts(shop)
        assert text == (
            f"*replay* failed for {console.days[-1]}.\n"
            "• scored: There is no shop 'nobody'. Shops that have landed: aurelia, hoshi.\n"
            f"<{console.url}/runs/{run}|Run {run[:8]}>"
        )


def test_the_report_shows_its_charts(console: Console, page: Page, tmp_path: Path) -> None:
    page.set_viewport_size({"width": 1100, "height": 1500})
    page.goto(f"{console.url}/assets/serving/report?view=overview")
    page.get_by_text("[Show Markdown]").first.click()
    dialog = page.locator(".dagster-dialog")
    dialog.locator("img").nth(2).wait_for()
    # The console takes pictures from the text alone, each in its own size.
    widths = page.evaluate(
        "[...document.querySelectorAll('.dagster-dialog img')].map(i => [i.complete, "
        "i.naturalWidth, i.clientWidth, i.src.slice(0, 15)])"
    )
    assert len(widths) == 3
    for complete, drawn, shown, source in widths:
        assert complete
        assert 300 < drawn == shown < 600
        assert source == "data:image/png;"
    assert dialog.locator("tbody tr").count() == 10
    update = os.environ.get("HEALTH_UPDATE_PICTURES") == "1"
    path = PICTURES / "dagster-report.png" if update else tmp_path / "report.png"
    dialog.screenshot(path=path)
    assert 30_000 < path.stat().st_size < 600_000


def test_it_ends_when_it_is_asked_to_and_leaves_nothing_behind(console: Console) -> None:
    assert len(console.left_over()) >= 3
    console.stop()
    assert console.left_over() == {}
