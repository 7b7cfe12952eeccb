"""Dagster: what it shows, what it runs, and what it holds back."""

# No `from __future__ import annotations`: Dagster reads the types of steps as they stand.
import base64
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from conftest import ROOT
from push_warehouse import confirmed, known, people, query, scores, write_desired

from orchestration.activate import assets as activate
from orchestration.activate import switches
from orchestration.activate.destinations import VENDORS
from orchestration.activate.plan import PlanCount
from orchestration.activate.push import Outcome, PushReport
from orchestration.errors import HealthError
from orchestration.extract import assets as extract
from orchestration.extract.contract import tables
from orchestration.extract.files import TableResult
from orchestration.operate import console, days, schedules
from orchestration.operate.verdicts import unpassed
from orchestration.sandbox.server import Sandbox, running
from orchestration.settings import settings
from orchestration.transform import assets as transform
from orchestration.transform import manifest as manifests
from orchestration.transform import parse
from orchestration.transform.assets import BuildFacts, build_arguments
from orchestration.transform.build import target_path

STORY = [
    "landing", "staging", "intermediate", "features", "history", "marts", "activation", "push",
]  # fmt: skip
BUILD = ["build", "--exclude-resource-type", "unit_test"]
NEW_YORK, TOKYO = "America/New_York", "Asia/Tokyo"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """`environment(DUCKDB_PATH=path)`: settings anew from these variables."""

    def change(**values: object) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, str(value))
        settings.cache_clear()

    yield change
    monkeypatch.undo()
    settings.cache_clear()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance as `health ui` configures it."""
    with dg.DagsterInstance.from_config(str(console.make_home(tmp_path / "home"))) as made:
        yield made


def materializations(result: dg.ExecuteInProcessResult) -> list[Any]:
    return list(result.get_asset_materialization_events())


# --- a context's facts become dbt's arguments ------------------------------------------------


def test_models_without_days_are_built_without_a_window() -> None:
    assert build_arguments(BuildFacts()) == BUILD


@pytest.mark.parametrize(
    ("first", "last", "end"),
    [
        ("2026-05-01", "2026-05-01", "2026-05-02"),
        ("2026-05-01", "2026-05-30", "2026-05-31"),
        ("2026-12-31", "2026-12-31", "2027-01-01"),
        ("2028-02-28", "2028-02-28", "2028-02-29"),
        # Clocks change in New York: a day of 23 hours and one of 25.
        ("2026-03-08", "2026-03-08", "2026-03-09"),
        ("2026-11-01", "2026-11-01", "2026-11-02"),
    ],
)
def test_days_become_a_window_whose_end_is_exclusive(first: str, last: str, end: str) -> None:
    window = (date.fromisoformat(first), date.fromisoformat(last))
    assert build_arguments(BuildFacts(days=window)) == [
        *BUILD, "--event-time-start", first, "--event-time-end", end,
    ]  # fmt: skip


def test_a_part_is_built_with_all_that_stands_between_the_days_and_it() -> None:
    day = date(2026, 5, 1)
    arguments = build_arguments(BuildFacts(days=(day, day), models=["plan", "desired_state"]))
    assert arguments[-2:] == [
        "--select",
        "int_as_of_days+,+desired_state int_as_of_days+,+plan",
    ]


def test_the_last_in_line_comes_after_the_others() -> None:
    parents = {"b": ["a"], "c": ["b"], "d": ["a"], "a": []}
    assert transform.last_in_line(["a", "b"], parents) == "b"
    assert transform.last_in_line(["d", "c"], parents) == "c"
    assert transform.last_in_line(["d", "b"], parents) == "b"


def test_environment_variables_last_as_long_as_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALTH_BUILD_SHOP", "aurelia")
    monkeypatch.delenv("HEALTH_BUILD_ZONE", raising=False)
    with transform.variables(HEALTH_BUILD_SHOP=None, HEALTH_BUILD_ZONE=TOKYO):
        assert "HEALTH_BUILD_SHOP" not in os.environ
        assert os.environ["HEALTH_BUILD_ZONE"] == TOKYO
    assert os.environ["HEALTH_BUILD_SHOP"] == "aurelia"
    assert "HEALTH_BUILD_ZONE" not in os.environ


# --- shop days -------------------------------------------------------------------------------


def test_the_leading_zone_is_the_one_whose_day_ends_first() -> None:
    assert days.leading_zone([NEW_YORK, TOKYO]) == TOKYO
    assert days.leading_zone([NEW_YORK]) == NEW_YORK
    assert days.leading_zone(["Asia/Seoul", TOKYO]) == "Asia/Seoul"
    assert days.leading_zone([TOKYO, "Australia/Sydney"]) == "Australia/Sydney"


@pytest.mark.parametrize(
    ("zone", "now", "day"),
    [
        (NEW_YORK, "2026-05-02T08:30:00+00:00", date(2026, 5, 1)),
        (NEW_YORK, "2026-05-02T03:59:00+00:00", date(2026, 4, 30)),
        (TOKYO, "2026-05-01T19:30:00+00:00", date(2026, 5, 1)),
        (NEW_YORK, "2026-11-01T05:30:00+00:00", date(2026, 10, 31)),
    ],
)
def test_yesterday_is_the_zones_own(zone: str, now: str, day: date) -> None:
    assert days.yesterday(zone, datetime.fromisoformat(now)) == day


def test_two_zones_may_have_two_latest_days() -> None:
    now = datetime.fromisoformat("2026-05-01T19:30:00+00:00")
    assert days.latest_days([NEW_YORK, TOKYO], now) == {date(2026, 4, 30), date(2026, 5, 1)}


def test_partitions_end_with_the_last_day_that_is_over_somewhere() -> None:
    partitions = days.daily_partitions(date(2026, 4, 28), [NEW_YORK, TOKYO])
    before, after = (
        partitions.get_partition_keys(current_time=datetime.fromisoformat(now))
        for now in ("2026-05-01T14:59:00+00:00", "2026-05-01T15:01:00+00:00")
    )
    assert before == ["2026-04-28", "2026-04-29", "2026-04-30"]
    assert after == [*before, "2026-05-01"]


# --- what holds a push back ------------------------------------------------------------------

LATEST = {date(2026, 5, 1)}


@pytest.mark.parametrize(
    ("tags", "enabled", "said"),
    [
        ({}, True, None),
        ({"dagster/partition": "2026-05-01"}, True, None),
        ({}, False, "off"),
        ({"dagster/partition": "2026-05-01"}, False, "off"),
        ({"dagster/partition": "2026-04-30"}, True, "2026-04-30 is not the latest day"),
        ({"dagster/backfill": "x"}, True, "a backfill sends nothing"),
        ({"dagster/backfill": "x", "dagster/partition": "2026-05-01"}, True, "a backfill"),
        (
            {
                "dagster/asset_partition_range_start": "2026-04-01",
                "dagster/asset_partition_range_end": "2026-04-30",
            },
            True,
            "2026-04-30 is not the latest day",
        ),
    ],
)
def test_what_may_send(tags: dict[str, str], enabled: bool, said: str | None) -> None:
    reason = activate.hold_reason(tags, LATEST, enabled=enabled)
    assert reason is None if said is None else said in str(reason)


def test_counts_are_sums_over_the_plan_and_what_was_done() -> None:
    report = PushReport(
        applied=True,
        counts=[
            PlanCount("klaviyo", "aurelia", "send", "new", 3),
            PlanCount("klaviyo", "aurelia", "send", "changed", 1),
            PlanCount("klaviyo", "aurelia", "clear", "no longer scored", 5),
            PlanCount("klaviyo", "hoshi", "hold", "not connected", 2),
        ],
        examples=[],
        outcomes=[
            Outcome("klaviyo", "aurelia", confirmed=2, refused=1, calls=4),
            Outcome("klaviyo", "hoshi", confirmed=1, calls=1),
        ],
    )
    assert activate.counts(report) == {
        "to send": 4, "to clear": 5, "held": 2, "confirmed": 3, "refused": 1, "calls": 5,
    }  # fmt: skip


@dg.multi_asset_check(
    specs=[
        dg.AssetCheckSpec("keys_are_unique", asset=activate.PLAN, blocking=True),
        dg.AssetCheckSpec("nothing_is_null", asset=activate.PLAN, blocking=True),
    ]
)
def plan_checks(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
    passed = context.run.tags["passed"].split(",")
    for key in sorted(context.selected_asset_check_keys):
        yield dg.AssetCheckResult(check_name=key.name, passed=key.name in passed)


GUARDS = sorted(spec.key for spec in plan_checks.check_specs)


def checked(instance: dg.DagsterInstance, *passed: str) -> None:
    """Record a run of the plan's checks."""
    dg.materialize(
        [dg.AssetSpec(activate.PLAN), plan_checks],
        instance=instance,
        tags={"passed": ",".join(passed)},
        raise_on_error=False,
        selection=dg.AssetSelection.checks(plan_checks),
    )


