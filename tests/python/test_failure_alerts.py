"""Alerts of failed runs: one message each, whatever happens on the way, and none unasked."""

# No `from __future__ import annotations`: Dagster reads the types of steps as they stand.
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from test_push_slack import CHANNEL, SHOP, workspace

from orchestration.activate import switches
from orchestration.definitions import defs
from orchestration.errors import HealthError
from orchestration.extract.assets import make_landing_assets
from orchestration.operate import alerts, incidents
from orchestration.operate.chores import chore_of
from orchestration.sandbox.server import Fault, FaultPlan, Sandbox, Urls
from orchestration.settings import Settings, settings
from orchestration.transform.assets import read_manifest
from orchestration.transform.manifest import ensure_manifest
from orchestration.vendors.wire import Patience

HASTY = Patience(attempts=3, first_wait=0.01, longest_wait=2.0, answer=5.0)
DAY = {"dagster/partition": "2026-05-01"}
RANGE = {
    "dagster/asset_partition_range_start": "2026-05-01",
    "dagster/asset_partition_range_end": "2026-05-30",
}


def told(run: dg.DagsterRun) -> str:
    return f"run:{run.run_id}"


class Operator:
    """A warehouse that is not there, an instance, and a sensor that is looked at by hand."""

    def __init__(self, folder: Path, change: Callable[..., None]) -> None:
        self.warehouse = folder / "none.duckdb"
        self.instance = dg.DagsterInstance.ephemeral()
        self.environment = change
        self.cursor: str | None = None
        self.late = timedelta()
        self.sensor = alerts.make_alert_sensor(
            HASTY, clock=lambda: datetime.now(UTC) + self.late, sleep=lambda _: None
        )
        change(DUCKDB_PATH=self.warehouse)

    def connect(self, urls: Urls, **more: object) -> None:
        """Switch alerts on, towards a sandbox, and look for the first time."""
        self.environment(HEALTH_ALERTS_ENABLED=1, **urls.environment, **more)
        assert self.look() == "Failures are told from now on."

    def look(self) -> str:
        """Evaluate the sensor once, as Dagster does; what it says of it."""
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor)
        result = self.sensor.evaluate_tick(context)
        assert not result.run_requests
        self.cursor = result.cursor
        return str(result.skip_message)

    def run(self, job: str = "outlook", **tags: str) -> dg.DagsterRun:
        """Run a job that finds no warehouse."""
        result = defs.resolve_job_def(job).execute_in_process(
            instance=self.instance, raise_on_error=False, tags=tags
        )
        return self.again(result.run_id)

    def run_of(self, work: Callable[[Any], None]) -> dg.DagsterRun:
        job = chore_of("some_work", "Some work.", work)
        result = job.execute_in_process(instance=self.instance, raise_on_error=False)
        return self.again(result.run_id)

    def again(self, run_id: str) -> dg.DagsterRun:
        found = self.instance.get_run_by_id(run_id)
        assert found
        return found

    def became(self, run: dg.DagsterRun) -> str | None:
        return self.again(run.run_id).tags.get(alerts.tag_of(SHOP))


@pytest.fixture
def operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Operator]:
    def change(**values: object) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, str(value))
        settings.cache_clear()

    for name in ("HEALTH_ALERTS_ENABLED", "HEALTH_ALERTS_CHANNEL", "HEALTH_CONSOLE_URL"):
        monkeypatch.delenv(name, raising=False)
    yield Operator(tmp_path, change)
    monkeypatch.undo()
    settings.cache_clear()


def texts(sandbox: Sandbox) -> list[str]:
    return [message["text"] for _, message in sandbox.messages(SHOP)]


def ids(sandbox: Sandbox, shop: str = SHOP) -> list[str]:
    """The alerts whose messages stand in a shop's channel, each as often as it does."""
    return [
        message["metadata"]["event_payload"]["alert_id"] for _, message in sandbox.messages(shop)
    ]


