"""The dbt project itself: its layout, its contracts; `test_build` runs its unit tests."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import duckdb
import yaml
from conftest import ROOT, copied

from orchestration.extract.contract import tables
from orchestration.transform.manifest import BOUND_DBT
from orchestration.transform.parse import shared

SQL = sorted((ROOT / "models").rglob("*.sql"))


def dbt_test(warehouse: Path, select: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """`dbt test` of what is selected, on a warehouse that is ours to write to."""
    target = folder / "target"
    with shared(ROOT, target, warehouse):
        return subprocess.run(
            [str(BOUND_DBT), "--no-use-colors", "test", "--select", select,
             "--target-path", str(target)],
            cwd=ROOT,
            env={**os.environ, "DUCKDB_PATH": str(warehouse), "DBT_LOG_PATH": str(folder / "logs")},
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip


def test_a_target_of_a_shop_that_never_landed_is_warned_of(warehouse: Path, tmp_path: Path) -> None:
    ours = copied(warehouse, tmp_path)
    with duckdb.connect(str(ours)) as connection:
        connection.execute(
            "insert into seeds.kpi_targets select t.* replace (name as shop_id) from "
            "seeds.kpi_targets as t, (values ('aurelai'), ('hoshi')) as shops (name) "
            "where kpi = 'vip_share'"
        )
    done = dbt_test(ours, "targets_of_unknown_shops", tmp_path)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "WARN 1 targets_of_unknown_shops" in done.stdout


def test_no_model_asks_the_clock() -> None:
    clock = re.compile(r"\b(current_date|current_timestamp|now\(\)|get_current_timestamp|today\()")
    assert [p.name for p in SQL if clock.search(p.read_text().lower())] == []


def test_a_model_is_a_page() -> None:
    assert {p.name: n for p in SQL if (n := len(p.read_text().splitlines())) > 120} == {}


def test_the_days_of_every_kind_of_fact_are_customer_days() -> None:
    features = ROOT / "models" / "features"
    days = (features / "days" / "customer_days.sql").read_text()
    facts = {p.stem for p in features.rglob("*_facts.sql")}
    assert {name for name in facts if f"ref('{name}')" not in days} == set()


def test_dialects_are_told_apart_in_one_folder() -> None:
    places = [*SQL, *(p for p in (ROOT / "macros").rglob("*.sql") if p.parent.name != "dialect")]
    assert [p.name for p in places if "target.type" in p.read_text()] == []


def test_every_mart_has_a_contract_a_key_and_a_word_on_every_column() -> None:
    described = {}
    for path in (ROOT / "models" / "marts").rglob("*__models.yml"):
        for model in yaml.safe_load(path.read_text())["models"]:
            described[model["name"]] = model
    marts = {p.stem for p in (ROOT / "models" / "marts").rglob("*.sql")}
    assert marts == set(described)
    for name, model in described.items():
        assert model["config"]["contract"]["enforced"] is True, name
        assert any("unique_key" in t for t in model["data_tests"]), name
        assert all(c["description"] and c["data_type"] for c in model["columns"]), name


def test_the_documentation_of_inputs_names_every_table_and_column() -> None:
    text = (ROOT / "docs" / "inputs.md").read_text()
    for (source, name), table in tables().items():
        line = next((x for x in text.splitlines() if x.startswith(f"| `{source}/{name}` |")), "")
        documented = [c.strip().strip("*") for c in line.split("|")[3].split(",")] if line else []
        assert documented == list(table.payload), f"docs/inputs.md, {source}/{name}"
        assert [c.strip().strip("*") for c in line.split("|")[3].split(",") if "**" in c] == [
            c for c in table.payload if c in table.primary_key
        ]