def pushed(
    instance: dg.DagsterInstance,
    *,
    tags: dict[str, str] | None = None,
    run_config: dict[str, Any] | None = None,
) -> dict[str, dict[str, Any]]:
    """Run the push assets; what each said of itself."""
    result = dg.materialize(
        [dg.AssetSpec(activate.PLAN), *activate.make_push_assets(GUARDS)],
        instance=instance,
        tags=tags,
        run_config=run_config,
    )
    return {
        event.asset_key.path[-1]: {
            name: value.value for name, value in event.materialization.metadata.items()
        }
        for event in materializations(result)
    }


def test_guards_are_checks_that_passed_when_they_last_ran(instance: dg.DagsterInstance) -> None:
    both = ["activation/plan:keys_are_unique", "activation/plan:nothing_is_null"]
    assert unpassed(instance, GUARDS) == both
    checked(instance, "keys_are_unique", "nothing_is_null")
    assert unpassed(instance, GUARDS) == []
    checked(instance, "keys_are_unique")
    assert unpassed(instance, GUARDS) == both[1:]


def planned(instance: dg.DagsterInstance) -> dg.DagsterRun:
    """A run of the plan's checks that waits in the queue."""
    job = dg.define_asset_job("checks", dg.AssetSelection.checks(plan_checks))
    known = dg.Definitions([dg.AssetSpec(activate.PLAN)], asset_checks=[plan_checks], jobs=[job])
    return instance.create_run_for_job(known.resolve_job_def("checks"))


def test_a_run_that_waits_for_its_turn_unmakes_no_check_and_one_that_died_does(
    instance: dg.DagsterInstance,
) -> None:
    checked(instance, "keys_are_unique", "nothing_is_null")
    run = planned(instance)
    record = instance.get_latest_asset_check_evaluation_record(GUARDS[0])
    assert record
    assert record.run_id == run.run_id
    assert unpassed(instance, GUARDS) == []
    # Called off before it began, it changed nothing.
    instance.report_run_canceled(planned(instance))
    assert unpassed(instance, GUARDS) == []
    # Begun, it may have changed anything once it is over.
    instance.report_dagster_event(
        dg.DagsterEvent(event_type_value="PIPELINE_START", job_name=run.job_name), run.run_id
    )
    assert unpassed(instance, GUARDS) == []
    instance.report_run_failed(run)
    assert len(unpassed(instance, GUARDS)) == 2


