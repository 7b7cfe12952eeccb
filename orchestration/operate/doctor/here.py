"""Looks at this machine: versions, the warehouse, the copy for readers, the landing folder."""

from __future__ import annotations

import os
from datetime import date
from importlib import metadata
from pathlib import Path

import duckdb
from packaging.requirements import Requirement

from orchestration.errors import HealthError
from orchestration.operate.doctor.check import Check, State
from orchestration.settings import Settings
from orchestration.warehouse import connect

HERE = "here"
PROGRAMS = {"dbt-core": "dbt", "duckdb": "DuckDB"}


def look_here(settings: Settings) -> list[Check]:
    """What this machine has, one check a thing."""
    last_days: dict[str, date | None] = {}
    warehouse = _warehouse(settings.warehouse_path, last_days)
    return [
        *(_version(package) for package in PROGRAMS),
        warehouse,
        _serving(settings.serving_path, last_days),
        _landing(settings.landing_path),
    ]


def _version(package: str) -> Check:
    """Whether a program is the version that this project was made with."""
    what, version = PROGRAMS[package], metadata.version(package)
    wanted = next(
        (
            requirement.specifier
            for requirement in map(Requirement, metadata.requires("customer-health") or [])
            if requirement.name == package
        ),
        None,
    )
    if wanted is not None and version not in wanted:
        mend = f"{what} {wanted} is wanted: run `make setup`."
        return Check(HERE, what, State.WRONG, version, mend)
    return Check(HERE, what, State.FINE, version)


def _warehouse(path: Path, last_days: dict[str, date | None]) -> Check:
    what = "warehouse"
    if not path.exists():
        mend = "`health load` or `health extract` makes it."
        return Check(HERE, what, State.OFF, f"nothing at {path}", mend)
    try:
        with connect(path, read_only=True) as connection:
            raw = connection.execute(
                "select count(*) from duckdb_tables() "
                "where starts_with(schema_name, 'raw_') and not starts_with(table_name, '_')"
            ).fetchone()
            last_days[what] = last_scored_day(connection)
    except HealthError as error:
        return Check(HERE, what, State.WRONG, "cannot be opened", str(error))
    except duckdb.Error:
        mend = f"{path} is no DuckDB file of this version: move it away, or set DUCKDB_PATH."
        return Check(HERE, what, State.WRONG, "cannot be read", mend)
    if not os.access(path, os.W_OK):
        mend = f"Give the user who runs this the right to write {path}."
        return Check(HERE, what, State.WRONG, "can be read, not written", mend)
    day = last_days[what]
    scored = f"last scored day {day}" if day else "nothing scored yet"
    return Check(HERE, what, State.FINE, f"readable, {raw[0] if raw else 0} raw tables, {scored}")


def last_scored_day(connection: duckdb.DuckDBPyConnection) -> date | None:
    """The latest day that any shop has scores of."""
    there = connection.execute(
        "select count(*) from duckdb_tables() "
        "where schema_name = 'marts' and table_name = 'scored_days'"
    ).fetchone()
    if not there or not there[0]:
        return None
    row = connection.execute("select max(as_of_date) from marts.scored_days").fetchone()
    return row[0] if row else None


def _serving(path: Path, last_days: dict[str, date | None]) -> Check:
    what = "copy for readers"
    if not path.exists():
        return Check(HERE, what, State.OFF, f"nothing at {path}", "`health publish` makes it.")
    try:
        with connect(path, read_only=True) as connection:
            day = last_scored_day(connection)
    except (HealthError, duckdb.Error):
        mend = f"{path} cannot be opened: `health publish` makes it anew."
        return Check(HERE, what, State.WRONG, "cannot be read", mend)
    newest = last_days.get("warehouse")
    if newest and (day is None or day < newest):
        mend = f"The warehouse has scores of {newest}: run `health publish`."
        return Check(HERE, what, State.DOUBTFUL, f"readable, last scored day {day}", mend)
    return Check(HERE, what, State.FINE, f"readable, last scored day {day}")


def _landing(path: Path) -> Check:
    what = "landing folder"
    if not path.exists():
        mend = "Only file drops need it: make the folder, or set HEALTH_LANDING."
        return Check(HERE, what, State.OFF, f"nothing at {path}", mend)
    if not path.is_dir() or not os.access(path, os.R_OK | os.X_OK):
        mend = f"{path} must be a folder that the user who runs this may read."
        return Check(HERE, what, State.WRONG, "cannot be read", mend)
    files = sum(1 for file in path.rglob("*") if file.is_file())
    return Check(HERE, what, State.FINE, f"{files:,} files")
