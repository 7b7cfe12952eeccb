"""The Fivetran layout: one shop, kept by Fivetran or landed by us, has one set of scores."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import fivetran_tables
import pytest
from conftest import ROOT, SHOP_END

from orchestration.extract.contract import tables
from orchestration.transform.manifest import BOUND_DBT
from orchestration.transform.parse import PARTIAL_PARSE

LAYOUT = {"shopify_layout": "fivetran", "klaviyo_layout": "fivetran"}
UNITED = {
    "fivetran_shops": {"lake.shopify_aurelia": "aurelia", "lake.shopify_hoshi": "hoshi"},
}
# The target folder of the last call, by the warehouse's name and dbt's vars.
PARSED: dict[tuple[str, str], Path] = {}
MARTS = ("customer_scores", "customer_score_history", "score_contributions")


def dbt(
    warehouse: Path, command: str, *arguments: str, expect: int = 0, **variables: Any
) -> subprocess.CompletedProcess[str]:
    """Run dbt on a warehouse, with a target folder beside it, parsed as the last one so called."""
    said, target = json.dumps(variables), warehouse.with_suffix(".target")
    if (parsed := PARSED.get((warehouse.name, said))) and not target.exists():
        target.mkdir()
        shutil.copy(parsed / PARTIAL_PARSE, target)
    done = subprocess.run(
        [str(BOUND_DBT), "--no-use-colors", command, *arguments,
         "--target-path", str(target), "--vars", said],
        cwd=ROOT,
        env={**os.environ, "DUCKDB_PATH": str(warehouse),
             "DBT_LOG_PATH": str(warehouse.with_suffix(".logs"))},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode == 0) == (expect == 0), done.stdout[-6000:]
    if (target / PARTIAL_PARSE).exists():
        PARSED[warehouse.name, said] = target
    return done


def manifest(warehouse: Path) -> dict[str, Any]:
    return json.loads((warehouse.with_suffix(".target") / "manifest.json").read_text())


@pytest.fixture(scope="session")
def landed(
    health: Callable[..., Any], drop: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A warehouse with the raw rows of the simulated shop alone."""
    path = tmp_path_factory.mktemp("fivetran") / "landed.duckdb"
    health("load", str(drop), "--loaded-at", "2026-11-02T12:00:00", warehouse=path)
    return path


def pair(landed: Path, folder: Path, *, graphql: bool, united: bool) -> tuple[Path, Path]:
    """The same shop in the contract's layout and in Fivetran's."""
    ours, theirs = folder / "ours.duckdb", folder / "theirs.duckdb"
    shutil.copy(landed, ours)
    if not united:
        keep_one_shop(ours)
    shutil.copy(ours, theirs)
    fivetran_tables.leave_out(ours, graphql=graphql)
    fivetran_tables.make(theirs, graphql=graphql, united=united)
    return ours, theirs


def keep_one_shop(warehouse: Path) -> None:
    with duckdb.connect(str(warehouse)) as connection:
        for source, name in tables():
            connection.execute(
                f"create schema if not exists raw_{source}; "
                f"create table if not exists raw_{source}.{name} (shop_id varchar); "
                f"delete from raw_{source}.{name} where shop_id <> 'aurelia'"
            )


def differences(ours: Path, theirs: Path, relations: list[str], leave: str = "") -> dict[str, int]:
    """How many rows of each relation only one of two warehouses has; empty ones are no proof."""
    found = {}
    for relation in relations:
        rows = []
        for warehouse in (ours, theirs):
            with duckdb.connect(str(warehouse), read_only=True) as connection:
                connection.execute("set TimeZone = 'UTC'")
                result = connection.execute(f"select * {leave} from {relation}")
                names = [d[0] for d in result.description]
                rows.append((names, sorted(map(repr, result.fetchall()))))
        assert rows[0][0] == rows[1][0], relation
        assert rows[0][1], relation
        alike = rows[0][1] == rows[1][1]
        found[relation] = 0 if alike else len(set(rows[0][1]) ^ set(rows[1][1])) or -1
    return found


def test_one_shop_in_both_layouts_has_the_same_scores(landed: Path, tmp_path: Path) -> None:
    ours, theirs = pair(landed, tmp_path, graphql=False, united=True)
    day = ("--event-time-start", SHOP_END.isoformat(), "--event-time-end", "2026-11-01")
    marts = ("--select", *(f"+{mart}" for mart in MARTS))
    dbt(ours, "build", *marts, *day, "--exclude-resource-type", "unit_test", "test")
    # All of the project, with all of its tests.
    dbt(theirs, "build", *day, "--exclude-resource-type", "unit_test", **LAYOUT, **UNITED)
    found = differences(ours, theirs, [f"marts.{mart}" for mart in MARTS])
    assert found == {f"marts.{mart}": 0 for mart in MARTS}