def test_checks_that_only_wait_for_their_first_run_hold_back_what_must_pass_and_nothing_else(
    instance: dg.DagsterInstance,
) -> None:
    planned(instance)
    assert len(unpassed(instance, GUARDS)) == 2
    assert unpassed(instance, [], may=GUARDS) == []
    checked(instance, "keys_are_unique")
    planned(instance)
    assert unpassed(instance, [], may=GUARDS) == ["activation/plan:nothing_is_null"]


def test_a_push_plans_until_it_is_switched_on_and_then_waits_for_its_checks(
    tmp_path: Path, instance: dg.DagsterInstance, environment: Callable[..., None]
) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    desired = people("klaviyo", "aurelia", range(4)) | people("shopify", "aurelia", range(3))
    write_desired(warehouse, desired)
    sandbox = Sandbox.of(customers=known(desired, "shopify"), profiles=known(desired, "klaviyo"))
    with running(sandbox) as urls:
        environment(DUCKDB_PATH=warehouse, **urls.environment)
        off = pushed(instance)
        assert {name: said["state"][:3] for name, said in off.items()} == dict.fromkeys(
            VENDORS, "off"
        )
        assert (off["klaviyo"]["to send"], off["shopify"]["to send"]) == (4, 3)
        assert sandbox.records() == {}

        environment(HEALTH_PUSH_ENABLED=1)
        with pytest.raises(dg.Failure, match="2 blocking checks have not passed"):
            pushed(instance)
        assert sandbox.records() == {}

        checked(instance, "keys_are_unique", "nothing_is_null")
        assert (
            "not the latest"
            in pushed(instance, tags={"dagster/partition": "2020-01-01"})["klaviyo"]["state"]
        )
        assert sandbox.records() == {}

        on = pushed(instance)
        assert [on[name]["state"] for name in ("klaviyo", "shopify")] == ["on", "on"]
        assert (on["klaviyo"]["confirmed"], on["shopify"]["confirmed"]) == (4, 3)
        assert confirmed(warehouse) == desired
        again = pushed(instance)
        assert [again[name]["calls"] for name in ("klaviyo", "shopify")] == [0, 0]
    sandbox.close()


def test_a_push_tells_its_plans_id_the_vendors_words_and_the_kill_switch(
    tmp_path: Path, instance: dg.DagsterInstance, environment: Callable[..., None]
) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    desired = people("shopify", "aurelia", range(3))
    write_desired(warehouse, desired)
    sandbox = Sandbox.of(customers=known(list(desired)[:2], "shopify"), profiles={})
    checked(instance, "keys_are_unique", "nothing_is_null")
    with running(sandbox) as urls:
        environment(DUCKDB_PATH=warehouse, HEALTH_PUSH_ENABLED=1, **urls.environment)
        said = pushed(instance)["shopify"]
        (kept,) = (tmp_path / "plans").glob("*.parquet")
        assert said["plan id"] == kept.stem
        assert (said["confirmed"], said["refused"]) == (2, 1)
        table = said["refused, in the vendor's words"].splitlines()
        assert len(table) == 3
        assert "| aurelia |" in table[2]
        assert "Owner does not exist." in table[2]
        assert said["kill switch"] == "on"

        switches.turn(warehouse, "shopify", None, is_on=False, why="the theme breaks")
        desired |= people("shopify", "aurelia", [0]) | {list(desired)[1]: scores(50)}
        write_desired(warehouse, desired)
        before = len(sandbox.requests())
        said = pushed(instance)["shopify"]
        assert "the theme breaks" in said["kill switch"]
        assert (said["to send"], said["held"], said["plan id"]) == (0, 2, "nothing to send")
        assert len(sandbox.requests()) == before
    sandbox.close()


def test_a_push_that_a_guard_holds_fails_until_the_guard_is_allowed(
    tmp_path: Path, instance: dg.DagsterInstance, environment: Callable[..., None]
) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    desired = people("shopify", "aurelia", range(2))
    write_desired(warehouse, desired)
    sandbox = Sandbox.of(customers=known(desired, "shopify"), profiles={})
    checked(instance, "keys_are_unique", "nothing_is_null")
    with running(sandbox) as urls:
        environment(DUCKDB_PATH=warehouse, HEALTH_PUSH_ENABLED=1, **urls.environment)
        pushed(instance)
        write_desired(warehouse, {key: {"health_score": 1} for key in desired})
        with pytest.raises(dg.Failure, match=r"4 of 5 confirmed fields are gone.*--allow drift"):
            pushed(instance)
        config = {"ops": {"push__shopify": {"config": {"allow": ["drift"]}}}}
        assert pushed(instance, run_config=config)["shopify"]["confirmed"] == 2
    sandbox.close()


@pytest.mark.parametrize(
    ("enabled", "turned", "passes"), [(0, None, False), (1, None, True), (1, "all", False)]
)
def test_a_check_warns_while_pushes_are_off(
    tmp_path: Path,
    instance: dg.DagsterInstance,
    environment: Callable[..., None],
    enabled: int,
    turned: str | None,
    passes: bool,
) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    environment(DUCKDB_PATH=warehouse, HEALTH_PUSH_ENABLED=enabled)
    if turned:
        switches.turn(warehouse, turned, None, is_on=False, why="stock-taking")
    result = dg.materialize(
        [dg.AssetSpec(activate.LEDGER), activate.make_switch_check()],
        instance=instance,
        selection=dg.AssetSelection.checks(activate.make_switch_check()),
    )
    (said,) = result.get_asset_check_evaluations()
    assert said.passed == passes
    assert said.severity == dg.AssetCheckSeverity.WARN
    assert ("stock-taking" in str(said.metadata["kill switch"].value)) == bool(turned)


