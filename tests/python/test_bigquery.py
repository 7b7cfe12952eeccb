"""BigQuery, as far as it can be told without BigQuery: what docs/scaling.md says of it holds."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from bigquery_sql import findings
from conftest import ROOT, once, require

RUNS = ("first", "later")
INCREMENTAL = ("fact_log", "int_activity_days", "int_viewed_products")
MODELS = Path("compiled/customer_health/models")


@pytest.fixture(scope="module")
def compiled(shared: Path) -> Path:
    """The project compiled: `first/` as for an empty warehouse, `later/` as for a built one."""
    require(
        find_spec("dbt.adapters.bigquery") is not None, "dbt for BigQuery (make setup-bigquery)"
    )
    folder = shared / "bigquery"
    with once(shared, "bigquery") as is_first:
        if is_first:
            script = Path(__file__).with_name("bigquery_compile.py")
            done = subprocess.run(
                [sys.executable, str(script), str(folder)],
                cwd=ROOT, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return folder


@pytest.mark.parametrize("run", RUNS)
def test_models_and_tests_ask_for_nothing_that_bigquery_has_not(compiled: Path, run: str) -> None:
    paths = sorted((compiled / run / "compiled").rglob("*.sql"))
    found = {path.stem: findings(path.read_text()) for path in paths}
    assert {name: what for name, what in found.items() if what} == {}


def test_every_model_is_compiled(compiled: Path) -> None:
    manifest = json.loads((compiled / "first" / "manifest.json").read_text())
    nodes = [
        node
        for node in manifest["nodes"].values()
        if node["resource_type"] in ("model", "test") and node["language"] == "sql"
    ]
    assert len(nodes) > 400
    for run in RUNS:
        there = {path.stem for path in (compiled / run / "compiled").rglob("*.sql")}
        assert [node["name"] for node in nodes if Path(node["path"]).stem not in there] == []


def test_incremental_models_are_looked_at_both_ways(compiled: Path) -> None:
    for name in INCREMENTAL:
        first, later = (next((compiled / run / MODELS).rglob(f"{name}.sql")) for run in RUNS)
        assert first.read_text() != later.read_text(), name


@pytest.mark.parametrize("run", RUNS)
def test_statements_of_the_start_are_bigquerys(compiled: Path, run: str) -> None:
    statements = json.loads((compiled / run / "statements.json").read_text())
    assert sum("create table if not exists" in statement for statement in statements) > 20
    assert {s: findings(s) for s in statements if findings(s)} == {}


@pytest.mark.parametrize(
    ("good", "bad", "finding"),
    [
        ("as string)", "as varchar)", "no type varchar"),
        ("select", "selec", "does not parse: "),
        ("coalesce(", "list_has_any(", "no function list_has_any()"),
        ("union distinct", "union", "does not parse: "),
        ("date_add(", "epoch_us(", "no function epoch_us()"),
    ],
)
def test_a_model_that_breaks_is_found(compiled: Path, good: str, bad: str, finding: str) -> None:
    models = sorted((compiled / "first" / MODELS).glob("**/*.sql"))
    statements = (path.read_text() for path in models if path.is_file())
    statement = next(statement for statement in statements if good in statement)
    assert findings(statement) == []
    assert findings(statement.replace(good, bad))[0].startswith(finding)


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        ("select (a from t", "does not parse: "),
        ("select a from t union select b from t", "does not parse: "),
        ("select 'it''s'", "does not parse: "),
        ("select epoch_us(a) from t", "no function epoch_us()"),
        ("select listagg(a) from t", "no function listagg()"),
        ("select cast(a as double) from t", "no type double"),
        ("create table if not exists s.t (a varchar not null)", "no type varchar"),
        ("select cast(a as decimal(18, 10)) from t", "no decimal(18, 10)"),
        ("select cast(a as decimal(38, 0)) from t", "no decimal(38, 0)"),
        ("select a::int64 from t", "no ::"),
        ("select a ->> 'b' from t", "no ->>"),
        ("select sum(a) filter (where b) from t", "no filter (where ...)"),
        ("select b from t cross join lateral (select 1 as b) as l", "no lateral"),
        ("select a at time zone 'UTC' from t", "no at time zone"),
        ("select n from t cross join (values (1)) as v (n)", "no names of columns behind v"),
        ("select groups.a from t as groups", "reserved name groups"),
        (r"select regexp_replace(a, '\.0$', '') from t", r"no escape \."),
    ],
)
def test_what_other_engines_say_is_found(statement: str, finding: str) -> None:
    assert any(found.startswith(finding) for found in findings(statement)), findings(statement)


@pytest.mark.parametrize(
    "statement",
    [
        r"select regexp_replace(a, r'\.0$', 'it\'s') from t",
        "select cast(a as bigdecimal(18, 10)), cast(b as float64) from t",
        "create table if not exists s.t (a string not null, b array<string>, c decimal(18, 4))",
        "select a, b from t qualify row_number() over (partition by a order by b desc) = 1",
        "select i.item from t cross join unnest(array(select as struct 'a' as item)) as i",
        "with recursive w as (select 1 as n union all select n + 1 from w) select n from w",
        "select a is not distinct from b, date_diff(c, d, day), extract(year from c) from t",
        "select safe.json_value_array(a), safe_cast(b as int64) from t union distinct select c, d",
    ],
)
def test_what_bigquery_says_is_not(statement: str) -> None:
    assert findings(statement) == []
