"""Spark builds what DuckDB builds, cell by cell; and a dialect that is wrong is found out."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import ROOT, require

from orchestration.errors import HealthError
from orchestration.transform import spark

# Folders of the project that a build reads, for a copy of it.
READ = ("benchmarks", "macros", "models", "orchestration", "seeds", "tests")
FILES = ("dbt_project.yml", "profiles.yml", "pyproject.toml")


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    """These tests want Java, and what `make setup-spark` installs."""
    try:
        spark.check()
    except HealthError as error:
        require(False, str(error))


def run_parity(*arguments: str, project: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """`make parity` with arguments, in the project or in a copy of it."""
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.parity", *arguments],
        cwd=project,
        env={**os.environ, "COLUMNS": "120", "PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_three_deliveries_to_two_thousand_customers_are_the_same_on_both() -> None:
    done = run_parity("--customers", "2000", "--days", "180", "--deliveries", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = re.findall(r"2026-10-\d\d[ │]+(\d+)[ │]+([\d,]+)[ │]+([\d,]+)[ │]+(\d+) ", done.stdout)
    assert len(rows) == 3, done.stdout
    for relations, _, cells, differing in rows:
        # All that stands in the warehouse, and not a project that shrank to a few tables.
        assert int(relations) > 180
        assert int(cells.replace(",", "")) > 5_000_000
        assert differing == "0"


def test_a_large_relation_is_compared_in_slices_as_in_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    parity = importlib.import_module("benchmarks.parity")
    ours, theirs = tmp_path / "ours.duckdb", tmp_path / "theirs.duckdb"
    for path, changed in ((ours, ""), (theirs, " + (i % 100 = 7)::int")):
        with duckdb.connect(str(path)) as connection:
            connection.execute("create schema marts")
            # Many rows of a pair are alike, and some have a part that is null.
            connection.execute(
                "create table marts.notes as select i % 50 as place, "
                f"nullif(i % 3, 0) as exact, i / 7{changed} as measure from range(1000) as t (i)"
            )

    def compared() -> Any:
        """One result, whether it takes one slice or many."""
        found = []
        for at_once in (10**6, 150):
            monkeypatch.setattr(parity, "AT_ONCE", at_once)
            found += parity.compare(ours, theirs)
        assert found[0] == found[1]
        return found[0]

    found = compared()
    assert (found.relation, found.rows, found.cells) == ("marts.notes", 1000, 3000)
    assert found.differing == {"measure": 10}
    with duckdb.connect(str(theirs)) as connection:
        connection.execute("insert into marts.notes values (1, null, 2.5), (60, 1, 1.5)")
    assert compared().differing == {"rows": 2}


def test_a_dialect_that_forgets_the_time_zone_is_found_out(tmp_path: Path) -> None:
    for folder in READ:
        shutil.copytree(
            ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "python")
        )
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path)
    macros = tmp_path / "macros" / "dialect" / "time.sql"
    right = "{% macro spark__local_date(utc_timestamp, zone) -%}"
    text = macros.read_text()
    assert text.count(right) == 1
    broken = right + "cast({{ utc_timestamp }} as date)\n{%- endmacro %}\n"
    macros.write_text(broken.join([text.split(right)[0], _after_macro(text.split(right)[1])]))
    done = run_parity(
        "--customers", "100", "--days", "60", "--deliveries", "1",
        "--select", "+int_shop_calendar", project=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert "intermediate.int_shop_calendar: " in done.stdout, done.stdout + done.stderr
    assert "error" not in done.stderr.lower(), done.stderr


def _after_macro(text: str) -> str:
    """What follows the end of the macro that a text is in."""
    return text.split("{%- endmacro %}", 1)[1]
