"""The LookML that is generated: read by two parsers, and run as SQL against MetricFlow."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import require, run_health
from lookml_sql import LookML, branches
from metric_engine import Metrics
from npm import archive, member

from orchestration.errors import HealthError
from orchestration.publish.lookml import project
from orchestration.publish.lookml.catalogue import Catalogue, kind_of, read_catalogue
from orchestration.publish.lookml.check import check
from orchestration.publish.lookml.layer import read_layer
from orchestration.publish.lookml.project import HEADER, project_files, publish_lookml
from orchestration.publish.serving import PERSONAL
from orchestration.transform.build import target_path

PARSER = "lookml-parser@7.1.3"
PARSER_SHA256 = "b820239da099ff2a0a75f7dc67d23e4a9f7658a593048415eeba693d0e41619d"
PARSER_FILES = (
    "lib/parse/index.js", "lib/parse/parser.generated.js", "lib/common/encode-property.js",
)  # fmt: skip
PARSE = """
const parse = require(process.argv[1]);
const texts = JSON.parse(require("fs").readFileSync(0, "utf8"));
const wrong = {};
for (const [name, text] of Object.entries(texts))
  try { parse(text) } catch (error) { wrong[name] = String(error.exception || error) }
console.log(JSON.stringify(wrong));
"""


@pytest.fixture(scope="module")
def manifest(warehouse: Path) -> dict[str, Any]:
    return json.loads((target_path(warehouse) / "manifest.json").read_text())


@pytest.fixture(scope="module")
def catalogue(warehouse: Path) -> Catalogue:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return read_catalogue(connection)


@pytest.fixture(scope="module")
def made(warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, written by the command."""
    folder = tmp_path_factory.mktemp("bi") / "lookml"
    said = run_health("publish", "--lookml", str(folder), warehouse=warehouse).stdout
    assert said == f"{folder}: {len(list(folder.rglob('*.lkml')))} files\n"
    return folder


@pytest.fixture(scope="module")
def lookml(made: Path) -> LookML:
    return LookML.read(made)


@pytest.fixture(scope="module")
def metrics(warehouse: Path) -> Iterator[Metrics]:
    found = Metrics(warehouse)
    yield found
    found.client.close()


def answer(metrics: Metrics, sql: str) -> Any:
    row = metrics.client.connection.execute(sql).fetchone()
    assert row is not None
    return row[0]


# --- is it LookML? -------------------------------------------------------------------------------


def test_our_own_check_finds_nothing(made: Path, catalogue: Catalogue) -> None:
    assert check(made, catalogue) == []


def test_a_column_that_postgres_has_not_is_found(made: Path, catalogue: Catalogue) -> None:
    less = {
        name: {c: kind for c, kind in columns.items() if c != "health_bucket"}
        for name, columns in catalogue.items()
    }
    found = check(made, less)
    assert len(found) >= 2
    assert all("has no column health_bucket" in sentence for sentence in found)


def test_another_parser_takes_every_file(made: Path, tmp_path: Path) -> None:
    require(shutil.which("node") is not None, "there is no node to run lookml-parser with")
    package = archive(PARSER, PARSER_SHA256)
    for name in PARSER_FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(member(package, name))
    texts = {p.relative_to(made).as_posix(): p.read_text() for p in made.rglob("*.lkml")}
    texts["wrong"] = "view: a { dimension: b { sql: ${TABLE}.b } }"
    done = subprocess.run(
        ["node", "-e", PARSE, str(tmp_path / PARSER_FILES[0])],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=True,
    )
    assert list(json.loads(done.stdout)) == ["wrong"]


# --- is it all there? ----------------------------------------------------------------------------


def test_there_is_a_view_and_an_explore_for_each_mart_of_the_exposure(
    lookml: LookML, manifest: dict[str, Any]
) -> None:
    [looker] = [e for e in manifest["exposures"].values() if e["name"] == "looker"]
    marts = {manifest["nodes"][n]["alias"] for n in looker["depends_on"]["nodes"]}
    assert lookml.views.keys() == marts == lookml.explores.keys()