def test_a_failed_run_is_told_once_in_its_sentence(operator: Operator) -> None:
    with workspace() as (sandbox, urls):
        operator.connect(urls, HEALTH_CONSOLE_URL="http://console.example:3000/")
        run = operator.run(**DAY)
        assert run.status == dg.DagsterRunStatus.FAILURE
        assert "posted 1700000000.000001" in operator.look()
        ((channel, message),) = sandbox.messages(SHOP)
        assert channel == CHANNEL
        assert message["text"] == (
            "*outlook* failed for 2026-05-01.\n"
            f"• outlook_step: There is no warehouse at {operator.warehouse}. Run `health load` "
            "and `health build`.\n"
            f"<http://console.example:3000/runs/{run.run_id}|Run {run.run_id[:8]}>"
        )
        assert message["metadata"]["event_payload"] == {"alert_id": f"run:{run.run_id}"}
        assert operator.became(run) == "posted 1700000000.000001"
        for _ in range(3):
            assert operator.look() == "Nothing failed."
        # Nor when the sensor forgets how far it came.
        operator.cursor = datetime(2020, 1, 1, tzinfo=UTC).isoformat()
        operator.look()
        assert len(texts(sandbox)) == 1


def test_nothing_leaves_unless_it_is_switched_on(operator: Operator) -> None:
    with workspace() as (sandbox, urls):
        operator.environment(**urls.environment)
        for _ in range(2):
            assert operator.look() == "Off: HEALTH_ALERTS_ENABLED is not 1."
            operator.run()
        assert sandbox.requests() == []
        # What failed meanwhile is not told later.
        operator.environment(HEALTH_ALERTS_ENABLED=1)
        operator.look()
        assert operator.look() == "Nothing failed."
        assert sandbox.requests() == []


def test_what_failed_before_the_first_look_is_old(operator: Operator) -> None:
    with workspace() as (sandbox, urls):
        operator.run()
        operator.connect(urls)
        assert operator.look() == "Nothing failed."
        assert sandbox.requests() == []


def test_a_shop_without_slack_is_told_nothing(operator: Operator) -> None:
    operator.environment(HEALTH_ALERTS_ENABLED=1)
    assert operator.look().startswith("No shop has a Slack")


def test_a_run_that_went_well_is_not_told(operator: Operator) -> None:
    with workspace() as (sandbox, urls):
        operator.connect(urls)
        run = operator.run_of(lambda console: console.print("done"))
        assert run.status == dg.DagsterRunStatus.SUCCESS
        assert operator.look() == "Nothing failed."
        assert sandbox.requests() == []


@pytest.mark.parametrize(
    "fault",
    [Fault.BUSY, Fault.DOWN, Fault.LOST_REQUEST, Fault.LOST_ANSWER, Fault.FAILED_ANSWER],
)
def test_a_fault_on_the_way_makes_no_second_message(operator: Operator, fault: Fault) -> None:
    with workspace(faults=FaultPlan(at={1: fault})) as (sandbox, urls):
        operator.connect(urls)
        run = operator.run()
        assert "posted" in operator.look()
        assert operator.look() == "Nothing failed."
        assert ids(sandbox) == [told(run)]


def test_an_outage_is_sat_out_and_each_failure_told_once_after_it(operator: Operator) -> None:
    # The first message is posted, and its answer and all that follows is lost.
    faults = FaultPlan(at={1: Fault.LOST_ANSWER} | dict.fromkeys(range(2, 99), Fault.DOWN))
    with workspace(faults=faults) as (sandbox, urls):
        operator.connect(urls)
        first = operator.run()
        for _ in range(3):
            before = len(sandbox.requests())
            said = operator.look()
            assert said == (
                "Slack (shop aurelia) answered 503. The alert is tried again at the next look."
            )
            assert len(sandbox.requests()) - before <= 2 * HASTY.attempts
        second = operator.run()
        operator.look()
        assert operator.became(first) == alerts.ASKED
        sandbox.faults = FaultPlan()
        operator.look()
        assert ids(sandbox) == [told(first), told(second)]
        assert operator.look() == "Nothing failed."


def test_an_outage_that_does_not_end_is_given_up(operator: Operator) -> None:
    with workspace(faults=FaultPlan(at=dict.fromkeys(range(1, 99), Fault.DOWN))) as (sandbox, urls):
        operator.connect(urls)
        run = operator.run()
        assert "answered 503" in operator.look()
        operator.late = alerts.TOLD_WITHIN + timedelta(minutes=1)
        assert operator.look() == f"Run {run.run_id[:8]} ({SHOP}): not told within 6 hours."
        sandbox.faults = FaultPlan()
        assert operator.look() == "Nothing failed."
        assert operator.became(run) == "not told within 6 hours"
        assert sandbox.messages(SHOP) == []


