"""The same shops by file drop and over the vendors' APIs: the same raw tables, to the last value.

What a vendor cannot say as the drop has it stands in `ALIKE`, with the reason; everything else is
compared as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from vendors import MOMENT, digest, drop_of, extract

from orchestration.demo import deliver
from orchestration.extract.contract import Table, tables
from orchestration.extract.files import load_directory
from orchestration.extract.landing import quoted
from orchestration.receive.landing import land_inbox
from orchestration.sandbox.server import Sandbox, Urls, running
from orchestration.settings import settings

CUSTOMERS = 300
SIDES = ("files", "apis")

# Each column as both sides can say it.
ALIKE = {
    # Shopify has one spelling of a status; the drop mixes small letters and capitals.
    "orders.financial_status": "lower(financial_status)",
    # Shopify always says when an order was processed: when it was created, if nothing else.
    "orders.processed_at": "coalesce(processed_at, created_at)",
    # Consent belongs to an address: without one there is none to tell of.
    "customers.email_marketing_state": "case when email is not null then email_marketing_state end",
    "customers.sms_marketing_state": "case when phone is not null then sms_marketing_state end",
}

COMPARED = [key for key in tables() if key[0] in ("shopify", "klaviyo", "zigpoll", "postscript")]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the drop's warehouse as `files` and the APIs' as `apis`."""
    folder = tmp_path_factory.mktemp("both")
    drop = drop_of(folder / "drop", CUSTOMERS)
    files, apis = folder / "files.duckdb", folder / "apis.duckdb"
    load_directory(drop, files, loaded_at=MOMENT)
    sandbox = Sandbox.from_drop(drop)
    sandbox.bucket = (20_000.0, 1_000.0)
    with running(sandbox) as urls:
        errors = [r.error for r in extract(urls, apis) if r.error]
        send_webhooks(sandbox, urls, apis)
    sandbox.close()
    assert not errors
    with duckdb.connect() as connection:
        connection.execute(f"attach '{files}' as files (read_only)")
        connection.execute(f"attach '{apis}' as apis (read_only)")
        yield connection


def send_webhooks(sandbox: Sandbox, urls: Urls, apis: Path) -> None:
    """Send what webhooks alone tell to the receiver, and land it."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in urls.environment.items():
            patch.setenv(name, value)
        settings.cache_clear()
        asyncio.run(deliver(sandbox, apis))
        assert not any(r.error for r in land_inbox(apis, loaded_at=MOMENT))
    settings.cache_clear()


@pytest.mark.parametrize(("source", "name"), COMPARED)
def test_a_raw_table_is_the_same_by_file_and_by_api(
    both: duckdb.DuckDBPyConnection, source: str, name: str
) -> None:
    table = tables()[source, name]
    by_file, by_api = (digest(both, table, f"{side}.", ALIKE) for side in SIDES)
    assert by_file[0] > 0
    assert by_file == by_api, differences(both, table)


def differences(connection: duckdb.DuckDBPyConnection, table: Table) -> str:
    """The columns that differ, each with an example, for whoever reads a failure."""
    same = " and ".join(f"f.{quoted(c)} = a.{quoted(c)}" for c in table.primary_key)
    said = []
    for name in table.payload:
        found = connection.execute(
            f"select f.{quoted(name)}, a.{quoted(name)} from files.{table.relation} as f "
            f"join apis.{table.relation} as a on {same} "
            f"where f.{quoted(name)} is distinct from a.{quoted(name)} limit 1"
        ).fetchone()
        if found:
            said.append(f"{name}: file {found[0]!r}, API {found[1]!r}")
    return "; ".join(said) or "rows are missing on one side"