def test_a_push_without_a_plan_fails_in_a_sentence(
    tmp_path: Path, instance: dg.DagsterInstance, environment: Callable[..., None]
) -> None:
    environment(DUCKDB_PATH=tmp_path / "none.duckdb")
    with pytest.raises(dg.Failure, match="There is no warehouse"):
        pushed(instance)


# --- landing ---------------------------------------------------------------------------------

ORDERS = dg.AssetKey(["raw_shopify", "orders"])


def test_a_table_without_files_passes_and_a_refused_row_warns() -> None:
    assert extract.readable(ORDERS, None).passed
    fine = TableResult("shopify", "orders", files=1, rows_read=2, rows_new=2)
    assert extract.readable(ORDERS, fine).passed
    refused = TableResult(
        "shopify", "orders", files=1, rows_read=2, rows_rejected=1, example="a.csv line 3: no key"
    )
    warned = extract.readable(ORDERS, refused)
    assert not warned.passed
    assert warned.severity == dg.AssetCheckSeverity.WARN
    assert "a.csv line 3: no key" in str(warned.description)


def test_a_file_that_is_no_table_is_an_error() -> None:
    broken = TableResult("shopify", "orders", files=1, error="shopify/orders/a.csv is a PNG.")
    said = extract.readable(ORDERS, broken)
    assert not said.passed
    assert said.severity == dg.AssetCheckSeverity.ERROR
    assert said.description == "shopify/orders/a.csv is a PNG."


def test_files_in_an_unknown_folder_are_told() -> None:
    stray = TableResult("shopfy", "orders", files=1, error="There is no source shopfy.")
    told = extract.strays([stray])
    assert not told.passed
    assert told.description == "There is no source shopfy."
    assert extract.strays([TableResult("shopify", "orders", files=1, error="a PNG")]).passed


def test_a_shop_in_a_zone_without_a_schedule_is_told() -> None:
    assert extract.unscheduled([NEW_YORK], [NEW_YORK, TOKYO]).passed
    told = extract.unscheduled(["Europe/Berlin", NEW_YORK], [NEW_YORK])
    assert not told.passed
    assert told.description == "Add to HEALTH_SHOP_ZONES: Europe/Berlin."


def write_drop(folder: Path) -> Path:
    """A drop with a shop in Berlin, an order that lacks its key and a folder nobody knows."""
    rows = {
        "shopify/shops": [{"shop_id": "aurelia", "iana_timezone": "Europe/Berlin"}],
        "shopify/orders": [{"shop_id": "aurelia", "order_id": "1"}, {"shop_id": "aurelia"}],
        "shopfy/orders": [{"shop_id": "aurelia", "order_id": "2"}],
    }
    for name, lines in rows.items():
        (folder / name).mkdir(parents=True)
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / name / "a.jsonl").write_text(text)
    return folder


def landed(instance: dg.DagsterInstance, sources: dict[str, Any]) -> dg.ExecuteInProcessResult:
    return dg.materialize([extract.make_landing_assets(sources)], instance=instance)


def test_a_drop_lands_and_what_was_wrong_with_it_shows(
    tmp_path: Path,
    instance: dg.DagsterInstance,
    environment: Callable[..., None],
    manifest: dict[str, Any],
) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    environment(DUCKDB_PATH=warehouse, HEALTH_LANDING=write_drop(tmp_path / "drop"))
    result = landed(instance, manifest["sources"])
    assert result.success
    assert query(warehouse, "select order_id from raw_shopify.orders") == [("1",)]
    said = {m.asset_key: m.materialization.metadata for m in materializations(result)}
    assert len(said) == len(tables())
    assert said[ORDERS]["rows new"].value == 1
    assert said[ORDERS]["rows rejected"].value == 1
    failed = {
        (e.asset_key.path[-1], e.check_name)
        for e in result.get_asset_check_evaluations()
        if not e.passed
    }
    assert failed == {
        ("orders", extract.READABLE),
        ("shops", extract.KNOWN_FOLDERS),
        ("shops", extract.SCHEDULED),
    }


def test_without_a_drop_nothing_lands_and_nothing_fails(
    tmp_path: Path,
    instance: dg.DagsterInstance,
    environment: Callable[..., None],
    manifest: dict[str, Any],
) -> None:
    environment(DUCKDB_PATH=tmp_path / "warehouse.duckdb", HEALTH_LANDING=tmp_path / "none")
    result = landed(instance, manifest["sources"])
    assert result.success
    assert all(e.passed for e in result.get_asset_check_evaluations())


