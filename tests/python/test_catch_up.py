"""What a schedule does about days on which nobody ran it."""

# No `from __future__ import annotations`: Dagster reads the types of steps as they stand.
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from push_warehouse import query

from orchestration.activate.assets import hold_reason
from orchestration.activate.destinations import VENDORS
from orchestration.errors import HealthError
from orchestration.operate import console, days, schedules
from orchestration.operate.schedules import daily_schedule, schedule_name, scored_days
from orchestration.publish.assets import SERVING
from orchestration.settings import Settings, settings
from orchestration.transform.assets import BuildConfig
from orchestration.transform.build import target_path

NEW_YORK, TOKYO = "America/New_York", "Asia/Tokyo"
DAY = date(2026, 5, 20)
START, END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def ago(number: int) -> date:
    return DAY - timedelta(days=number)


def config(**scored: str) -> dict[str, Any]:
    return {"ops": {"scored": {"config": scored}}}


# --- which day comes first -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("done", "first"),
    [
        ([], 0),
        ([0], 0),
        ([1], 0),
        ([1, 0], 0),
        ([2], 1),
        ([5], 4),
        # An operator scored the day before yesterday by hand; what lies before is still missed.
        ([5, 2], 4),
        ([5, 4, 3, 1], 2),
        ([13], 12),
        # Longer ago than is looked back.
        ([14], 13),
        ([200], 13),
    ],
)
def test_where_catching_up_begins(done: list[int], first: int) -> None:
    assert days.first_missed({ago(n) for n in done}, DAY, 14) == ago(first)


def test_no_more_days_are_caught_up_than_asked_for() -> None:
    assert days.first_missed({ago(9)}, DAY, 3) == ago(2)
    assert days.first_missed({ago(9)}, DAY, 1) == DAY


def test_the_days_of_a_run_are_in_its_tags() -> None:
    assert days.days_of_run({}) == []
    assert days.days_of_run({"dagster/partition": "2026-05-20"}) == [DAY]
    assert days.days_of_run({START: "2026-05-18", END: "2026-05-20"}) == [ago(2), ago(1), DAY]


def test_the_bound_is_a_setting_and_a_wrong_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().catch_up_days == 14
    monkeypatch.setenv("HEALTH_CATCH_UP_DAYS", "0")
    with pytest.raises(HealthError, match="HEALTH_CATCH_UP_DAYS wants a whole number of days"):
        Settings()


# --- what a tick asks for --------------------------------------------------------------------


@dg.asset(partitions_def=days.daily_partitions(date(2026, 1, 1), [NEW_YORK, TOKYO]))
def scored(config: BuildConfig) -> None: ...


JOBS = {
    name: dg.define_asset_job(name, dg.AssetSelection.all())
    for name in (schedules.REFRESH, schedules.REPLAY, "push")
}
DEFS = dg.Definitions(
    [scored],
    jobs=list(JOBS.values()),
    schedules=[daily_schedule(zone, JOBS[schedules.REFRESH]) for zone in (NEW_YORK, TOKYO)],
)


