"""Jobs without days of their own: what an operator starts by one click."""

# No `from __future__ import annotations`: Dagster reads the types of steps as they stand.
import io
from collections.abc import Callable

from dagster import JobDefinition, OpExecutionContext, in_process_executor, job, op
from rich.console import Console

from orchestration.errors import HealthError
from orchestration.operate.failures import told_in_a_sentence
from orchestration.privacy.job import forget_job
from orchestration.settings import settings
from orchestration.transform.assets import POOL

DAYS_AHEAD = 60


def refresh_stale(console: Console) -> None:
    """Score the stale days again and give readers a new copy."""
    from orchestration.operate.stale import refresh
    from orchestration.publish.serving import publish_serving

    now = settings()
    for line in refresh(now.warehouse_path, console):
        console.print(line)
    console.print(f"Readers have {publish_serving(now.warehouse_path, now.serving_path)}")


def look_ahead(console: Console) -> None:
    """Score the days to come on a copy and keep who leaves which band."""
    from orchestration.operate.outlook import look_ahead as run
    from orchestration.operate.outlook import render

    console.print(render(run(settings().warehouse_path, DAYS_AHEAD, console), DAYS_AHEAD))


def read_back(console: Console) -> None:
    """Compare a sample of what destinations hold with what they confirmed."""
    from orchestration.activate.reconcile import reconcile, show

    now = settings()
    result = reconcile(now.warehouse_path, settings=now)
    show(console, result)
    if not result.is_clean:
        raise HealthError(result.problem)


def chore_of(name: str, description: str, work: Callable[[Console], None]) -> JobDefinition:
    """A job of one step that waits for the warehouse and logs what it says."""

    @op(name=f"{name}_step", description=description, pool=POOL)
    def step(context: OpExecutionContext) -> None:
        shown = io.StringIO()
        try:
            with told_in_a_sentence():
                work(Console(file=shown, width=100))
        finally:
            context.log.info(shown.getvalue())

    @job(name=name, description=description, executor_def=in_process_executor)
    def chore() -> None:
        step()

    return chore


def make_chores() -> list[JobDefinition]:
    """The jobs, for the list of definitions."""
    return [
        chore_of(
            "refresh_stale_days",
            "Score the days again that late data would change; readers then get a new copy.",
            refresh_stale,
        ),
        chore_of(
            "outlook",
            f"Who will leave which band by themselves within {DAYS_AHEAD} days, and when.",
            look_ahead,
        ),
        chore_of(
            "reconcile",
            "Whether destinations still hold what they confirmed; fails when something differs.",
            read_back,
        ),
        forget_job(),
    ]
