"""What a step of Dagster does more on Spark: see `spark_tables` for what a build does there."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dagster import AssetCheckResult, Failure
from dagster_dbt import DbtCliInvocation, DbtCliResource

from orchestration.operate.failures import told_in_a_sentence
from orchestration.transform import spark, spark_tables
from orchestration.transform.dbt_calls import call
from orchestration.transform.manifest import new_run_folder
from orchestration.transform.parse import PARTIAL_PARSE


def run_folders(target: Path) -> Path:
    """Where the artefacts of runs on the chosen engine are: dbt's parse is of one engine."""
    return target / spark.TARGET if spark.is_chosen() else target


def told_when_back(events: Iterator[Any], bring_back: Callable[[], None]) -> Iterator[Any]:
    """Dagster's events of a dbt call, once what it built is in the warehouse.

    Of a call that failed nothing comes back, so only its checks are told.
    """
    held: list[Any] = []
    try:
        for event in events:
            held.append(event)
        bring_back()
    except Failure:
        yield from (event for event in held if isinstance(event, AssetCheckResult))
        raise
    yield from held


def bring_back(dbt: DbtCliResource, invocation: DbtCliInvocation, warehouse: Path) -> None:
    """Take what a dbt call built on Spark into the warehouse, and make its views there.

    Raises `Failure` when dbt cannot make them.
    """
    run = invocation.target_path
    views = spark_tables.remember_views(warehouse, run)
    spark_tables.take_back(warehouse, run)
    folder = run.parent.parent
    shutil.copy(run / PARTIAL_PARSE, folder)
    if not views:
        return
    with spark.on_duckdb(), told_in_a_sentence():
        call(
            dbt,
            ["run", "--select", " ".join(views)],
            new_run_folder(folder.parent, f"{run.name}-views"),
        )
