"""The types of columns that a run records: read once dbt is done, whatever came of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dagster import AssetCheckResult, Failure, Output

from orchestration.transform.column_metadata import SCHEMA, column_types, with_types

CUSTOMERS = Output(None, "customers", metadata={"rows": 3})
CHECK = AssetCheckResult(passed=True)
NOWHERE = Output(None, "nowhere")


@pytest.fixture
def built(tmp_path: Path) -> Path:
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema marts")
        connection.execute("create table marts.customers (name varchar, spent decimal(18, 2))")
        connection.execute("create view marts.names as select name, 1 as one from marts.customers")
    return path


def told(events: Iterator[Any], warehouse: Path) -> tuple[list[Any], list[str]]:
    """What came of events, a failure last, and what was warned of."""
    warnings: list[str] = []
    found: list[Any] = []
    try:
        found.extend(with_types(events, warehouse, lambda name: ("marts", name), warnings.append))
    except Failure as failure:
        found.append(failure)
    return found, warnings


def types(event: Output[Any]) -> dict[str, str]:
    return {c.name: c.type for c in event.metadata[SCHEMA].schema.columns}


def test_columns_of_tables_and_views_have_their_types_in_order(built: Path) -> None:
    found = {
        relation: [(c.name, c.type) for c in schema.columns]
        for relation, schema in column_types(built).items()
    }
    assert found == {
        ("marts", "customers"): [("name", "VARCHAR"), ("spent", "DECIMAL(18,2)")],
        ("marts", "names"): [("name", "VARCHAR"), ("one", "INTEGER")],
    }


def test_outputs_keep_what_they_said_and_say_their_columns(built: Path) -> None:
    found, warnings = told(iter([CUSTOMERS, CHECK, NOWHERE]), built)
    assert types(found[0]) == {"name": "VARCHAR", "spent": "DECIMAL(18,2)"}
    assert found[0].metadata["rows"].value == 3
    assert (found[1], found[2]) == (CHECK, NOWHERE)
    assert warnings == []


def test_types_are_read_when_the_last_event_is_there(built: Path) -> None:
    def events() -> Iterator[Any]:
        yield CUSTOMERS
        with duckdb.connect(str(built)) as connection:
            connection.execute("alter table marts.customers add column since date")

    [found], _ = told(events(), built)
    assert list(types(found)) == ["name", "spent", "since"]


def test_of_a_call_that_failed_what_it_built_is_told_first(built: Path) -> None:
    failure = Failure("dbt failed at 1 of 2 nodes.")

    def events() -> Iterator[Any]:
        yield CUSTOMERS
        raise failure

    found, _ = told(events(), built)
    assert list(types(found[0])) == ["name", "spent"]
    assert found[1:] == [failure]


def test_a_warehouse_that_is_held_costs_the_types_alone(built: Path) -> None:
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(built)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout
        holder.stdout.readline()
        found, [warning] = told(iter([CUSTOMERS]), built)
        holder.communicate(b"\n")
    assert found == [CUSTOMERS]
    assert warning.startswith("The types of columns are not recorded. The warehouse ")
    assert f"held by process {holder.pid}." in warning
