"""What runs by itself: each day of each time zone, scored in the early morning of that zone."""

# No `from __future__ import annotations`: Dagster reads the types of steps as they stand.
from collections.abc import Sequence

from dagster import (
    AssetsDefinition,
    AssetSelection,
    DefaultScheduleStatus,
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    define_asset_job,
    schedule,
)
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from orchestration.operate.days import yesterday

EARLY_MORNING = "30 4 * * *"


def schedule_name(zone: str) -> str:
    """The name of a zone's schedule, such as `daily_america_new_york`."""
    return "daily_" + "".join(c if c.isalnum() else "_" for c in zone.lower())


def make_jobs(scored: AssetsDefinition) -> dict[str, UnresolvedAssetJobDefinition]:
    """The jobs, by name; `scored` are the models that have a partition a day."""
    jobs = [
        define_asset_job(
            "daily_refresh",
            selection=AssetSelection.all(),
            description="One day, whole: land the file drop, build, score the day, push.",
        ),
        define_asset_job(
            "replay",
            selection=AssetSelection.assets(scored),
            description="Score days again as they were known then; a range is one dbt build.",
        ),
        define_asset_job(
            "push",
            selection=AssetSelection.groups("push"),
            description="Send what stands in the plan; only a plan unless it is switched on.",
        ),
    ]
    return {job.name: job for job in jobs}


def daily_schedule(zone: str, job: UnresolvedAssetJobDefinition) -> ScheduleDefinition:
    """Scores the day that ended in `zone`, for its shops; stopped until someone starts it."""

    @schedule(
        name=schedule_name(zone),
        job=job,
        cron_schedule=EARLY_MORNING,
        execution_timezone=zone,
        default_status=DefaultScheduleStatus.STOPPED,
        description=f"04:30 in {zone}: land, build, score the day before for its shops, push.",
    )
    def daily(context: ScheduleEvaluationContext) -> RunRequest:
        day = yesterday(zone, context.scheduled_execution_time).isoformat()
        return RunRequest(
            run_key=f"{zone} {day}",
            partition_key=day,
            run_config={"ops": {"scored": {"config": {"zone": zone}}}},
            tags={"health/zone": zone},
        )

    return daily


def make_schedules(
    zones: Sequence[str], job: UnresolvedAssetJobDefinition
) -> list[ScheduleDefinition]:
    """One daily schedule a time zone."""
    return [daily_schedule(zone, job) for zone in zones]
