"""Dagster lands the inbox when something waits in it, and leaves it alone when nothing does."""

# No `from __future__ import annotations`: Dagster reads the types of steps as they stand.
from datetime import UTC, datetime

from dagster import (
    DagsterRunStatus,
    DefaultSensorStatus,
    JobDefinition,
    RunRequest,
    RunsFilter,
    SensorDefinition,
    SensorEvaluationContext,
    SkipReason,
    sensor,
)
from rich.console import Console

from orchestration.extract.files import render_summary
from orchestration.operate.chores import chore_of
from orchestration.receive.inbox import inbox_folder, waiting
from orchestration.receive.landing import land_inbox
from orchestration.settings import settings

LAND_WEBHOOKS = "land_webhooks"
SECONDS_BETWEEN_LOOKS = 60
UNFINISHED = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]


def _land(console: Console) -> None:
    console.print(render_summary(land_inbox(settings().warehouse_path)))


def make_landing_job() -> JobDefinition:
    """The job that lands the inbox; it waits for its turn at the warehouse like any other."""
    return chore_of(
        LAND_WEBHOOKS, "Land the webhooks that wait in the inbox into the raw tables.", _land
    )


def make_inbox_sensor(job: JobDefinition) -> SensorDefinition:
    """Asks for one run when deliveries wait and none is under way; stopped until someone starts it.

    While landing fails, the same deliveries are tried again once an hour, not at every look.
    """

    @sensor(
        name="webhooks",
        job=job,
        minimum_interval_seconds=SECONDS_BETWEEN_LOOKS,
        default_status=DefaultSensorStatus.STOPPED,
        description="Lands webhooks soon after they came.",
    )
    def webhooks(context: SensorEvaluationContext) -> RunRequest | SkipReason:
        oldest = waiting(inbox_folder(settings().warehouse_path), most=1)
        if not oldest:
            return SkipReason("Nothing waits in the inbox.")
        under_way = RunsFilter(job_name=LAND_WEBHOOKS, statuses=UNFINISHED)
        if context.instance.get_runs(under_way, limit=1):
            return SkipReason("A run that lands the inbox is under way.")
        came = oldest[0].stat().st_mtime_ns
        return RunRequest(run_key=f"{oldest[0].stem} {came} {datetime.now(UTC):%Y-%m-%d %H}")

    return webhooks