def test_every_column_is_a_field_with_the_words_of_dbt(
    lookml: LookML, manifest: dict[str, Any], catalogue: Catalogue
) -> None:
    nodes = {n["alias"]: n for n in manifest["nodes"].values() if n["resource_type"] == "model"}
    for view in lookml.views:
        fields = [
            *lookml.views[view]["dimensions"],
            *lookml.views[view].get("dimension_groups", ()),
        ]
        by_column = {f["sql"]: f for f in fields}
        for column, data_type in catalogue[view].items():
            found = by_column["${TABLE}." + column]
            words = nodes[view]["columns"][column]["description"]
            assert found["description"] == " ".join(words.split()).replace('"', "'")
            assert found["label"], (view, column)
            if kind_of(data_type) == "date":
                assert (found["convert_tz"], found["datatype"]) == ("no", "date")
            elif kind_of(data_type) == "timestamp":
                assert "convert_tz" not in found
                assert found["datatype"] == "timestamp"
            else:
                assert found["type"] == kind_of(data_type)


@pytest.mark.parametrize(
    ("data_type", "kind"),
    [
        ("decimal(18,2)", "number"), ("numeric", "number"), ("double precision", "number"),
        ("hugeint", "number"), ("integer", "number"), ("bigint", "number"), ("real", "number"),
        ("character varying", "string"), ("varchar[]", "string"), ("text", "string"),
        ("timestamp without time zone", "timestamp"), ("timestamp", "timestamp"),
        ("date", "date"), ("boolean", "yesno"), ("interval", "string"),
    ],
)  # fmt: skip
def test_types_are_known_by_the_names_of_both_databases(data_type: str, kind: str) -> None:
    assert kind_of(data_type) == kind


def test_keys_are_there_once_and_hidden_where_another_view_shows_them(lookml: LookML) -> None:
    for view in lookml.views:
        assert lookml.primary_key(view)
    orders = lookml.fields("orders", "dimensions")
    assert orders["row_key"]["sql"] == "concat(${TABLE}.shop_id, '|', ${TABLE}.order_id)"
    assert orders["row_key"]["hidden"] == orders["customer_key"]["hidden"] == "yes"
    assert "hidden" not in lookml.fields("customers", "dimensions")["customer_key"]


def test_what_is_a_metric_is_a_measure_and_what_is_a_part_is_hidden(
    lookml: LookML, manifest: dict[str, Any]
) -> None:
    found: dict[str, dict[str, Any]] = {}
    for view in lookml.views:
        found |= lookml.fields(view, "measures")
    for metric in manifest["metrics"].values():
        measure, meta = found[metric["name"]], metric["config"]["meta"]
        assert measure["label"] == metric["label"]
        assert measure["description"].startswith(metric["description"])
        assert ("hidden" in measure) == bool(meta.get("part"))
        if direction := meta.get("direction"):
            assert measure["tags"] == [f"direction:{direction}"]
            better = {"up": "Higher", "down": "Lower"}[direction]
            assert measure["description"].endswith(f"{better} is better.")
    assert all(measure["drill_fields"] == ["detail*"] for measure in found.values())


def test_the_cache_follows_the_days_that_were_scored(lookml: LookML, metrics: Metrics) -> None:
    [group] = lookml.model["datagroups"]
    assert lookml.model["persist_with"] == group["name"]
    assert answer(metrics, lookml.raw(group["sql_trigger"])).startswith("2026-10-31 14 ")


def test_nothing_in_it_is_about_anybody(made: Path, lookml: LookML, metrics: Metrics) -> None:
    text = "\n".join(p.read_text() for p in made.rglob("*.lkml"))
    fields = {f for v in lookml.views for f in lookml.fields(v, "dimensions")}
    assert fields & PERSONAL == set()
    assert not re.search(r"\w@\w", text)
    keys = metrics.client.connection.execute("select customer_key from marts.customers").fetchall()
    assert [key for (key,) in keys if key in text] == []