@pytest.fixture
def instance(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("HEALTH_FIRST_DAY", "2026-01-01")
    settings.cache_clear()
    with dg.DagsterInstance.local_temp(str(tmp_path)) as made:
        yield made
    settings.cache_clear()


def ran(
    instance: dg.DagsterInstance,
    first: date,
    last: date | None = None,
    *,
    job: str = schedules.REFRESH,
    status: dg.DagsterRunStatus = dg.DagsterRunStatus.SUCCESS,
    **scored: str,
) -> None:
    """Record a run of these days."""
    instance.create_run_for_job(
        DEFS.resolve_job_def(job),
        status=status,
        run_config=config(**scored),
        tags={START: str(first), END: str(last)} if last else {"dagster/partition": str(first)},
    )


def evaluate(
    defs: dg.Definitions, instance: dg.DagsterInstance, zone: str, day: date
) -> dg.RunRequest:
    """What the schedule of a zone asks for on the morning after a day."""
    context = dg.build_schedule_context(
        instance=instance,
        scheduled_execution_time=datetime.combine(
            day + timedelta(days=1), time(4, 30), tzinfo=ZoneInfo(zone)
        ).astimezone(UTC),
        repository_def=defs.get_repository_def(),
    )
    result = defs.get_schedule_def(schedule_name(zone)).evaluate_tick(context)
    [request] = result.run_requests or []
    return request


def asked(instance: dg.DagsterInstance, zone: str = NEW_YORK) -> list[date]:
    """The days that the zone's schedule asks for after `DAY`."""
    return days.days_of_run(evaluate(DEFS, instance, zone, DAY).tags)


def test_who_starts_scores_yesterday(instance: dg.DagsterInstance) -> None:
    request = evaluate(DEFS, instance, NEW_YORK, DAY)
    assert request.partition_key == str(DAY)
    assert request.run_config == config(zone=NEW_YORK)
    assert asked(instance) == [DAY]


def test_day_after_day_each_is_scored_alone(instance: dg.DagsterInstance) -> None:
    ran(instance, ago(1), zone=NEW_YORK)
    assert asked(instance) == [DAY]


def test_days_missed_are_one_run_that_ends_yesterday(instance: dg.DagsterInstance) -> None:
    ran(instance, ago(4), zone=NEW_YORK)
    request = evaluate(DEFS, instance, NEW_YORK, DAY)
    assert request.partition_key is None
    assert (request.tags[START], request.tags[END]) == (str(ago(3)), str(DAY))
    assert request.tags["health/zone"] == NEW_YORK
    assert request.run_key == f"{NEW_YORK} {DAY}"
    # It ends with the latest day, so it sends what the latest day comes to, once.
    assert hold_reason(request.tags, {DAY}, enabled=True) is None
    assert "not the latest day" in str(hold_reason(request.tags, {ago(-1)}, enabled=True))


def test_what_was_caught_up_is_not_scored_again(instance: dg.DagsterInstance) -> None:
    ran(instance, ago(9), zone=NEW_YORK)
    ran(instance, ago(8), ago(1), zone=NEW_YORK)
    assert asked(instance) == [DAY]


@pytest.mark.parametrize("status", ["FAILURE", "CANCELED", "STARTED"])
def test_a_day_whose_run_came_to_nothing_is_scored_again(
    instance: dg.DagsterInstance, status: str
) -> None:
    ran(instance, ago(2), zone=NEW_YORK)
    ran(instance, ago(1), zone=NEW_YORK, status=dg.DagsterRunStatus(status))
    assert asked(instance) == [ago(1), DAY]


def test_each_zone_catches_up_for_itself(instance: dg.DagsterInstance) -> None:
    ran(instance, ago(3), zone=NEW_YORK)
    ran(instance, ago(1), zone=TOKYO)
    assert asked(instance, NEW_YORK) == [ago(2), ago(1), DAY]
    assert asked(instance, TOKYO) == [DAY]


def test_what_an_operator_scored_counts_if_it_was_all_of_the_zone(
    instance: dg.DagsterInstance,
) -> None:
    ran(instance, ago(5), zone=NEW_YORK)
    ran(instance, ago(4), ago(3), job=schedules.REPLAY)
    ran(instance, ago(2), shop="aurelia")
    ran(instance, ago(1), job="push")
    assert asked(instance) == [ago(2), ago(1), DAY]
    assert asked(instance, TOKYO) == [ago(2), ago(1), DAY]
    assert scored_days(instance, TOKYO) == {ago(4), ago(3)}


def test_after_a_long_outage_the_latest_days_are_scored(instance: dg.DagsterInstance) -> None:
    ran(instance, ago(90), zone=NEW_YORK)
    found = asked(instance)
    assert (len(found), found[0], found[-1]) == (14, ago(13), DAY)


def test_no_day_before_the_first_is_asked_for(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran(instance, ago(9), zone=NEW_YORK)
    monkeypatch.setenv("HEALTH_FIRST_DAY", str(ago(2)))
    settings.cache_clear()
    assert asked(instance) == [ago(2), ago(1), DAY]


# --- a real outage, on a simulated shop ------------------------------------------------------

FIRST = date(2026, 9, 1)


@pytest.fixture(scope="module")
def shop(
    warehouse: Path, drop: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[dg.Definitions, dg.DagsterInstance, Path]]:
    """The shared shop, copied, with an instance and definitions of its own."""
    folder = tmp_path_factory.mktemp("catch_up")
    copy = Path(shutil.copy(warehouse, folder))
    shutil.copytree(target_path(warehouse), target_path(copy))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DUCKDB_PATH", str(copy))
        patch.setenv("HEALTH_LANDING", str(drop))
        patch.setenv("HEALTH_FIRST_DAY", str(FIRST))
        patch.delenv("HEALTH_SERVING_PATH", raising=False)
        settings.cache_clear()
        from orchestration.definitions import define

        with dg.DagsterInstance.from_config(str(console.make_home(folder / "home"))) as instance:
            yield define(), instance, copy
    settings.cache_clear()
    shutil.rmtree(target_path(copy))


def test_after_an_outage_all_missed_days_are_scored_in_one_run_and_published(
    shop: tuple[dg.Definitions, dg.DagsterInstance, Path],
) -> None:
    defs, instance, warehouse = shop
    job = defs.resolve_job_def(schedules.REFRESH)
    # The last run before the outage.
    instance.create_run_for_job(
        job,
        status=dg.DagsterRunStatus.SUCCESS,
        run_config=config(zone=NEW_YORK),
        tags={"dagster/partition": str(FIRST)},
    )
    request = evaluate(defs, instance, NEW_YORK, FIRST + timedelta(days=4))
    missed = [FIRST + timedelta(days=n) for n in range(1, 5)]
    assert days.days_of_run(request.tags) == missed

    done = job.execute_in_process(
        instance=instance, run_config=request.run_config, tags=request.tags, raise_on_error=False
    )
    assert done.success
    scored = "select as_of_date from marts.scored_days where shop_id = 'aurelia' and as_of_date "
    scored += f"between date '{FIRST}' and date '{missed[-1]}' order by 1"
    assert query(warehouse, scored) == [(day,) for day in missed]
    # Readers have the days, and nothing was sent: the last of them is not the latest.
    assert query(settings().serving_path, scored) == [(day,) for day in missed]
    events = done.get_asset_materialization_events()
    assert [e.partition for e in events if e.asset_key == SERVING] == [str(day) for day in missed]
    states = {
        e.asset_key.path[-1]: e.materialization.metadata["state"].value
        for e in events
        if e.asset_key.path[0] == "push"
    }
    assert set(states) == set(VENDORS)
    assert all(said.startswith("held: 2026-09-05 is not the latest") for said in states.values())

    # The next morning asks for one day.
    following = evaluate(defs, instance, NEW_YORK, FIRST + timedelta(days=5))
    assert days.days_of_run(following.tags) == [FIRST + timedelta(days=5)]


def test_scores_that_grow_old_are_told(
    shop: tuple[dg.Definitions, dg.DagsterInstance, Path],
) -> None:
    defs, _, _ = shop
    graph = defs.resolve_asset_graph()
    keys = graph.get_all_asset_keys()
    kept_fresh = {key for key in keys if graph.get(key).freshness_policy}
    report = dg.AssetKey(["serving", "report"])
    assert kept_fresh == {key for key in keys if graph.get(key).partitions_def} | {report}
    policy = graph.get(SERVING).freshness_policy
    limits = [window.to_timedelta() for window in (policy.warn_window, policy.fail_window)]
    assert limits == [timedelta(hours=26), timedelta(hours=32)]