@pytest.mark.parametrize("graphql", [True, False], ids=["graphql", "rest"])
def test_either_connectors_tables_become_the_same_staging(
    landed: Path, tmp_path: Path, graphql: bool
) -> None:
    ours, theirs = pair(landed, tmp_path, graphql=graphql, united=not graphql)
    shops = {} if graphql else UNITED
    dbt(ours, "run", "--select", "staging.shopify", "staging.klaviyo")
    dbt(theirs, "run", "--select", "+staging.shopify", "+staging.klaviyo", **LAYOUT, **shops)
    staged = [f"staging.stg_{s}__{t}" for s, t in tables() if s in ("shopify", "klaviyo")]
    properties = [s for s in staged if s.endswith(("__events", "__profiles"))]
    fulfilled = [s for s in staged if s.endswith("__orders")]
    # REST's connector has none; that they are empty and typed is tested below.
    absent = (
        [] if graphql else ["staging.stg_shopify__returns", "staging.stg_shopify__return_lines"]
    )
    rest = [s for s in staged if s not in (*properties, *fulfilled, *absent)]
    found = differences(ours, theirs, rest)
    found |= differences(ours, theirs, properties, "exclude (properties)")
    found |= differences(
        ours, theirs, fulfilled, "replace (lower(fulfillment_status) as fulfillment_status)"
    )
    assert found == dict.fromkeys(found, 0)
    assert len(found) == 13 - len(absent)


def test_tables_that_fivetran_has_not_made_are_empty_and_of_the_same_types(tmp_path: Path) -> None:
    types = []
    for name, variables in (("ours", {}), ("theirs", LAYOUT)):
        warehouse = tmp_path / f"{name}.duckdb"
        dbt(warehouse, "run", "--select", "+staging.shopify", "+staging.klaviyo", **variables)
        with duckdb.connect(str(warehouse), read_only=True) as connection:
            types.append(
                connection.execute(
                    "select table_name, column_name, data_type from information_schema.columns "
                    "where table_schema = 'staging' and table_name like 'stg_%' order by all"
                ).fetchall()
            )
            schemas = connection.execute(
                "select schema_name from information_schema.schemata"
            ).fetchall()
            assert ("shopify",) not in schemas
    assert types[0] == types[1]
    assert len({table for table, _, _ in types[0]}) == 13


def test_the_layout_is_known_to_nothing_but_staging(tmp_path: Path) -> None:
    default, other = tmp_path / "ours.duckdb", tmp_path / "theirs.duckdb"
    dbt(default, "parse")
    dbt(other, "parse", **LAYOUT)
    plain, switched = manifest(default), manifest(other)
    ours = set(plain["nodes"])
    added = {name for name in set(switched["nodes"]) - ours if ".base_" in name}
    rest = {t for t in plain["unit_tests"] if t not in switched["unit_tests"]}
    assert rest
    assert {t.split(".")[2].split("__")[0] for t in rest} <= {"stg_shopify", "stg_klaviyo"}
    assert len(added) == 13
    assert set(switched["nodes"]) - added == ours
    assert not {s for s in plain["sources"] if "fivetran" in s}

    def parents(nodes: dict[str, Any], name: str) -> list[str]:
        return sorted(nodes[name]["depends_on"].get("nodes", []))

    changed = {
        name for name in ours if parents(plain["nodes"], name) != parents(switched["nodes"], name)
    }
    assert {node.split(".")[-1].split("__")[0] for node in changed} == {
        "stg_shopify", "stg_klaviyo",
    }  # fmt: skip
    assert len(changed) == 13


def test_one_source_may_come_from_fivetran_alone(landed: Path, tmp_path: Path) -> None:
    _, theirs = pair(landed, tmp_path, graphql=False, united=False)
    only = {"klaviyo_layout": "fivetran"}
    select = ("--select", "+stg_klaviyo__profiles", "stg_shopify__customers")
    refused = dbt(theirs, "run", *select, expect=1, **only)
    assert "Whose rows are these? Set the var fivetran_shop_id" in refused.stdout
    dbt(theirs, "run", *select, fivetran_shop_id="aurelia", **only)
    with duckdb.connect(str(theirs), read_only=True) as connection:
        assert connection.execute(
            "select distinct shop_id from staging.stg_klaviyo__profiles"
        ).fetchall() == [("aurelia",)]


def test_a_layout_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    done = dbt(tmp_path / "w.duckdb", "parse", expect=1, shopify_layout="airbyte")
    assert "The var shopify_layout is 'contract' or 'fivetran', not 'airbyte'." in done.stdout