# --- is it the same number? ----------------------------------------------------------------------


def test_every_measure_gives_what_metricflow_gives(lookml: LookML, metrics: Metrics) -> None:
    expected = metrics.ask(*metrics.names)[None]
    compared = []
    for view in lookml.views:
        for name in lookml.fields(view, "measures").keys() & expected.keys():
            # Of several days, what the explore lets through.
            where = dict(branches(lookml.explores[view].get("sql_always_where", ""))).get("else")
            condition = lookml.raw(where) if where else "true"
            sql = f"select {lookml.measure(view, name)} from {lookml.source(view)}"
            found = answer(metrics, f"{sql} where {condition}")
            assert float(found) == pytest.approx(float(expected[name]), rel=1e-12), (view, name)
            compared.append((view, name))
    assert {name for _, name in compared} == set(metrics.names)
    assert ("customer_scores", "trust_average") in compared
    assert ("customer_score_history", "trust_average") in compared


@pytest.mark.parametrize("period", ["week", "month", "quarter", "year"])
def test_by_period_the_last_scored_day_of_each_speaks(
    lookml: LookML, metrics: Metrics, period: str
) -> None:
    explore = lookml.explores["customer_score_history"]
    where = dict(branches(explore["sql_always_where"]))
    assert where["customer_score_history.as_of_date._is_selected"] == "true"
    condition = lookml.raw(where[f"customer_score_history.as_of_{period}._in_query"])
    start = f"date_trunc('{period}', as_of_date)"
    found = metrics.client.connection.execute(
        f"select cast({start} as date), "
        f"{lookml.measure('customer_score_history', 'scored_customers')}, "
        f"{lookml.measure('customer_score_history', 'high_health_share')} "
        f"from {lookml.source('customer_score_history')} where {condition} group by 1"
    ).fetchall()
    asked = metrics.ask("scored_customers", "high_health_share", by=f"metric_time__{period}")
    expected = {k.date(): (v["scored_customers"], v["high_health_share"]) for k, v in asked.items()}
    assert {day: (count, pytest.approx(share)) for day, count, share in found} == expected
    assert len(found) == (2 if period == "week" else 1)


def test_no_join_multiplies_rows_and_each_finds_something(lookml: LookML, metrics: Metrics) -> None:
    joined = set()
    for name, explore in lookml.explores.items():
        for join in explore.get("joins", ()):
            assert join["relationship"] in ("one_to_one", "many_to_one")
            rows = answer(metrics, f"select count(*) from {lookml.source(name)}")
            source = lookml.joined(name, join)
            assert answer(metrics, f"select count(*) from {source}") == rows, (name, join["name"])
            key = lookml.primary_key(join["name"])
            found = answer(metrics, f"select count({key}) from {source}")
            assert found > 0 or not rows, (name, join["name"])
            joined.add((name, join["name"]))
    assert {
        ("orders", "customers"), ("orders", "customer_scores"), ("order_lines", "orders"),
        ("customer_segments", "customer_score_history"), ("customers", "customer_scores"),
        ("customer_signals", "signal_glossary"),
    } <= joined  # fmt: skip


def test_the_data_tests_would_pass_and_see_a_key_that_is_there_twice(
    lookml: LookML, metrics: Metrics
) -> None:
    for view in lookml.views:
        assert f"{view}_has_no_key_twice" in lookml.tests
        key = lookml.primary_key(view)
        sql = f"select max(n) from (select count(*) as n from {{}} group by {key})"
        assert answer(metrics, sql.format(lookml.source(view))) in (1, None), view
    twice = "(from marts.orders union all from marts.orders limit 5000) as orders"
    sql = f"select max(n) from (select count(*) as n from {twice} group by "
    assert answer(metrics, sql + lookml.primary_key("orders") + ")") == 2