def test_a_console_killed_after_the_message_left_posts_no_second_one(operator: Operator) -> None:
    with workspace() as (sandbox, urls):
        operator.connect(urls)
        run = operator.run()
        operator.look()
        # What stands in the record while the message is on its way.
        operator.instance.add_run_tags(run.run_id, {alerts.tag_of(SHOP): alerts.ASKED})
        assert "posted 1700000000.000001" in operator.look()
        assert ids(sandbox) == [told(run)]


def test_a_run_executed_again_is_told_by_itself(operator: Operator) -> None:
    with workspace() as (sandbox, urls):
        operator.connect(urls)
        first = operator.run()
        operator.look()
        # Dagster gives a run that is executed again the tags of the one before it.
        again = operator.run(**operator.again(first.run_id).tags)
        still = operator.instance.create_run_for_job(
            defs.resolve_job_def("outlook"), tags={alerts.tag_of(SHOP): alerts.WAITING}
        )
        operator.look()
        assert ids(sandbox) == [told(first), told(again)]
        assert operator.became(still) == alerts.WAITING


def test_who_may_not_look_at_the_channel_does_not_repeat_and_says_so(operator: Operator) -> None:
    scopes = {"slack": frozenset({"chat:write", "channels:read"})}
    with workspace(faults=FaultPlan(at={1: Fault.LOST_ANSWER}), scopes=scopes) as (sandbox, urls):
        operator.connect(urls)
        run = operator.run()
        assert "lacks the scope channels:history" in operator.look()
        assert str(operator.became(run)).startswith("perhaps posted")
        operator.look()
        assert ids(sandbox) == [told(run)]


def test_the_kill_switch_holds_alerts_too(operator: Operator) -> None:
    with workspace() as (sandbox, urls):
        operator.connect(urls)
        switches.turn(operator.warehouse, "slack", SHOP, is_on=False, why="it rang all night")
        run = operator.run()
        assert "it rang all night" in operator.look()
        assert sandbox.requests() == []
        switches.turn(operator.warehouse, "slack", SHOP, is_on=True, why="quiet again")
        operator.look()
        assert ids(sandbox) == [told(run)]


def test_a_message_bears_no_address_no_number_and_no_secret(operator: Operator) -> None:
    def work(_: Any) -> None:
        raise HealthError(
            "ada@example.com called +1 (201) 555-0001 and 030 1234 5678 at 2026-05-01 04:30:05, "
            "key pk_hush, postgresql://me:geheim@db/x, <!channel> & 26 of 87, "
            f"process 4194304, {'word ' * 200}"
        )

    with workspace() as (sandbox, urls):
        operator.connect(urls, KLAVIYO_API_KEY="pk_hush")
        operator.run_of(work)
        operator.look()
        (message,) = texts(sandbox)
    assert message.split("\n")[1].startswith(
        "• some_work_step: (address) called (number) and (number) at 2026-05-01 04:30:05, "
        "key (secret), (address) &lt;!channel&gt; &amp; 26 of 87, process 4194304, word word"
    )
    assert len(message) < 700


def test_what_nobody_foresaw_is_told_in_one_line(operator: Operator) -> None:
    def work(_: Any) -> None:
        raise ValueError("no such thing\nin many\nlines")

    with workspace() as (sandbox, urls):
        operator.connect(urls)
        run = operator.run_of(work)
        operator.look()
        assert texts(sandbox) == [
            "*some_work* failed.\n• some_work_step: ValueError: no such thing\n"
            f"Run {run.run_id[:8]}"
        ]


def test_a_run_that_died_is_told_with_its_days_and_zone(operator: Operator) -> None:
    with workspace() as (sandbox, urls):
        operator.connect(urls)
        run = operator.instance.create_run_for_job(
            defs.resolve_job_def("outlook"), tags={**RANGE, "health/zone": "Asia/Tokyo"}
        )
        operator.instance.report_run_failed(run, "The console ended while it was under way.")
        operator.look()
        (message,) = texts(sandbox)
        assert message.split("\n")[:2] == [
            "*outlook* failed for 2026-05-01 to 2026-05-30 (Asia/Tokyo).",
            "• the run: The console ended while it was under way.",
        ]