def test_a_warehouse_that_is_held_is_told_in_a_sentence(
    tmp_path: Path,
    instance: dg.DagsterInstance,
    environment: Callable[..., None],
    manifest: dict[str, Any],
) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    environment(DUCKDB_PATH=warehouse, HEALTH_LANDING=tmp_path / "none")
    hold = (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(warehouse)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout
        holder.stdout.readline()
        with pytest.raises(dg.Failure, match=f"is held by process {holder.pid}"):
            landed(instance, manifest["sources"])
        assert holder.stdin
        holder.stdin.close()


# --- the manifest ----------------------------------------------------------------------------


def project(folder: Path) -> Path:
    """The least that dbt reads as a project."""
    for name in parse.PROJECT_FOLDERS:
        (folder / name).mkdir(parents=True)
    (folder / "dbt_project.yml").write_text("name: small\nprofile: small\n")
    (folder / "profiles.yml").write_text(
        "small: {target: dev, outputs: {dev: {type: duckdb, path: ':memory:'}}}\n"
    )
    (folder / "models" / "one.sql").write_text("select 1 as one")
    return folder


def models_in(path: Path) -> list[str]:
    return sorted(n["name"] for n in json.loads(path.read_text())["nodes"].values())


def test_a_fingerprint_sees_what_changed_and_nothing_else(tmp_path: Path) -> None:
    root = project(tmp_path / "project")
    before = parse.fingerprint(root)
    (root / "tests" / "helper.py").write_text("1")
    assert parse.fingerprint(root) == before
    two = root / "models" / "two.sql"
    two.write_text("select 2 as two")
    with_two = parse.fingerprint(root)
    two.write_text("select 3 as two")
    os.utime(two, (1, 1))
    older = parse.fingerprint(root)
    two.unlink()
    assert len({before, with_two, older}) == 3
    assert parse.fingerprint(root) == before


def test_the_manifest_is_parsed_when_and_only_when_the_project_changed(tmp_path: Path) -> None:
    root, target = project(tmp_path / "project"), tmp_path / "target"
    path = manifests.ensure_manifest(root, target)
    assert models_in(path) == ["one"]
    parsed = path.stat().st_mtime_ns
    assert manifests.ensure_manifest(root, target).stat().st_mtime_ns == parsed
    (root / "models" / "two.sql").write_text("select 2 as two")
    assert models_in(manifests.ensure_manifest(root, target)) == ["one", "two"]
    (root / "models" / "two.sql").write_text("select {{ broken")
    with pytest.raises(HealthError, match=r"dbt cannot read the project[\s\S]*two\.sql"):
        manifests.ensure_manifest(root, target)
    # Nor is the old one taken for good the next time.
    with pytest.raises(HealthError):
        manifests.ensure_manifest(root, target)


def test_a_run_has_its_folder_and_old_ones_go(tmp_path: Path) -> None:
    (tmp_path / parse.PARTIAL_PARSE).write_text("parsed")
    for number in range(manifests.KEPT_RUNS + 3):
        made = manifests.new_run_folder(tmp_path, f"run-{number}")
        os.utime(made, (number, number))
    kept = {p.name for p in (tmp_path / "runs").iterdir()}
    assert kept == {f"run-{n}" for n in range(3, manifests.KEPT_RUNS + 3)}
    assert (made / parse.PARTIAL_PARSE).read_text() == "parsed"


# --- the console -----------------------------------------------------------------------------


def test_the_console_starts_dagster_dev_on_this_project() -> None:
    line = console.command(None, "127.0.0.1")
    assert line[1:4] == ["-m", "dagster", "dev"]
    assert "--port" not in line
    assert console.command(4100, "127.0.0.1")[-2:] == ["--port", "4100"]


def test_the_console_speaks_to_nobody(tmp_path: Path) -> None:
    made = console.environment(tmp_path, {"PATH": "/bin", "DAGSTER_DISABLE_TELEMETRY": "0"})
    assert made == {
        "PATH": "/bin",
        "DAGSTER_EVENT_BATCH_SIZE": "200",
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "DO_NOT_TRACK": "1",
        "DAGSTER_HOME": str(tmp_path),
    }


def test_an_instance_has_one_slot_and_no_telemetry(instance: dg.DagsterInstance) -> None:
    pools = instance.get_concurrency_config().pool_config
    assert pools.default_pool_limit == 1
    assert pools.pool_granularity == dg._core.instance.config.PoolGranularity.OP
    assert not instance.telemetry_enabled
    assert not instance.nux_enabled
    assert instance.run_monitoring_enabled


def test_a_plain_dagster_dev_in_the_repository_finds_the_same_settings() -> None:
    """Without DAGSTER_HOME Dagster reads dagster.yaml where it stands; nothing else is there."""
    assert console.TEMPLATE == ROOT / "dagster.yaml"


def test_two_consoles_do_not_share_a_home(tmp_path: Path) -> None:
    held = console.take_home(tmp_path)
    with pytest.raises(HealthError, match="already runs"):
        console.take_home(tmp_path)
    os.close(held)
    os.close(console.take_home(tmp_path))


@dg.op(pool=transform.POOL)
def waiting() -> None: ...


@dg.job
def waits() -> None:
    waiting()


def test_runs_that_died_with_their_console_give_their_slot_back(tmp_path: Path) -> None:
    home = console.make_home(tmp_path / "home")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "live"))
        server.listen()
        addresses = {"live": tmp_path / "live", "dead": tmp_path / "dead"}
        with dg.DagsterInstance.from_config(str(home)) as instance:
            runs = {
                name: instance.create_run_for_job(
                    waits,
                    status=dg.DagsterRunStatus.STARTED,
                    tags={".dagster/grpc_info": json.dumps({"socket": str(path)})},
                ).run_id
                for name, path in addresses.items()
            }
            later = instance.create_run_for_job(waits).run_id
            storage = instance.event_log_storage
            storage.initialize_concurrency_limit_to_default(transform.POOL)
            assert storage.claim_concurrency_slot(
                transform.POOL, runs["dead"], "waiting"
            ).is_claimed
        assert console.end_left_over_runs(home) == [runs["dead"]]
        with dg.DagsterInstance.from_config(str(home)) as instance:
            statuses = {
                run_id: record.status
                for run_id in (*runs.values(), later)
                if (record := instance.get_run_by_id(run_id))
            }
            assert statuses == {
                runs["dead"]: dg.DagsterRunStatus.FAILURE,
                runs["live"]: dg.DagsterRunStatus.STARTED,
                later: dg.DagsterRunStatus.NOT_STARTED,
            }
            assert instance.event_log_storage.claim_concurrency_slot(
                transform.POOL, "another", "waiting"
            ).is_claimed


