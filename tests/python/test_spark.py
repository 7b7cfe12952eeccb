"""A build on Spark: what goes over, comes back, and is refused. No Spark runs here."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dagster import AssetCheckResult, Failure, Output

from orchestration.errors import HealthError
from orchestration.transform import spark, spark_session, spark_tables
from orchestration.transform.spark_assets import told_when_back

SCORES = {
    "schema": "marts",
    "alias": "scores",
    "resource_type": "model",
    "config": {"materialized": "table"},
    "columns": {"score": {"name": "score", "data_type": "integer"}},
}


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    path = tmp_path / "w.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema raw_shopify; create schema activation")
        connection.execute(
            "create table raw_shopify.orders as select 'a' as shop_id, 'o' as order_id, "
            "timestamp '2026-10-31 04:00' as created_at, '{}'::json as extra, 1.10::decimal(18,2) "
            "as total"
        )
        connection.execute("create table raw_shopify._rejected as select 1 as line")
    return path


def test_a_table_goes_over_again_only_when_its_rows_change(warehouse: Path, tmp_path: Path) -> None:
    assert spark_tables.hand_over(warehouse) == ["raw_shopify.orders"]
    assert spark_tables.hand_over(warehouse) == []
    with duckdb.connect(str(warehouse)) as connection:
        # The same number of rows, of the same load.
        connection.execute("update raw_shopify.orders set total = 2")
    assert spark_tables.hand_over(warehouse) == ["raw_shopify.orders"]
    file = spark.folder_of(warehouse) / "landing" / "raw_shopify" / "orders" / "rows.parquet"
    described = dict(row[:2] for row in duckdb.sql(f"describe from '{file}'").fetchall())
    assert described["created_at"] == "TIMESTAMP WITH TIME ZONE"
    assert described["extra"] == "VARCHAR"
    assert described["total"] == "DECIMAL(18,2)"


def test_what_was_built_comes_back_in_the_types_of_its_contract(
    warehouse: Path, tmp_path: Path
) -> None:
    folder = spark.folder_of(warehouse)
    place = folder / "tables" / "marts" / "scores"
    place.mkdir(parents=True)
    (place / "_SUCCESS").touch()
    duckdb.sql(
        "copy (select 7::bigint as score, "
        "timestamptz '2026-10-31 04:00:00+00' as scored_at) "
        f"to '{place}/part.parquet' (format parquet)"
    )
    (tmp_path / "manifest.json").write_text(json.dumps({"nodes": {"m": SCORES}}))
    for _ in range(2):
        assert spark_tables.take_back(warehouse, tmp_path) == ["marts.scores"]
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        found = connection.execute(
            "select typeof(score), typeof(scored_at), score, scored_at::varchar from marts.scores"
        ).fetchall()
    assert found == [("INTEGER", "TIMESTAMP", 7, "2026-10-31 04:00:00")]


def test_a_table_that_a_run_died_over_is_put_in_place(warehouse: Path) -> None:
    tables = spark.folder_of(warehouse) / "tables"

    def write(name: str, text: str, *, whole: bool) -> None:
        place = tables / "history" / name
        place.mkdir(parents=True)
        (place / "part.parquet").write_text(text)
        if whole:
            (place / "_SUCCESS").touch()

    # Died while it was overwritten; died before; and what other statements leave.
    write("scores", "half", whole=False)
    write("scores__whole", "all", whole=True)
    write("groups", "old", whole=True)
    write("groups__whole", "half", whole=False)
    write("groups__arrived", "rows", whole=True)
    spark_tables.hand_over(warehouse)
    left = {p.parent.name: p.read_text() for p in tables.glob("*/*/part.parquet")}
    assert left == {"scores": "all", "groups": "old"}
    listed = (spark.folder_of(warehouse) / "landing" / "stored.txt").read_text()
    assert listed.split() == ["history.groups", "history.scores"]


def test_views_are_told_of_in_the_order_in_which_they_read_one_another(
    warehouse: Path, tmp_path: Path
) -> None:
    nodes = {
        name: {
            "schema": "marts",
            "name": name,
            "alias": name,
            "fqn": ["customer_health", layer, name],
            "resource_type": "model",
            "config": {"materialized": kind},
        }
        for name, layer, kind in (
            ("tiers", "marts", "view"),
            ("scores", "marts", "view"),
            ("days", "marts", "table"),
            ("stg_orders", "staging", "view"),
        )
    }
    manifest = {
        "nodes": nodes,
        "parent_map": {"tiers": ["scores"], "scores": ["days"], "days": ["stg_orders"]},
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))

    def ran(**queries: str) -> list[str]:
        results = [
            {"unique_id": name, "status": "success", "compiled_code": query}
            for name, query in queries.items()
        ]
        (tmp_path / "run_results.json").write_text(json.dumps({"results": results}))
        return spark_tables.remember_views(warehouse, tmp_path)

    spark_tables.hand_over(warehouse)
    assert ran(tiers="select 1\nfrom scores", days="a") == ["tiers"]
    assert ran(scores="select 'ö'", stg_orders="select 2") == ["scores", "stg_orders"]
    path = spark.folder_of(warehouse) / "landing" / "views.json"
    told = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(one["model"], one["query"]) for one in told] == [
        ("scores", "select 'ö'"),
        ("tiers", "select 1\nfrom scores"),
    ]


def test_of_a_step_that_failed_on_spark_its_checks_alone_are_told() -> None:
    check = AssetCheckResult(passed=False, asset_key="scores", check_name="a_day_is_whole")
    output = Output(None, "scores")

    def events(*, fails: bool) -> Iterator[Any]:
        yield output
        yield check
        if fails:
            raise Failure(description="dbt failed")

    back: list[str] = []
    told: list[Any] = []
    with pytest.raises(Failure, match="dbt failed"):
        told.extend(told_when_back(events(fails=True), lambda: back.append("whole")))
    assert (told, back) == ([check], [])
    for event in told_when_back(events(fails=False), lambda: back.append("whole")):
        assert back == ["whole"]
        told.append(event)
    assert told == [check, output, check]


def test_a_copy_of_a_warehouse_has_files_of_its_own(
    warehouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "elsewhere" / "w.duckdb"
    copy.parent.mkdir()
    monkeypatch.setenv("HEALTH_TARGET", spark.TARGET)
    spark_tables.hand_over(warehouse)
    with spark.copied(warehouse, copy):
        assert spark.folder_of(copy) == tmp_path / "elsewhere" / "w.spark"
        (spark.folder_of(copy) / "landing" / "stored.txt").write_text("another")
    assert (spark.folder_of(warehouse) / "landing" / "stored.txt").read_text() == ""
    monkeypatch.delenv("HEALTH_TARGET")
    with spark.copied(warehouse, copy):
        assert "HEALTH_SPARK_DIR" not in os.environ


def test_what_spark_is_started_with_is_ours_unless_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEALTH_SPARK_MASTER", "spark://one:7077")
    monkeypatch.delenv(spark_session.SUBMIT, raising=False)
    small = shlex.split(spark_session.submit_arguments())
    assert small[-1] == "pyspark-shell"
    assert "spark.master=spark://one:7077" in small
    assert any("-XX:Tier4InvocationThreshold" in part for part in small)
    assert "spark.sql.adaptive.enabled=false" in small

    said = "--conf spark.driver.memory=9g --name 'a shop' pyspark-shell"
    monkeypatch.setenv(spark_session.SUBMIT, said)
    monkeypatch.setenv("HEALTH_SPARK_LARGE", "true")
    large = shlex.split(spark_session.submit_arguments())
    assert large[-5:] == shlex.split(said)
    assert not any("-XX:Tier4InvocationThreshold" in part for part in large)
    assert "spark.sql.adaptive.enabled=true" in large

    # Of two values Spark takes the last, so nothing may come twice from one environment in another.
    with spark.environment(tmp_path / "w.duckdb"):
        within = os.environ[spark_session.SUBMIT]
        with spark.environment(tmp_path / "w.duckdb"):
            assert os.environ[spark_session.SUBMIT] == within
    assert os.environ[spark_session.SUBMIT] == said


def test_spark_that_is_not_installed_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark, "find_spec", lambda name: None)
    with pytest.raises(HealthError, match="run `make setup-spark`"):
        spark.check()


def test_a_target_is_one_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALTH_TARGET", spark.TARGET)
    spark.choose("duckdb")
    assert not spark.is_chosen()
    with pytest.raises(HealthError, match="--target is duckdb or spark, not 'bigquery'"):
        spark.choose("bigquery")


def test_a_target_that_nothing_is_built_on_is_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HEALTH_TARGET", "bigquery")
    with pytest.raises(HealthError, match="HEALTH_TARGET is 'bigquery', which nothing is built on"):
        spark.is_chosen()
