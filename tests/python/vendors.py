"""A sandbox of the pretend shops and a warehouse of a test's own, for tests of extracts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime
from pathlib import Path

import duckdb

from orchestration.extract.api import run
from orchestration.extract.contract import Table
from orchestration.extract.files import TableResult
from orchestration.extract.landing import quoted
from orchestration.sandbox.server import Urls
from orchestration.sandbox.simulation import simulate
from orchestration.settings import Settings
from orchestration.vendors.wire import Patience

MOMENT = datetime(2026, 11, 1)
QUICK = Patience(
    attempts=8, first_wait=0.01, longest_wait=1.0, answer=20.0, first_poll=0.01, longest_poll=0.05
)


def drop_of(folder: Path, customers: int, *, days: int = 400) -> Path:
    """The file drop of two pretend shops; the larger has that many customers."""
    list(simulate(folder, customers=customers, days=days, seed=11, end=date(2026, 10, 31)))
    return folder


def settings_for(urls: Urls) -> Settings:
    """Settings that reach a sandbox and nothing else."""
    return Settings(connections=dict(urls.environment))


def extract(
    urls: Urls,
    warehouse: Path,
    sources: Collection[str] = (),
    shops: Collection[str] = (),
    *,
    full: bool = False,
) -> list[TableResult]:
    """What `health extract` does, against a sandbox and in a hurry."""
    found = run.connections(settings_for(urls), sources, shops)
    return run.extract_all(
        found, warehouse, lambda line: None, full=full, loaded_at=MOMENT, patience=QUICK
    )


def rows(table: Table, alike: Mapping[str, str] | None = None) -> str:
    """SQL: a table's rows in order, each as a hash; `alike` has columns as they are compared."""
    columns = [
        f"coalesce(({(alike or {}).get(f'{table.name}.{name}', quoted(name))})::varchar, 'null')"
        for name in table.payload
    ]
    return f"md5(concat_ws(chr(31), {', '.join(columns)}))"


def digest(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    database: str = "",
    alike: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """How many rows a raw table has, and a hash of all of them without load time and extras."""
    row = rows(table, alike)
    found = connection.execute(
        f"select count(*), md5(string_agg({row}, '' order by {row})) "
        f"from {database}{table.relation}"
    ).fetchone()
    assert found is not None
    return found[0], str(found[1])
