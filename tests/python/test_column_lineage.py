"""What columns are made of, as the console tells it: known edges are there, others are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from orchestration.definitions import defs
from orchestration.transform import column_lineage as lineages
from orchestration.transform.assets import Translator
from orchestration.transform.column_lineage import Lineage
from orchestration.transform.column_metadata import LINEAGE, SCHEMA, TABLE
from orchestration.transform.manifest import ensure_compiled

Column = tuple[str, str]


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ensure_compiled().read_text())
    return found


@pytest.fixture(scope="module")
def lineage(manifest: dict[str, Any]) -> dict[Column, set[Column]]:
    """What each column is made of, both as (`schema/name`, column)."""

    def name(node: str) -> str:
        found = manifest["nodes"].get(node) or manifest["sources"][node]
        return Translator().get_asset_key(found).to_user_string()

    return {
        (name(model), column): {(name(node), of) for node, of in origins}
        for model, columns in lineages.ensure_lineage().items()
        for column, origins in columns.items()
    }


def reached(lineage: dict[Column, set[Column]], start: Column) -> set[Column]:
    """All columns behind one, however far."""
    found: set[Column] = set()
    waiting = [start]
    while waiting:
        for origin in lineage.get(waiting.pop(), set()) - found:
            found.add(origin)
            waiting.append(origin)
    return found


def spec(*key: str) -> dg.AssetSpec:
    return defs.resolve_asset_graph().get(dg.AssetKey(key))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("column", "made_of"),
    [
        # Through a view over intervals, and `select * from final`.
        ("marts/customer_scores.health_score", {"history/score_intervals.health_score"}),
        (
            "marts/customer_scores.recency_days",
            {"history/score_intervals.last_order_date", "marts/scored_days.as_of_date"},
        ),
        # Through a macro that decays.
        (
            "marts/customer_scores.behaviour_score",
            {
                "history/behaviour_intervals.anchor_date",
                "history/behaviour_intervals.half_life_days",
                "history/behaviour_intervals.term",
                "history/behaviour_intervals.weight",
                "marts/scored_days.as_of_date",
            },
        ),
        # Both branches of a union, one of which has another name for it.
        (
            "marts/score_contributions.rule_id",
            {"history/behaviour_intervals.event_type", "history/contribution_intervals.rule_id"},
        ),
        # Members of JSON, which no schema knows.
        ("intermediate/int_event_properties.property", {"staging/stg_klaviyo__events.properties"}),
        ("staging/stg_shopify__orders.order_id", {"raw_shopify/orders.order_id"}),
        ("marts/customers.orders", set()),
    ],
)
def test_a_column_is_made_of_these_and_of_no_other(
    lineage: dict[Column, set[Column]], column: str, made_of: set[str]
) -> None:
    relation, _, name = column.partition(".")
    assert {f"{node}.{of}" for node, of in lineage[relation, name]} == made_of


def test_a_score_goes_back_to_its_rules_and_not_to_another_score(
    lineage: dict[Column, set[Column]],
) -> None:
    behind = reached(lineage, ("marts/customer_scores", "health_score"))
    assert ("features/points_contributions", "points") in behind
    assert ("seeds/scorecard_rules", "points") in behind
    assert not [c for c in behind if "trust" in "".join(c) or "behaviour" in "".join(c)]
    assert ("raw_shopify/orders", "created_at") in reached(
        lineage, ("marts/customer_scores", "recency_days")
    )


def test_every_model_has_the_columns_that_its_contract_names(
    manifest: dict[str, Any], lineage: dict[Column, set[Column]]
) -> None:
    found = lineages.ensure_lineage()
    models = {u: n for u, n in manifest["nodes"].items() if n["resource_type"] == "model"}
    assert set(found) == set(models)
    contracted = {u: n for u, n in models.items() if n["config"]["contract"]["enforced"]}
    assert len(contracted) > 20
    for unique_id, node in contracted.items():
        assert sorted(found[unique_id]) == sorted(node["columns"]), unique_id
    # What a column is made of is a column that is there.
    known = set(lineage) | {
        (f"{s['schema']}/{s['identifier']}", column)
        for s in manifest["sources"].values()
        for column in s["columns"]
    }
    strangers = {o for origins in lineage.values() for o in origins} - known
    assert {o for o in strangers if not o[0].startswith("seeds/")} == set()


def test_the_console_tells_it_with_the_description_and_both_ways() -> None:
    scores = spec("marts", "customer_scores")
    [told] = [c for c in scores.metadata[SCHEMA].columns if c.name == "health_score"]
    assert told.description.endswith(" From history/score_intervals.health_score.")
    table = scores.metadata[TABLE].value.splitlines()
    [row] = [line for line in table if line.startswith("| health_score |")]
    assert row.startswith(
        "| health_score | [history/score_intervals](/assets/history/score_intervals).health_score |"
    )
    assert scores.metadata[LINEAGE].deps_by_column["health_score"] == [
        dg.TableColumnDep(dg.AssetKey(["history", "score_intervals"]), "health_score")
    ]
    # And the other way.
    table = spec("history", "score_intervals").metadata[TABLE].value.splitlines()
    cells = {line.split(" | ")[0].strip("| "): line.split(" | ")[2] for line in table[2:]}
    assert (
        "[marts/customer_scores](/assets/marts/customer_scores).health_score"
        in (cells["health_score"])
    )
    assert "health_score" not in cells["trust_score"]


def test_a_seed_tells_what_it_goes_into() -> None:
    table = spec("seeds", "scorecard_rules").metadata[TABLE].value
    [row] = [line for line in table.splitlines() if line.startswith("| points |")]
    assert row.split(" | ")[1] == ""
    assert "features/" in row


def small(**models: str) -> Lineage:
    """The lineage of a project of a source `raw.a (x, y)` and these models, in order."""
    source = {"resource_type": "source", "relation_name": '"db"."raw"."a"', "columns": "xy"}
    before = ["source.a"]
    nodes = {}
    for name, sql in models.items():
        nodes[name] = {
            "resource_type": "model",
            "relation_name": f'"db"."s"."{name}"',
            "compiled_code": sql,
            "depends_on": {"nodes": list(before)},
        }
        before.append(name)
    return lineages.lineage_of({"sources": {"source.a": source}, "nodes": nodes})


def test_stars_joins_and_constants() -> None:
    found = small(
        one='select *, 1 as one from "db"."raw"."a"',
        two=(
            'with o as (select * from "db"."s"."one") '
            'select o.x + a.y as z, o.one from o inner join "db"."raw"."a" as a on o.x = a.x'
        ),
    )
    assert found == {
        "one": {"x": [("source.a", "x")], "y": [("source.a", "y")], "one": []},
        "two": {"z": [("one", "x"), ("source.a", "y")], "one": [("one", "one")]},
    }
    assert lineages.destinations(found)["source.a", "y"] == [("one", "y"), ("two", "z")]


def test_it_is_read_once_for_each_state_of_the_project() -> None:
    kept = ensure_compiled().with_name(lineages.FILE)
    lineages.ensure_lineage()
    before = kept.stat().st_mtime_ns
    lineages.ensure_lineage()
    assert kept.stat().st_mtime_ns == before
    assert Path(kept).stat().st_size > 10_000
