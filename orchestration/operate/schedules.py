"""What runs by itself: each day of each time zone, scored in the early morning of that zone.

Dagster evaluates only the latest of the ticks it missed while it was down. So a tick asks for every
day that no run has scored for its zone since, as one run over a range.
"""

# No `from __future__ import annotations`: Dagster reads the types of steps as they stand.
from collections.abc import Sequence
from datetime import date
from typing import Any

from dagster import (
    AssetCheckKey,
    AssetKey,
    AssetsDefinition,
    AssetSelection,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    DefaultScheduleStatus,
    RunRequest,
    RunsFilter,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    define_asset_job,
    schedule,
)
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from orchestration.operate.days import days_of_run, first_missed, yesterday
from orchestration.settings import settings

EARLY_MORNING = "30 4 * * *"
REFRESH, REPLAY = "daily_refresh", "replay"
PUSH_IS_ON = AssetCheckKey(AssetKey(["activation", "ledger"]), "push_is_on")
SCORES = AssetKey(["marts", "customer_scores"])
# How many of the latest successful runs are looked through for the days they scored.
RUNS_READ = 200


def schedule_name(zone: str) -> str:
    """The name of a zone's schedule, such as `daily_america_new_york`."""
    return "daily_" + "".join(c if c.isalnum() else "_" for c in zone.lower())


def make_jobs(
    scored: AssetsDefinition, serving: Sequence[AssetsDefinition]
) -> dict[str, UnresolvedAssetJobDefinition]:
    """The jobs, by name; `scored` are the models that have a partition a day,
    `serving` what readers open."""
    jobs = [
        define_asset_job(
            REFRESH,
            # A check of what no run makes is not in the selection of the assets.
            selection=AssetSelection.all() | AssetSelection.all_asset_checks(),
            description="One day, whole: land the file drop, build, score the day, publish, push.",
        ),
        define_asset_job(
            REPLAY,
            selection=AssetSelection.assets(scored, *serving),
            description="Score days again as they were known then; a range is one dbt build.",
        ),
        define_asset_job(
            "push",
            selection=AssetSelection.groups("push") | AssetSelection.checks(PUSH_IS_ON),
            description="Send what stands in the plan; only a plan unless it is switched on.",
        ),
    ]
    return {job.name: job for job in jobs}


def scores_all_of(zone: str, run: DagsterRun) -> bool:
    """Whether a run has scored all shops of a zone, as its schedule does or as an operator did."""
    chosen = run.asset_selection
    whole = SCORES in chosen if chosen else run.job_name in (REFRESH, REPLAY)
    asked: Any = run.run_config
    config = asked.get("ops", {}).get("scored", {}).get("config", {})
    return whole and not config.get("shop") and config.get("zone") in (None, zone)


def scored_days(instance: DagsterInstance, zone: str) -> set[date]:
    """The days that successful runs have scored for a zone."""
    runs = instance.get_runs(RunsFilter(statuses=[DagsterRunStatus.SUCCESS]), limit=RUNS_READ)
    return {day for run in runs if scores_all_of(zone, run) for day in days_of_run(run.tags)}


def daily_schedule(zone: str, job: UnresolvedAssetJobDefinition) -> ScheduleDefinition:
    """Scores the day that ended in `zone`, and the days missed before it, for its shops; stopped
    until someone starts it."""

    @schedule(
        name=schedule_name(zone),
        job=job,
        cron_schedule=EARLY_MORNING,
        execution_timezone=zone,
        default_status=DefaultScheduleStatus.STOPPED,
        description=(
            f"04:30 in {zone}: land, build, score the day before and any that was missed for its "
            "shops, publish, push."
        ),
    )
    def daily(context: ScheduleEvaluationContext) -> RunRequest:
        last = yesterday(zone, context.scheduled_execution_time)
        first = first_missed(scored_days(context.instance, zone), last, settings().catch_up_days)
        first = min(last, max(first, settings().first_day))
        days = {
            "dagster/asset_partition_range_start": first.isoformat(),
            "dagster/asset_partition_range_end": last.isoformat(),
        }
        return RunRequest(
            run_key=f"{zone} {last}",
            partition_key=last.isoformat() if first == last else None,
            run_config={"ops": {"scored": {"config": {"zone": zone}}}},
            tags={"health/zone": zone, **(days if first < last else {})},
        )

    return daily


def make_schedules(
    zones: Sequence[str], job: UnresolvedAssetJobDefinition
) -> list[ScheduleDefinition]:
    """One daily schedule a time zone."""
    return [daily_schedule(zone, job) for zone in zones]
