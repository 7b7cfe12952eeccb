"""Compile the project for BigQuery without it: `python bigquery_compile.py <folder>`.

Runs in a process of its own, for what it replaces. Nobody answers as BigQuery: no socket connects,
and what models ask while they compile is answered here, once as by a warehouse that is empty
(`first`) and once as by one that has every table (`later`), so that `is_incremental()` is true.
Below `<folder>/<first or later>` is what dbt compiled, and `statements.json`, a list of the
statements that it would have run meanwhile.
"""

from __future__ import annotations

import json
import shutil
import socket
import sys
from datetime import date
from pathlib import Path
from typing import Any, NoReturn

import agate
from dbt.adapters.bigquery import BigQueryAdapter
from dbt.adapters.contracts.connection import AdapterResponse
from dbt.cli.main import dbtRunner

SCORED_DAY = date(2026, 10, 31)


CALLS: list[str] = []


def refuse(*arguments: Any, **named: Any) -> NoReturn:
    CALLS.append(str(arguments))
    raise OSError("no network here")


def compile_all(folder: Path, *, is_built: bool) -> None:
    """Compile models and tests to `folder`; ends the process where dbt fails."""
    statements: list[str] = []

    def get_relation(self: BigQueryAdapter, database: str, schema: str, identifier: str) -> Any:
        path = {"database": database, "schema": schema, "identifier": identifier}
        return self.Relation.create(**path, type="table") if is_built else None

    def execute(self: BigQueryAdapter, sql: str, *_: Any, **__: Any) -> Any:
        statements.append(sql)
        return AdapterResponse("OK"), agate.Table([[SCORED_DAY]], ["day"])

    BigQueryAdapter.get_relation = get_relation
    BigQueryAdapter.execute = execute
    done = dbtRunner().invoke(
        [
            "compile", "--target", "bigquery", "--target-path", str(folder),
            "--log-path", str(folder),
            "--no-introspect", "--no-populate-cache", "--quiet",
        ]
    )  # fmt: skip
    if not done.success:
        sys.exit(f"dbt could not compile: {done.exception or done.result}")
    (folder / "statements.json").write_text(json.dumps(statements))


if __name__ == "__main__":
    socket.socket.connect = socket.socket.connect_ex = refuse
    socket.getaddrinfo = socket.create_connection = refuse
    first, later = (Path(sys.argv[1]) / name for name in ("first", "later"))
    compile_all(first, is_built=False)
    later.mkdir()
    # What was parsed is the same.
    shutil.copy(first / "partial_parse.msgpack", later)
    compile_all(later, is_built=True)
    if CALLS:
        sys.exit(f"somebody asked for the network: {CALLS}")
