"""The metrics: what MetricFlow makes of them, against plain SQL over the same marts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from metric_engine import Metrics
from metricflow.validation.data_warehouse_model_validator import DataWarehouseModelValidator
from metricflow_semantic_interfaces.validations.semantic_manifest_validator import (
    SemanticManifestValidator,
)

from orchestration.transform.build import target_path

# Metric -> relation and expression, written without a look at models/semantic.
ORDERS = "marts.orders where is_counted"
LATEST = "marts.customer_scores"
PLAIN = {
    "orders": (ORDERS, "count(*)"),
    "revenue": (ORDERS, "sum(order_value)"),
    "average_order_value": (ORDERS, "avg(order_value)"),
    "attach_rate": (ORDERS, "avg(cast(has_accepted_addon as integer))"),
    "return_rate": (ORDERS, "avg(cast(has_return as integer))"),
    "refund_share": (ORDERS, "sum(refunded_amount) / sum(order_value)"),
    "revenue_per_customer": (
        f"{ORDERS} and customer_key is not null",
        "sum(order_value) / count(distinct customer_key)",
    ),
    "repeat_purchase_rate": (
        "marts.customers where orders > 0",
        "avg(case when orders > 1 then 1 else 0 end)",
    ),
    "high_health_share": (LATEST, "avg(case health_bucket when 'high' then 1 else 0 end)"),
    "low_health_share": (LATEST, "avg(case health_bucket when 'low' then 1 else 0 end)"),
    "trust_average": (LATEST, "avg(trust_score)"),
    "customers_at_risk": (
        f"{LATEST} where monetary is not null and frequency >= 1",
        "count(*) filter (where behaviour_band = 'at_risk')",
    ),
}


@pytest.fixture(scope="module")
def metrics(warehouse: Path) -> Iterator[Metrics]:
    found = Metrics(warehouse)
    yield found
    found.client.close()


@pytest.fixture(scope="module")
def manifest(warehouse: Path) -> dict[str, Any]:
    return json.loads((target_path(warehouse) / "manifest.json").read_text())


def for_people(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return [m for m in manifest["metrics"].values() if not m["config"]["meta"].get("part")]


def test_there_are_eight_to_twelve_metrics_each_with_words_and_a_good_direction(
    manifest: dict[str, Any],
) -> None:
    found = for_people(manifest)
    assert {m["name"] for m in found} == set(PLAIN)
    assert 8 <= len(found) <= 12
    for metric in found:
        assert metric["label"], metric["name"]
        assert metric["description"].endswith("."), metric["name"]
        assert metric["config"]["meta"]["direction"] in ("up", "down"), metric["name"]


def test_what_is_a_part_is_a_part_of_something(manifest: dict[str, Any]) -> None:
    parts = {m["name"] for m in manifest["metrics"].values()} - set(PLAIN)
    used = {
        end["name"]
        for metric in manifest["metrics"].values()
        for end in (metric["type_params"]["numerator"], metric["type_params"]["denominator"])
        if end
    }
    assert parts - used == set()


def test_metricflow_finds_nothing_wrong(metrics: Metrics) -> None:
    said = SemanticManifestValidator().validate_semantic_manifest(metrics.manifest)
    assert [issue.as_readable_str() for issue in said.all_issues] == []


def test_every_semantic_model_dimension_entity_and_metric_can_be_asked_of_the_warehouse(
    metrics: Metrics,
) -> None:
    judge = DataWarehouseModelValidator(sql_client=metrics.client)
    for validate in (
        judge.validate_semantic_models,
        judge.validate_dimensions,
        judge.validate_entities,
        judge.validate_simple_metrics,
        judge.validate_metrics,
    ):
        said = validate(metrics.manifest)
        assert [issue.as_readable_str() for issue in said.all_issues] == [], validate.__name__


def plain(metrics: Metrics, name: str, by: str | None = None) -> dict[Any, float]:
    """A metric of PLAIN by group."""
    source, expression = PLAIN[name]
    group = by or "null"
    rows = metrics.client.connection.execute(
        f"select {group}, {expression} from {source} group by {group}"
    ).fetchall()
    return {key: float(value) for key, value in rows}


@pytest.mark.parametrize("name", sorted(PLAIN))
def test_a_metric_is_what_plain_sql_says(metrics: Metrics, name: str) -> None:
    found = metrics.ask(name)
    assert float(found[None][name]) == pytest.approx(plain(metrics, name)[None], rel=1e-12)
    assert found[None][name] > 0


@pytest.mark.parametrize(
    ("name", "by"),
    [
        ("revenue", "order__shop_id"),
        ("average_order_value", "order__shop_id"),
        ("refund_share", "order__shop_id"),
        ("revenue_per_customer", "order__shop_id"),
        ("return_rate", "order__shipping_country_code"),
        ("repeat_purchase_rate", "customer__is_shopify_customer"),
        ("high_health_share", "customer_day__shop_id"),
        ("trust_average", "customer_day__shop_id"),
        ("customers_at_risk", "customer_day__trust_rating"),
    ],
)
def test_a_metric_by_group_is_what_plain_sql_says(metrics: Metrics, name: str, by: str) -> None:
    found = {key: row[name] for key, row in metrics.ask(name, by=by).items() if row[name]}
    expected = {k: v for k, v in plain(metrics, name, by.partition("__")[2]).items() if v}
    assert len(found) > 1
    assert found.keys() == expected.keys()
    for key, value in found.items():
        assert float(value) == pytest.approx(expected[key], rel=1e-12), key


def test_revenue_by_month_is_what_plain_sql_says(metrics: Metrics) -> None:
    found = metrics.ask("revenue", by="metric_time__month")
    expected = plain(metrics, "revenue", "cast(date_trunc('month', order_date) as date)")
    assert len(found) >= 12
    assert {k.date(): float(v["revenue"]) for k, v in found.items()} == pytest.approx(expected)


def test_orders_can_be_grouped_by_what_is_known_of_their_customers(metrics: Metrics) -> None:
    found = metrics.ask("orders", by="customer__current_health_bucket")
    expected = dict(
        metrics.client.connection.execute(
            "select health_bucket, count(*) from marts.orders as o "
            "left join marts.customer_scores as s on o.customer_key = s.customer_key "
            "where is_counted group by all"
        ).fetchall()
    )
    assert {key: row["orders"] for key, row in found.items()} == expected
    assert {"high", "medium", "low"} <= found.keys()


def test_customers_are_not_added_up_over_days(metrics: Metrics) -> None:
    by_day = metrics.ask("scored_customers", "high_health_share", by="metric_time__day")
    assert len(by_day) == 7
    days = dict(
        metrics.client.connection.execute(
            "select as_of_date, count(*) from marts.customer_score_history group by all"
        ).fetchall()
    )
    assert {k.date(): v["scored_customers"] for k, v in by_day.items()} == days
    [(_, month)] = metrics.ask("scored_customers", by="metric_time__month").items()
    assert month["scored_customers"] == days[max(days)]
    assert month == metrics.ask("scored_customers")[None]


# --- who reads what ------------------------------------------------------------------------------


def read_by(manifest: dict[str, Any], exposure: str) -> set[str]:
    """The relations, `schema.name`, of an exposure."""
    [found] = [e for e in manifest["exposures"].values() if e["name"] == exposure]
    nodes = [manifest["nodes"][name] for name in found["depends_on"]["nodes"]]
    return {f"{node['schema']}.{node['alias']}" for node in nodes}


def test_every_consumer_has_an_exposure_that_names_an_owner(manifest: dict[str, Any]) -> None:
    exposures = {e["name"]: e for e in manifest["exposures"].values()}
    consumers = {
        "report", "customer_page", "service_levels", "serving_copy", "looker",
        "klaviyo", "shopify", "postscript", "slack",
    }  # fmt: skip
    assert consumers <= exposures.keys()
    for exposure in exposures.values():
        assert exposure["owner"]["name"], exposure["name"]
        assert exposure["description"], exposure["name"]


@pytest.mark.parametrize(
    ("exposure", "queries"),
    [
        ("report", "*.sql"),
        ("customer_page", "customer/*.sql"),
        ("service_levels", "site/*.sql"),
    ],
)
def test_a_page_depends_on_what_its_queries_read(
    manifest: dict[str, Any], exposure: str, queries: str
) -> None:
    paths = list((ROOT / "dashboards").glob(queries))
    relation = re.compile(r"(?:from|join) ((?:marts|history|activation)\.\w+)")
    read = {name for path in paths for name in relation.findall(path.read_text())}
    # Models alone: to Dagster, a source that an exposure names is an asset that nobody makes.
    sources = {f"{s['schema']}.{s['identifier']}" for s in manifest["sources"].values()}
    assert read_by(manifest, exposure) == read - sources


def test_the_serving_copy_depends_on_every_mart(manifest: dict[str, Any]) -> None:
    marts = {
        f"marts.{node['alias']}"
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["schema"] == "marts"
    }
    assert read_by(manifest, "serving_copy") == marts
    assert read_by(manifest, "looker") < marts