# --- what Dagster sees -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    return transform.read_manifest(manifests.ensure_manifest())


@pytest.fixture(scope="module")
def defs(manifest: dict[str, Any]) -> dg.Definitions:
    from orchestration.definitions import defs as loaded

    return loaded


@pytest.fixture(scope="module")
def graph(defs: dg.Definitions) -> Any:
    return defs.resolve_asset_graph()


def dbt_nodes(manifest: dict[str, Any], *kinds: str) -> list[dict[str, Any]]:
    return [n for n in manifest["nodes"].values() if n["resource_type"] in kinds]


def test_everything_loads(defs: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(defs)


def test_the_days_decide_which_models_have_partitions(graph: Any, manifest: dict[str, Any]) -> None:
    after, waiting_line = set(), ["model.customer_health.int_as_of_days"]
    while waiting_line:
        node = waiting_line.pop()
        if node not in after and not node.startswith(("test.", "unit_test.")):
            after.add(node)
            waiting_line += manifest["child_map"].get(node, [])
    key = transform.Translator().get_asset_key
    for node in dbt_nodes(manifest, "model", "seed"):
        partitions = graph.get(key(node)).partitions_def
        assert (partitions is not None) == (node["unique_id"] in after), node["name"]
    assert len(after) > 20


def test_a_backfill_of_many_days_is_one_run(graph: Any, defs: dg.Definitions) -> None:
    partitioned = [k for k in graph.get_all_asset_keys() if graph.get(k).partitions_def]
    assert {graph.get(k).backfill_policy for k in partitioned} == {dg.BackfillPolicy.single_run()}
    assert {graph.get(k).partitions_def.start.date() for k in partitioned} == {settings().first_day}
    assert defs.resolve_job_def("replay").backfill_policy == dg.BackfillPolicy.single_run()


def test_whatever_opens_the_file_waits_for_its_turn(defs: dg.Definitions) -> None:
    steps = {
        node.name: node.definition.pool
        for node in defs.resolve_job_def("daily_refresh").graph.nodes
    }
    pushes = [f"push__{destination}" for destination in VENDORS]
    assert steps == {
        **dict.fromkeys(
            ["landing", "unpartitioned", "scored", "serving", "report", *pushes], transform.POOL
        ),
        # It reads the switch, which is a file of its own.
        "activation__ledger_push_is_on": None,
    }


def test_the_groups_tell_the_story_from_left_to_right(graph: Any) -> None:
    group = {key: graph.get(key).group_name for key in graph.get_all_asset_keys()}
    arrows = {
        (group[parent], group[key])
        for key in group
        for parent in graph.get(key).parent_keys
        if group[parent] != group[key]
    }
    assert set(group.values()) == {*STORY, "seeds", "publish"}
    place = {name: number for number, name in enumerate(["seeds", *STORY, "publish"])}
    assert [a for a in arrows if place[a[0]] >= place[a[1]]] == []
    assert set(pairwise(STORY)) <= arrows


def test_every_raw_table_lands_and_every_model_reads_what_is_made(
    graph: Any, defs: dg.Definitions
) -> None:
    landing = {k for k in graph.get_all_asset_keys() if graph.get(k).group_name == "landing"}
    assert landing == {extract.asset_key(t) for t in tables().values()}
    made_elsewhere = {k for k in graph.get_all_asset_keys() if not graph.get(k).is_materializable}
    ours = ("ledger", "in_flight", "forgotten", "switches", "outlook")
    assert made_elsewhere == {dg.AssetKey(["activation", name]) for name in ours}
    assert {k for k in landing if not graph.get(k).child_keys} == set()


def test_everything_has_an_owner_and_a_kind(graph: Any) -> None:
    for key in graph.get_all_asset_keys():
        assert list(graph.get(key).owners) == ["team:analytics"], key
        assert graph.get(key).kinds, key


@pytest.mark.parametrize("name", ["landing", "history", "marts", "activation", "publish", "push"])
def test_what_people_look_at_is_described(graph: Any, name: str) -> None:
    blank = [
        key.to_user_string()
        for key in graph.get_all_asset_keys()
        if graph.get(key).group_name == name and not graph.get(key).description
    ]
    assert blank == []


def test_every_data_test_is_a_check_and_every_error_blocks(
    graph: Any, manifest: dict[str, Any]
) -> None:
    checks = {key.name: graph.get_check_spec(key) for key in graph.asset_check_keys}
    for test in dbt_nodes(manifest, "test"):
        severity = test["config"]["severity"].lower()
        assert checks[test["name"]].blocking == (severity == "error"), test["name"]
    ours = {extract.READABLE, extract.KNOWN_FOLDERS, extract.SCHEDULED, activate.IS_ON}
    assert set(checks) - {t["name"] for t in dbt_nodes(manifest, "test")} == ours


def test_every_check_is_told_in_words(graph: Any) -> None:
    told = {key.name: graph.get_check_spec(key).description for key in graph.asset_check_keys}
    assert [name for name, words in told.items() if not words or "depends_on" in words] == []
    assert told["not_null_customer_scores_health_bucket"] == "`health_bucket` is never empty."
    assert told["unique_key_customer_scores_customer_key"] == (
        "No two rows have the same `customer_key`."
    )
    assert told["monetary_equals_orders"].startswith("Money is neither lost nor doubled")


def test_the_jobs(defs: dg.Definitions, graph: Any) -> None:
    chosen = {
        name: set(defs.resolve_job_def(name).asset_layer.executable_asset_keys)
        for name in ("daily_refresh", "replay", "push")
    }
    everything = graph.get_all_asset_keys()
    assert chosen["daily_refresh"] == {k for k in everything if graph.get(k).is_materializable}
    assert chosen["replay"] == {k for k in everything if graph.get(k).partitions_def}
    assert chosen["push"] == {k for k in everything if graph.get(k).group_name == "push"}


@pytest.mark.parametrize(
    ("zone", "tick", "day"),
    [
        (NEW_YORK, "2026-05-02T04:30:00-04:00", "2026-05-01"),
        (NEW_YORK, "2026-03-08T04:30:00-04:00", "2026-03-07"),
        (NEW_YORK, "2025-11-02T04:30:00-05:00", "2025-11-01"),
        (TOKYO, "2026-05-02T04:30:00+09:00", "2026-05-01"),
    ],
)
def test_each_zone_scores_its_own_yesterday(
    defs: dg.Definitions, instance: dg.DagsterInstance, zone: str, tick: str, day: str
) -> None:
    schedule = defs.get_schedule_def(schedules.schedule_name(zone))
    context = dg.build_schedule_context(
        scheduled_execution_time=datetime.fromisoformat(tick).astimezone(UTC),
        repository_def=defs.get_repository_def(),
        instance=instance,
    )
    [request] = schedule.evaluate_tick(context).run_requests or []
    assert request.partition_key == day
    assert request.run_key == f"{zone} {day}"
    assert request.run_config == {"ops": {"scored": {"config": {"zone": zone}}}}
    assert schedule.execution_timezone == zone
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
    job = defs.resolve_job_def(schedule.job_name)
    assert dg.validate_run_config(job, request.run_config)


# --- runs, on a simulated shop ---------------------------------------------------------------

# They share one shop, and one takes up where another ended.
one_worker = pytest.mark.xdist_group("dagster")
FIRST = date(2025, 12, 20)


def day(number: int) -> date:
    """The days that are scored; long past, so that any clock knows them."""
    return FIRST + timedelta(days=number)


class Shop:
    """A warehouse of its own, an instance, and Dagster's definitions for both."""

    def __init__(self, warehouse: Path, defs: dg.Definitions, instance: dg.DagsterInstance) -> None:
        self.warehouse, self.defs, self.instance = warehouse, defs, instance

    def run(self, job: str, **options: Any) -> dg.ExecuteInProcessResult:
        return self.defs.resolve_job_def(job).execute_in_process(
            instance=self.instance, raise_on_error=False, **options
        )

    def scored_days(self) -> dict[tuple[str, date], int]:
        """Rows in the history by shop and day, of the days this module scores."""
        rows = query(
            self.warehouse,
            "select shop_id, as_of_date, count(*) from marts.customer_score_history "
            f"where as_of_date < date '{day(30)}' group by all",
        )
        return {(shop, at): n for shop, at, n in rows}

    @property
    def builds(self) -> int:
        """How many times dbt was called to score."""
        return len(list((manifests.dagster_target(self.warehouse) / "runs").glob("scored-*")))


@pytest.fixture(scope="module")
def shop(warehouse: Path, drop: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The shared shop, copied."""
    folder = tmp_path_factory.mktemp("dagster")
    copy = Path(shutil.copy(warehouse, folder))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DUCKDB_PATH", str(copy))
        patch.setenv("HEALTH_LANDING", str(drop))
        patch.setenv("HEALTH_FIRST_DAY", FIRST.isoformat())
        settings.cache_clear()
        from orchestration.definitions import define

        with dg.DagsterInstance.from_config(str(console.make_home(folder / "home"))) as instance:
            yield Shop(copy, define(), instance)
    settings.cache_clear()
    shutil.rmtree(target_path(copy))


def materialized(result: dg.ExecuteInProcessResult) -> dict[str, list[str | None]]:
    """The partitions that each asset was materialised for."""
    found: dict[str, list[str | None]] = {}
    for event in materializations(result):
        found.setdefault(event.asset_key.to_user_string(), []).append(event.partition)
    return found


def metadata(result: dg.ExecuteInProcessResult, *key: str) -> Any:
    [found] = [
        e.materialization.metadata
        for e in materializations(result)
        if e.asset_key == dg.AssetKey(key)
    ]
    return found


@pytest.fixture(scope="module")
def daily(shop: Shop) -> dg.ExecuteInProcessResult:
    """A daily run of New York's for a day long past."""
    return shop.run(
        "daily_refresh",
        partition_key=day(10).isoformat(),
        run_config={"ops": {"scored": {"config": {"zone": NEW_YORK}}}},
    )


@one_worker
def test_a_day_from_files_to_plan(daily: dg.ExecuteInProcessResult, shop: Shop) -> None:
    assert daily.success
    done = materialized(daily)
    assert done["marts/customer_scores"] == [day(10).isoformat()]
    assert done["marts/orders"] == [None]
    assert done["raw_shopify/orders"] == [None]
    assert set(done) == {
        k.to_user_string() for k in shop.defs.resolve_asset_graph().materializable_asset_keys
    }
    assert shop.scored_days()["aurelia", day(10)] > 100
    assert metadata(daily, "push", "klaviyo")["state"].value.startswith("held: 2025-12-30 is not")


@one_worker
def test_a_run_writes_the_report_and_shows_its_charts(
    daily: dg.ExecuteInProcessResult, shop: Shop
) -> None:
    found = metadata(daily, "serving", "report")
    page = Path(found["file"].value)
    assert page == shop.warehouse.parent / "report.html"
    assert {"shop aurelia", "shop hoshi"} <= found.keys()
    for name in ("aurelia", "hoshi"):
        said = found[f"shop {name}"].value
        assert f"<h2>{name}</h2>" in page.read_text()
        pictures = re.findall(r"!\[[^]]+\]\(data:image/png;base64,([^)]+)\)", said)
        assert len(pictures) == 3
        for picture in map(base64.b64decode, pictures):
            assert picture.startswith(b"\x89PNG\r\n\x1a\n")
            assert 300 < int.from_bytes(picture[16:20]) < 600
            assert len(picture) < 90_000


@one_worker
def test_a_run_records_columns_with_their_types(
    daily: dg.ExecuteInProcessResult, shop: Shop
) -> None:
    found = metadata(daily, "marts", "customer_scores")
    types = {c.name: c.type for c in found["dagster/column_schema"].schema.columns}
    assert types["health_score"] == "INTEGER"
    # The lineage of columns was read from the same columns, before any run; see
    # test_column_lineage.
    spec = shop.defs.resolve_asset_graph().get(dg.AssetKey(["marts", "customer_scores"]))
    assert list(types) == list(spec.metadata["dagster/column_lineage"].deps_by_column)


@one_worker
def test_every_check_of_a_run_was_made(daily: dg.ExecuteInProcessResult, shop: Shop) -> None:
    made = {(e.asset_key, e.check_name) for e in daily.get_asset_check_evaluations()}
    expected = {(k.asset_key, k.name) for k in shop.defs.resolve_asset_graph().asset_check_keys}
    assert expected - made == set()


@one_worker
def test_a_zones_run_scores_its_own_shops(daily: dg.ExecuteInProcessResult, shop: Shop) -> None:
    assert ("aurelia", day(10)) in shop.scored_days()
    assert ("hoshi", day(10)) not in shop.scored_days()


@one_worker
def test_a_range_of_days_is_one_build(daily: dg.ExecuteInProcessResult, shop: Shop) -> None:
    before, builds = shop.scored_days(), shop.builds
    result = shop.run(
        "replay",
        tags={
            "dagster/asset_partition_range_start": day(1).isoformat(),
            "dagster/asset_partition_range_end": day(5).isoformat(),
        },
        run_config={"ops": {"scored": {"config": {"shop": "aurelia"}}}},
    )
    assert result.success
    assert shop.builds == builds + 1
    window = [day(n) for n in range(1, 6)]
    assert set(shop.scored_days()) - set(before) == {("aurelia", at) for at in window}
    assert sorted(map(str, materialized(result)["marts/postal_trust"])) == [
        at.isoformat() for at in window
    ]


@one_worker
def test_one_model_of_another_day_is_built_from_that_days_parents(
    daily: dg.ExecuteInProcessResult, shop: Shop
) -> None:
    before = shop.scored_days()
    history = dg.AssetKey(["marts", "customer_score_history"])
    result = shop.run("replay", partition_key=day(8).isoformat(), asset_selection=[history])
    assert result.success
    assert materialized(result) == {"marts/customer_score_history": [day(8).isoformat()]}
    assert {at for _, at in set(shop.scored_days()) - set(before)} == {day(8)}
    assert query(shop.warehouse, "select distinct as_of_date from intermediate.int_as_of_days") == [
        (day(8),)
    ]
    # What was asked for is counted, what lies between the days and it is named.
    said = [entry.user_message for entry in shop.instance.all_logs(result.run_id)]
    assert [t for t in said if " of " in t and " built: " in t] == [
        "1 of 1 built: marts__customer_score_history"
    ]
    assert "built on the way: features__customer_days" in said


@one_worker
def test_an_unknown_shop_is_told_in_a_sentence(
    daily: dg.ExecuteInProcessResult, shop: Shop
) -> None:
    result = shop.run(
        "replay",
        partition_key=day(8).isoformat(),
        run_config={"ops": {"scored": {"config": {"shop": "nobody"}}}},
    )
    [failure] = [e for e in result.all_events if e.is_step_failure]
    said = failure.step_failure_data.user_failure_data
    assert said.description == "There is no shop 'nobody'. Shops that have landed: aurelia, hoshi."


@one_worker
def test_a_check_that_fails_holds_the_push(
    daily: dg.ExecuteInProcessResult, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with duckdb.connect(str(shop.warehouse)) as connection:
        connection.execute("update marts.orders set net_value = net_value + 1 where is_counted")
    ((latest,),) = query(shop.warehouse, "select max(as_of_date) from marts.customer_scores")
    assert not shop.run("replay", partition_key=latest.isoformat()).success
    monkeypatch.setenv("HEALTH_PUSH_ENABLED", "1")
    settings.cache_clear()
    result = shop.run("push")
    assert not result.success
    for failure in (e for e in result.all_events if e.is_step_failure):
        said = str(failure.step_failure_data.user_failure_data.description)
        assert said.startswith("Nothing was sent")
        assert "monetary_equals_orders" in said
    monkeypatch.undo()
    settings.cache_clear()
