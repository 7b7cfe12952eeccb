"""A build on Spark: what goes over, comes back, and is refused. No Spark runs here."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from orchestration.errors import HealthError
from orchestration.transform import spark

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
    assert spark.hand_over(warehouse) == ["raw_shopify.orders"]
    assert spark.hand_over(warehouse) == []
    with duckdb.connect(str(warehouse)) as connection:
        # The same number of rows, of the same load.
        connection.execute("update raw_shopify.orders set total = 2")
    assert spark.hand_over(warehouse) == ["raw_shopify.orders"]
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
    for _ in range(2):
        assert spark.take_back(warehouse, {"nodes": {"m": SCORES}}) == ["marts.scores"]
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
    spark.hand_over(warehouse)
    left = {p.parent.name: p.read_text() for p in tables.glob("*/*/part.parquet")}
    assert left == {"scores": "all", "groups": "old"}
    listed = (spark.folder_of(warehouse) / "landing" / "stored.txt").read_text()
    assert listed.split() == ["history.groups", "history.scores"]


def test_what_knows_no_spark_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    spark.refuse("Outlooks")
    monkeypatch.setenv("HEALTH_TARGET", "spark")
    with pytest.raises(HealthError, match="Outlooks know no Spark yet: unset HEALTH_TARGET"):
        spark.refuse("Outlooks")


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