def test_a_check_of_severity_error_is_told_though_its_run_went_well(
    operator: Operator, tmp_path: Path
) -> None:
    folder = tmp_path / "drop" / "shopify" / "orders"
    folder.mkdir(parents=True)
    (folder / "a.parquet").write_text("no table at all")
    with workspace() as (sandbox, urls):
        operator.connect(urls, HEALTH_LANDING=tmp_path / "drop")
        # The workspace is the only vendor there is: nobody is asked for anything.
        landing = make_landing_assets(read_manifest(ensure_manifest())["sources"])
        result = dg.materialize([landing], instance=operator.instance)
        assert result.success
        operator.look()
        (message,) = texts(sandbox)
        head, problem, _ = message.split("\n")
        assert head.endswith("ended, but checks of severity error did not pass.")
        assert problem.startswith("• raw_shopify/orders files_can_be_read: ")
        assert "a.parquet" in problem
        assert operator.look() == "Nothing failed."
        assert len(texts(sandbox)) == 1


def test_each_shops_channel_is_told_what_is_its_own(operator: Operator) -> None:
    with workspace(shops=[SHOP, "hoshi"]) as (sandbox, urls):
        operator.connect(urls)
        everybody = operator.run()
        only_hoshi = operator.instance.create_run_for_job(
            defs.resolve_job_def("replay"),
            tags=DAY,
            run_config={"ops": {"scored": {"config": {"shop": "hoshi"}}}},
        )
        operator.instance.report_run_failed(only_hoshi)
        operator.look()
        assert ids(sandbox) == [told(everybody)]
        assert ids(sandbox, "hoshi") == [told(everybody), told(only_hoshi)]


def test_an_operators_channel_of_one_workspace_is_told_once(operator: Operator) -> None:
    with workspace() as (sandbox, urls):
        one = {
            "SLACK_BOT_TOKEN": urls.environment[f"SLACK_BOT_TOKEN__{SHOP.upper()}"],
            "HEALTH_SLACK_URL": f"{urls.base}/slack/{SHOP}",
            "HEALTH_SHOPS": f"{SHOP},hoshi",
            "HEALTH_ALERTS_CHANNEL": "general",
        }
        operator.environment(**{f"SLACK_BOT_TOKEN__{SHOP.upper()}": ""})
        operator.connect(Urls(urls.base, one))
        run = operator.run()
        operator.look()
        ((channel, _),) = sandbox.messages(SHOP)
        assert channel == "C00000001"
        assert ids(sandbox) == [told(run)]


def test_a_wrong_token_is_told_in_the_log_and_mended(operator: Operator) -> None:
    with workspace() as (sandbox, urls):
        variable = f"SLACK_BOT_TOKEN__{SHOP.upper()}"
        operator.connect(Urls(urls.base, {**urls.environment, variable: "wrong"}))
        run = operator.run()
        assert "refused the token (invalid_auth)" in operator.look()
        operator.environment(**urls.environment)
        operator.look()
        assert ids(sandbox) == [told(run)]


@pytest.mark.parametrize(
    "words",
    ["2026-10-31", "2026-05-01 to 2026-05-30", "0.31", "2,016 customers", "1234567", "26 of 87"],
)
def test_days_and_counts_stay(words: str) -> None:
    assert incidents.fit_to_leave(f"So it is: {words}.") == f"So it is: {words}."


@pytest.mark.parametrize(
    "number", ["+4930123456", "+1 201-555-0001", "(201) 555 00 01 2", "5000161200600"]
)
def test_what_may_be_a_phone_number_does_not(number: str) -> None:
    assert incidents.fit_to_leave(f"Call {number} now") == "Call (number) now"


def test_an_address_at_the_border_of_the_message_is_hidden_whole() -> None:
    words = incidents.fit_to_leave("x" * 590 + " ada.lovelace@example.com")
    assert words.startswith("x" * 590)
    assert "ada" not in words


def test_the_address_of_the_console_is_one() -> None:
    with pytest.raises(HealthError, match=r"HEALTH_CONSOLE_URL wants .*not 'here'"):
        Settings(console_url="here")


def test_nothing_is_switched_on_by_itself() -> None:
    assert defs.resolve_sensor_def(alerts.NAME).default_status == dg.DefaultSensorStatus.STOPPED
    assert not Settings.model_fields["alerts_enabled"].default
