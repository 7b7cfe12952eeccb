"""A step of Dagster's on Spark: a part of the models, told of once it is in the warehouse."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from conftest import copied, require

from orchestration.definitions import define
from orchestration.errors import HealthError
from orchestration.operate import console
from orchestration.settings import settings
from orchestration.transform import spark
from orchestration.transform.manifest import ensure_manifest

# A view that no as-of day touches.
VIEW = "order_window_facts"
LAYERS = ("staging", "intermediate", "features", "history", "marts")
DAY = "2026-10-31"


@pytest.fixture
def run(
    warehouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[set[str]], dg.ExecuteInProcessResult]]:
    """`run({"model.customer_health.orders"})`, on Spark, of what landed in a copy of the shop."""
    try:
        spark.check()
    except HealthError as error:
        require(False, str(error))
    copy = copied(warehouse, tmp_path)
    with duckdb.connect(str(copy)) as connection:
        for layer in LAYERS:
            connection.execute(f"drop schema {layer} cascade")
    monkeypatch.setenv("DUCKDB_PATH", str(copy))
    settings.cache_clear()
    nodes = json.loads(ensure_manifest().read_text())["nodes"]
    monkeypatch.setenv("HEALTH_TARGET", spark.TARGET)
    job = define().resolve_job_def("daily_refresh")

    def chosen(models: set[str]) -> dg.ExecuteInProcessResult:
        keys = [dg.AssetKey([nodes[m]["schema"], nodes[m]["alias"]]) for m in sorted(models)]
        return job.execute_in_process(
            instance=instance, partition_key=DAY, asset_selection=keys, raise_on_error=False
        )

    with dg.DagsterInstance.from_config(str(console.make_home(tmp_path / "home"))) as instance:
        yield chosen
    settings.cache_clear()


def upstream(name: str) -> set[str]:
    """The model and all models and seeds that it is made of."""
    manifest = json.loads(ensure_manifest().read_text())
    found, left = set(), [f"model.customer_health.{name}"]
    while left:
        node = left.pop()
        if node in manifest["nodes"] and node not in found:
            found.add(node)
            left += manifest["parent_map"][node]
    return found


def rows(warehouse: Path, relation: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return connection.execute(f"from {relation} order by all").fetchall()


def test_a_part_of_the_models_is_built_on_spark_and_comes_back(
    run: Callable[[set[str]], dg.ExecuteInProcessResult], warehouse: Path
) -> None:
    copy = settings().warehouse_path
    done = run(upstream(VIEW))
    assert done.success
    orders = define().resolve_asset_graph().get(dg.AssetKey(["marts", "orders"]))
    assert orders.kinds == {"dbt", "spark", "table"}
    told = {e.asset_key.path[-1] for e in done.get_asset_materialization_events()}
    assert {VIEW, "int_orders", "stg_shopify__orders"} <= told
    checks = done.get_asset_check_evaluations()
    assert len(checks) > 20
    # What warns says of the shop that it is pretended, on either engine.
    assert [c for c in checks if not c.passed and c.severity == dg.AssetCheckSeverity.ERROR] == []
    # Dagster was told once it was there: a view, made by DuckDB of what Spark stored.
    assert rows(copy, f"features.{VIEW}") == rows(warehouse, f"features.{VIEW}") != []


def test_a_target_that_nothing_is_built_on_fails_in_a_sentence(
    run: Callable[[set[str]], dg.ExecuteInProcessResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEALTH_TARGET", "bigquery")
    result = run({f"model.customer_health.{VIEW}"})
    [failure] = [e for e in result.all_events if e.is_step_failure]
    assert "HEALTH_TARGET is 'bigquery', which nothing is built on" in str(
        failure.step_failure_data.error
    )