# --- writing it ----------------------------------------------------------------------------------


def test_the_same_models_give_the_same_files(
    made: Path, manifest: dict[str, Any], catalogue: Catalogue
) -> None:
    texts = project_files(manifest, catalogue)
    assert {p.relative_to(made).as_posix(): p.read_text() for p in made.rglob("*.lkml")} == texts
    turned = manifest | {
        kind: dict(reversed(manifest[kind].items()))
        for kind in ("nodes", "metrics", "semantic_models", "exposures")
    }
    assert project_files(turned, catalogue) == texts


@pytest.fixture
def publish(warehouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Any]:
    """The folder and how to write into it, with the manifest of the build."""
    there = target_path(warehouse) / "manifest.json"
    monkeypatch.setattr(project, "ensure_manifest", lambda: there)
    folder = tmp_path / "lookml"
    return folder, lambda: publish_lookml(warehouse, folder)


def test_old_files_of_ours_go_and_those_of_others_stay(publish: tuple[Path, Any]) -> None:
    folder, write = publish
    first = write()
    gone, theirs = folder / "views" / "gone.view.lkml", folder / "views" / "more.view.lkml"
    gone.write_text(HEADER + "view: gone {}\n")
    theirs.write_text("view: more {}\n")
    assert write() == first
    assert not gone.exists()
    assert theirs.read_text() == "view: more {}\n"


def test_a_file_of_others_is_not_overwritten(publish: tuple[Path, Any]) -> None:
    folder, write = publish
    theirs = folder / "views" / "orders.view.lkml"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("view: orders {}\n")
    with pytest.raises(HealthError, match=r"orders\.view\.lkml was not made by"):
        write()
    assert [p for p in folder.rglob("*") if p.is_file()] == [theirs]


def test_what_our_check_refuses_is_not_written(
    publish: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, write = publish
    monkeypatch.setattr(project, "TRIGGER", "select max(as_of_date) from @{SCHEMA}.days")
    with pytest.raises(HealthError, match=r"customer_health\.model\.lkml:\d+: There is no table"):
        write()
    assert not folder.exists()


# --- what it cannot be made of -------------------------------------------------------------------


def changed(manifest: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(manifest))


def test_what_bi_must_not_or_cannot_show_is_a_sentence(
    manifest: dict[str, Any], catalogue: Catalogue
) -> None:
    orders, metric = "model.customer_health.orders", "metric.customer_health.{}".format

    def refused(said: str, other: dict[str, Any], columns: Catalogue = catalogue) -> None:
        with pytest.raises(HealthError, match=said):
            read_layer(other, columns)

    refused("no exposure 'looker'", manifest | {"exposures": {}})
    refused(
        "marts.orders is not among the marts that were built",
        manifest,
        {name: columns for name, columns in catalogue.items() if name != "orders"},
    )
    personal = {**catalogue, "orders": {**catalogue["orders"], "Email": "varchar"}}
    refused("marts.orders has email: personal data", manifest, personal)

    keyless = changed(manifest)
    for node in keyless["nodes"].values():
        if node.get("attached_node") == orders:
            node["attached_node"] = None
    refused("orders has no test unique_key", keyless)

    cumulative = changed(manifest)
    cumulative["metrics"][metric("attach_rate")]["type"] = "cumulative"
    refused("The metric attach_rate is neither simple nor a ratio", cumulative)

    apart = changed(manifest)
    apart["metrics"][metric("attach_rate")]["type_params"]["denominator"]["name"] = (
        "buying_customers"
    )
    refused("Both parts of the metric attach_rate must be of one", apart)

    filtered = changed(manifest)
    filtered["metrics"][metric("orders")]["filter"] = {"where_filters": []}
    refused("The metric orders has a filter", filtered)

    median = changed(manifest)
    for measure in median["semantic_models"]["semantic_model.customer_health.orders"]["measures"]:
        measure["agg"] = "median"
    refused("nothing for the aggregation median of the metric", median)
