"""Scores as they would have been: past days from what was known at a moment, and nothing later.

The warehouse is copied, its raw tables are rolled back to the moment, and the days are scored in
the copy by the models that score every day. The warehouse itself stays as it is.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import duckdb
from rich.console import Console

from orchestration.errors import HealthError
from orchestration.extract import earlier
from orchestration.transform.build import BuildRequest, BuildResult, build
from orchestration.warehouse import connect


def build_as_known(
    request: BuildRequest, known: datetime, warehouse: Path, into: Path, console: Console
) -> BuildResult:
    """Score the request's days in the new file `into` from what had landed by `known` (naive UTC).

    Raises `HealthError` when the file is there already, when nothing had landed by then, or when
    the days were not over.
    """
    if request.first_day is None or request.last_day is None:
        raise HealthError("Say which days: --as-known wants --as-of, or --from and --to.")
    if request.last_day > known.date():
        raise HealthError(
            f"Of {request.last_day} nothing was known on {known:%Y-%m-%d %H:%M} yet: ask for an "
            "earlier day, or for a later --as-known."
        )
    if into.exists():
        raise HealthError(f"{into} is there already: give --into a new file.")
    with connect(warehouse, read_only=True):
        into.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(warehouse, into)
    try:
        with connect(into) as connection:
            _forget_what_came_later(connection, known)
        return build(replace(request, full_refresh=True), into, console)
    except BaseException:
        into.unlink(missing_ok=True)
        raise


def _forget_what_came_later(connection: duckdb.DuckDBPyConnection, known: datetime) -> None:
    """Roll the raw tables back and drop everything that was made from them."""
    if not earlier.roll_back(connection, known):
        raise HealthError(f"Nothing had landed by {known:%Y-%m-%d %H:%M} UTC.")
    made = connection.execute(
        "select schema_name from duckdb_schemas() where not internal "
        "and database_name = current_database() and schema_name != 'main' "
        "and schema_name not like 'raw!_%' escape '!'"
    ).fetchall()
    for (schema,) in made:
        connection.execute(f'drop schema "{schema}" cascade')
