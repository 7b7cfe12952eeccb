"""The jobs of one click in Dagster, and what a run tells when dbt fails."""

# No `from __future__ import annotations`: Dagster reads the types of steps as they stand.
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster_dbt import DbtCliInvocation
from push_warehouse import query
from test_stale import LATE, deliver, rows

from orchestration.operate import console
from orchestration.operate.chores import make_chores
from orchestration.settings import settings
from orchestration.transform.assets import BuildFacts, _stretches
from orchestration.transform.build import BuildRequest, blocks, target_path
from orchestration.transform.dbt_calls import what_failed

JOBS = {job.name: job for job in make_chores()}


@pytest.fixture
def ours(warehouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The shared shop, copied, in the settings."""
    copy = Path(shutil.copy(warehouse, tmp_path))
    monkeypatch.setenv("DUCKDB_PATH", str(copy))
    settings.cache_clear()
    yield copy
    monkeypatch.undo()
    settings.cache_clear()
    shutil.rmtree(target_path(copy), ignore_errors=True)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(console.make_home(tmp_path / "home"))) as made:
        yield made


def run(job: str, instance: dg.DagsterInstance) -> tuple[dg.ExecuteInProcessResult, str]:
    """A job, and all that its log says."""
    result = JOBS[job].execute_in_process(instance=instance, raise_on_error=False)
    said = [entry.user_message for entry in instance.all_logs(result.run_id)]
    failures = [
        event.step_failure_data.error.message
        for event in result.all_events
        if event.is_step_failure and event.step_failure_data.error
    ]
    return result, "\n".join([*said, *failures])


def test_stale_days_are_refreshed_by_one_click_and_readers_get_them(
    ours: Path, instance: dg.DagsterInstance, health: Any, tmp_path: Path
) -> None:
    deliver(tmp_path / "drop", ours, health, LATE)
    result, said = run("refresh_stale_days", instance)
    assert result.success
    assert f"aurelia: {LATE} to 2026-10-31 scored again (4 days)." in said
    assert rows(ours, "from marts.stale_days") == []
    days = query(settings().serving_path, "select count(*) from marts.scored_days")
    assert days == rows(ours, "select count(*) from marts.scored_days")


def test_the_outlook_is_one_click(ours: Path, instance: dg.DagsterInstance) -> None:
    before = rows(ours, "select count(*) from activation.outlook")
    result, said = run("outlook", instance)
    assert result.success
    assert "Who leaves a band within 60 days" in said
    assert before == [(0,)]
    assert rows(ours, "select count(*) > 10 from activation.outlook") == [(True,)]


@pytest.mark.parametrize("job", sorted(JOBS))
def test_a_file_that_is_no_warehouse_is_told_in_a_sentence(
    job: str, ours: Path, instance: dg.DagsterInstance
) -> None:
    ours.write_text("no database, just a few words that somebody put in its place")
    result, said = run(job, instance)
    assert not result.success
    assert "Traceback" not in said
    assert str(ours) in said


def failed_call(folder: Path, results: list[dict[str, str]] | None) -> DbtCliInvocation:
    """A dbt call that left these results behind."""
    if results is not None:
        (folder / "run_results.json").write_text(json.dumps({"results": results}))
    call = object.__new__(DbtCliInvocation)
    object.__setattr__(call, "target_path", folder)
    return call


def test_what_failed_is_named_with_the_words_of_dbt(tmp_path: Path) -> None:
    assert what_failed(failed_call(tmp_path, None)).startswith("dbt ended before it built anything")
    passed = {"unique_id": "model.customer_health.orders", "status": "success", "message": "OK"}
    broken = {
        "unique_id": "model.customer_health.customers",
        "status": "error",
        "message": "Runtime Error\n  Out of\n  memory",
    }
    assert what_failed(failed_call(tmp_path, [passed])).startswith("dbt ended before it was done")
    assert what_failed(failed_call(tmp_path, [passed, broken])) == (
        "dbt failed at 1 of 2 nodes. customers: Runtime Error Out of memory"
    )


def test_a_long_window_is_split_and_scores_the_same(
    warehouse: Path, health: Any, tmp_path: Path
) -> None:
    ours = Path(shutil.copy(warehouse, tmp_path / "warehouse.duckdb"))
    done = health(
        "build", "--from", "2026-10-28", "--to", "2026-10-30", warehouse=ours,
        HEALTH_BLOCK_CUSTOMER_DAYS="1200",
    )  # fmt: skip
    assert done.stdout.splitlines()[:2] == [
        "2026-10-28 to 2026-10-28 (1 of 2)",
        "2026-10-29 to 2026-10-30 (2 of 2)",
    ]
    for mart in ("customer_score_history", "score_contributions", "customer_signals"):
        sums = f"select count(*), sum(cast(hash(t) as hugeint)) from marts.{mart} as t"
        assert rows(ours, sums) == rows(warehouse, sums), mart


def test_a_run_of_dagster_is_split_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    request = BuildRequest(LATE, LATE.replace(day=31))
    assert [b.first_day.day for b in blocks(request, 1000, 2000) if b.first_day] == [28, 30]
    monkeypatch.setenv("HEALTH_BLOCK_CUSTOMER_DAYS", "2000")
    settings.cache_clear()
    facts = BuildFacts((LATE, LATE.replace(day=31)))
    stretches = _stretches(facts, 1000)
    settings.cache_clear()
    assert [s.days and [d.day for d in s.days] for s in stretches] == [[28, 29], [30, 31]]
