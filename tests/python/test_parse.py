"""One parse of the project serves all warehouses of a name, and none but those."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT

from orchestration.transform.manifest import BOUND_DBT
from orchestration.transform.parse import KEPT_PARSES, PARTIAL_PARSE, PROJECT_FOLDERS, shared

# dbt's words when it takes nothing up, and when it has nothing to do.
ANEW = "Unable to do partial parsing"
NOTHING_CHANGED = "no changes found, skipping parsing"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A model that tells what dbt says of its connection."""
    folder = tmp_path / "project"
    for name in PROJECT_FOLDERS:
        (folder / name).mkdir(parents=True)
    (folder / "dbt_project.yml").write_text(
        "name: tiny\nprofile: tiny\nflags: {send_anonymous_usage_stats: false}\n"
    )
    (folder / "profiles.yml").write_text(
        "tiny:\n  target: dev\n  outputs:\n    dev:\n      type: duckdb\n"
        "      path: \"{{ env_var('DUCKDB_PATH') }}\"\n"
        "      settings: {memory_limit: \"{{ env_var('LIMIT', '1GB') }}\"}\n"
    )
    (folder / "models" / "one.sql").write_text("select '{{ target.path }}' as lies_at")
    return folder


def run(project: Path, warehouse: Path, command: str = "parse", **environment: str) -> str:
    """What dbt says of a call whose target folder is beside the warehouse."""
    warehouse.parent.mkdir(exist_ok=True)
    folder = warehouse.parent / "target"
    with shared(project, folder, warehouse):
        done = subprocess.run(
            [
                str(BOUND_DBT), "--no-use-colors", command,
                "--project-dir", str(project), "--profiles-dir", str(project),
                "--target-path", str(folder), "--log-path", str(folder),
            ],
            env={**os.environ, "DUCKDB_PATH": str(warehouse), **environment},
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return (folder / "dbt.log").read_text()


def relation(warehouse: Path) -> str:
    nodes = json.loads((warehouse.parent / "target" / "manifest.json").read_text())["nodes"]
    return nodes["model.tiny.one"]["relation_name"]


def test_a_second_warehouse_is_parsed_by_the_first(project: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "a" / "w.duckdb", tmp_path / "b" / "w.duckdb"
    assert ANEW in run(project, first)
    said = run(project, second, "run")
    assert NOTHING_CHANGED in said
    assert ANEW not in said
    # What a model sees of the connection is the warehouse's own.
    compiled = second.parent / "target" / "compiled" / "tiny" / "models" / "one.sql"
    assert compiled.read_text() == f"select '{second}' as lies_at"
    assert second.exists()
    assert not first.exists()


def test_a_parse_is_not_for_another_name_or_another_connection(
    project: Path, tmp_path: Path
) -> None:
    first, second = tmp_path / "a" / "w.duckdb", tmp_path / "b" / "v.duckdb"
    run(project, first)
    assert ANEW in run(project, second)
    assert (relation(first), relation(second)) == ('"w"."main"."one"', '"v"."main"."one"')
    assert "profile has changed" in run(project, tmp_path / "c" / "w.duckdb", LIMIT="2GB")


def test_a_parse_is_not_for_another_project(project: Path, tmp_path: Path) -> None:
    run(project, tmp_path / "a" / "w.duckdb")
    (project / "models" / "two.sql").write_text("select 2 as two")
    assert ANEW in run(project, tmp_path / "b" / "w.duckdb")
    assert NOTHING_CHANGED in run(project, tmp_path / "c" / "w.duckdb")


def test_a_call_that_fails_leaves_no_parse_and_old_ones_go(project: Path, tmp_path: Path) -> None:
    folder = tmp_path / "target"
    folder.mkdir()
    kept = project / "target" / "parses"

    def parse(name: str) -> None:
        with shared(project, folder, tmp_path / f"{name}.duckdb"):
            (folder / PARTIAL_PARSE).write_text("parsed")

    with pytest.raises(ZeroDivisionError), shared(project, folder, tmp_path / "w.duckdb"):
        (folder / PARTIAL_PARSE).write_text(str(1 / 0))
    assert not kept.exists()
    for number in range(KEPT_PARSES + 2):
        parse(f"w{number}")
        [made] = kept.glob(f"w{number}-*")
        os.utime(made, (number, number))
    parse("last")
    names = {path.name.split("-")[0] for path in kept.iterdir()}
    assert names == {"last", *(f"w{n}" for n in range(3, KEPT_PARSES + 2))}


def test_no_model_of_ours_asks_where_the_warehouse_lies() -> None:
    """Parsed for one place, it would be wrong in another."""
    asks = re.compile(r"\btarget\s*(\.|\[['\"]|\.get\(['\"])\s*path\b|credentials\.path")
    texts = [ROOT / "dbt_project.yml"]
    for name in PROJECT_FOLDERS:
        texts += [p for p in (ROOT / name).rglob("*") if p.suffix in (".sql", ".yml", ".yaml")]
    assert len(texts) > 200
    assert [p.name for p in texts if asks.search(p.read_text())] == []
