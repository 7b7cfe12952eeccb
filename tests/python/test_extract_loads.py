"""Landing a stream of a vendor: all of it with its cursor, or nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.errors import HealthError
from orchestration.extract.api import EXTRACTORS, loads, run
from orchestration.extract.api.loads import Told
from orchestration.extract.files import TableResult
from orchestration.settings import Connection, Settings
from orchestration.vendors.wire import Stopped
from orchestration.warehouse import connect

NOON = datetime(2026, 6, 1, 12)
LATER = datetime(2026, 6, 2, 12)
ORDER = "select '1' as order_id, '2026-05-01T10:00:00-05:00' as created_at, '12.50' as total_amount"


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(tmp_path / "warehouse.duckdb") as connection:
        yield connection


def land(
    warehouse: duckdb.DuckDBPyConnection, selects: dict[str, str], **given: Any
) -> list[TableResult]:
    asked = {
        "source": "shopify",
        "shop_id": "aurelia",
        "stream": "orders",
        "told": [],
        "cursor": "first",
        "moment": NOON,
        **given,
    }
    return loads.land(warehouse, selects=selects, **asked)


def orders(warehouse: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return warehouse.execute(
        "select shop_id, order_id, created_at, total_amount, _loaded_at from raw_shopify.orders "
        "order by order_id"
    ).fetchall()


def cursor(warehouse: duckdb.DuckDBPyConnection, stream: str = "orders") -> str | None:
    return loads.cursor(warehouse, "shopify", "aurelia", stream)


def test_rows_land_in_the_contracts_types_with_shop_and_load_time(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    assert cursor(warehouse) is None
    (result,) = land(warehouse, {"orders": ORDER}, told=[Told("orders", 1, 1)])
    assert (result.rows_read, result.rows_new, result.rows_told) == (1, 1, 1)
    created = datetime(2026, 5, 1, 15)
    assert orders(warehouse) == [("aurelia", "1", created, Decimal("12.5"), NOON)]
    assert cursor(warehouse) == "first"


def test_the_same_rows_again_change_nothing_but_the_cursor(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    land(warehouse, {"orders": ORDER})
    (result,) = land(warehouse, {"orders": ORDER}, cursor="second", moment=LATER)
    assert (result.rows_new, result.rows_changed, result.rows_unchanged) == (0, 0, 1)
    assert orders(warehouse)[0][-1] == NOON
    assert cursor(warehouse) == "second"


def test_no_cursor_leaves_the_one_that_is_stored(warehouse: duckdb.DuckDBPyConnection) -> None:
    land(warehouse, {"orders": ORDER})
    land(warehouse, {"orders": ORDER}, cursor=None)
    assert cursor(warehouse) == "first"


def test_each_shop_and_stream_has_a_cursor_of_its_own(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    land(warehouse, {"orders": ORDER})
    land(warehouse, {}, stream="customers", cursor="other")
    land(warehouse, {"orders": ORDER}, shop_id="hoshi", cursor="of hoshi")
    assert (cursor(warehouse), cursor(warehouse, "customers")) == ("first", "other")
    assert loads.cursor(warehouse, "shopify", "hoshi", "orders") == "of hoshi"
    assert [row[0] for row in orders(warehouse)] == ["aurelia", "hoshi"]


@pytest.mark.parametrize("found", [2, 4])
def test_a_count_that_differs_lands_nothing(
    warehouse: duckdb.DuckDBPyConnection, found: int
) -> None:
    told = [Told("orders", 3, 3), Told("objects in the bulk result", 3, found)]
    sentence = rf"counts 3 objects in the bulk result, {found} arrived\. Nothing of orders has"
    with pytest.raises(HealthError, match=sentence):
        land(warehouse, {"orders": ORDER}, told=told)
    assert cursor(warehouse) is None
    assert not tables_of(warehouse)


def tables_of(warehouse: duckdb.DuckDBPyConnection) -> list[str]:
    found = warehouse.execute(
        "select table_name from information_schema.tables where table_schema = 'raw_shopify' "
        "and not starts_with(table_name, '_')"
    ).fetchall()
    return sorted(name for (name,) in found)


@pytest.mark.parametrize(
    ("select", "sentence"),
    [
        ("select '1' as order_id, 'soon' as created_at", "created_at soon is not an ISO 8601 time"),
        ("select '1' as order_id, '1,5' as total_amount", "total_amount 1,5 is not an amount"),
        ("select null::varchar as order_id", "sent 1 rows of orders without order_id"),
    ],
)
def test_a_row_that_cannot_be_held_stops_all_tables_of_the_stream(
    warehouse: duckdb.DuckDBPyConnection, select: str, sentence: str
) -> None:
    land(warehouse, {"orders": ORDER})
    lines = {"order_lines": "select '7' as order_line_id, '1' as order_id"}
    with pytest.raises(HealthError, match=sentence):
        land(warehouse, {**lines, "orders": select}, cursor="second")
    assert len(orders(warehouse)) == 1
    assert cursor(warehouse) == "first"
    assert warehouse.execute("select count(*) from raw_shopify.order_lines").fetchone() == (0,)
    assert tables_of(warehouse) == ["order_lines", "orders"]


def test_a_column_that_the_contract_does_not_know_is_our_own_mistake(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    with pytest.raises(ValueError, match="orders has no column colour"):
        land(warehouse, {"orders": "select '1' as order_id, 'red' as colour"})


def test_what_a_vendor_forgets_is_kept_and_what_it_tells_is_not(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    first = "select '1' as order_id, 'a@b.c' as email, 'web' as source_name"
    land(warehouse, {"orders": first})
    second = "select '1' as order_id, null::varchar as email, null::varchar as source_name"
    land(warehouse, {"orders": second}, moment=LATER, keeps={"orders": ["email"]})
    kept = warehouse.execute("select email, source_name from raw_shopify.orders").fetchall()
    assert kept == [("a@b.c", None)]


def test_the_spool_is_empty_when_it_is_given(tmp_path: Path) -> None:
    folder = loads.spool_folder(tmp_path / "w.duckdb", "shopify", "aurelia", "orders")
    assert folder == tmp_path / "spool" / "shopify" / "aurelia" / "orders"
    (folder / "left.jsonl").write_text("{}")
    assert not list(
        loads.spool_folder(tmp_path / "w.duckdb", "shopify", "aurelia", "orders").iterdir()
    )


def test_the_spool_stands_beside_the_warehouse_that_is_open(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    assert loads.warehouse_path(warehouse) == tmp_path / "warehouse.duckdb"


KILLED = """
    import os, signal, sys
    from datetime import datetime
    from pathlib import Path
    from orchestration.extract import landing
    from orchestration.extract.api import loads
    from orchestration.warehouse import connect

    where, path = sys.argv[1], Path(sys.argv[2])

    def die(*given, **named):
        os.kill(os.getpid(), signal.SIGKILL)

    merge = landing.merge
    merged = []

    def counted(*given, **named):
        found = merge(*given, **named)
        merged.append(found)
        if where == "between two tables" and len(merged) == 1:
            die()
        return found

    landing.merge = counted
    if where == "before the cursor":
        loads._set_cursor = die
    if where == "before the merge":
        landing.transaction = die
    with connect(path) as warehouse:
        loads.land(
            warehouse, source="shopify", shop_id="aurelia", stream="orders", told=[],
            cursor="first", moment=datetime(2026, 6, 1),
            selects={
                "orders": "select '1' as order_id",
                "order_lines": "select '7' as order_line_id, '1' as order_id",
            },
        )
    if where == "after all":
        die()
"""


@pytest.mark.parametrize(
    ("where", "landed"),
    [
        ("before the merge", False),
        ("between two tables", False),
        ("before the cursor", False),
        ("after all", True),
    ],
)
def test_a_killed_load_has_landed_whole_or_not_at_all(
    tmp_path: Path, where: str, landed: bool
) -> None:
    path = tmp_path / "warehouse.duckdb"
    script = textwrap.dedent(KILLED)
    ended = subprocess.run(
        [sys.executable, "-c", script, where, str(path)], env=os.environ, timeout=60, check=False
    )
    assert ended.returncode == -signal.SIGKILL
    with connect(path) as warehouse:
        assert cursor(warehouse) == ("first" if landed else None)
        for table in ("orders", "order_lines"):
            (count,) = (
                warehouse.execute(f"select count(*) from raw_shopify.{table}").fetchone() or ()
            )
            assert count == int(landed)
        results = land(
            warehouse,
            {
                "orders": "select '1' as order_id",
                "order_lines": "select '7' as order_line_id, '1' as order_id",
            },
        )
        assert [r.rows_new for r in results] == [int(not landed)] * 2


# --- all connections ----------------------------------------------------------------------------


def settings_of(**variables: str) -> Settings:
    return Settings(connections=variables)


def test_shops_come_from_the_suffixes_or_from_the_list() -> None:
    found = settings_of(
        KLAVIYO_API_KEY__MY_SHOP="k", SHOPIFY_CLIENT_ID__HOSHI="i", SHOPIFY_CLIENT_SECRET__HOSHI="s"
    )
    assert [(c.destination, c.shop_id) for c in run.connections(found)] == [
        ("shopify", "hoshi"),
        ("klaviyo", "my-shop"),
    ]
    listed = Settings(
        connections={"KLAVIYO_API_KEY": "k"}, shop_ids="Aurelia.myshopify.com, hoshi,"
    )
    assert listed.shops("klaviyo") == ["aurelia", "hoshi"]
    assert listed.shops("shopify") == []
    assert [c.shop_id for c in run.connections(listed, shops=["hoshi"])] == ["hoshi"]


def test_a_clients_id_and_secret_stand_in_for_a_token() -> None:
    found = settings_of(
        SHOPIFY_CLIENT_ID="id", SHOPIFY_CLIENT_SECRET="general", SHOPIFY_ACCESS_TOKEN__HOSHI="token"
    )
    client, token = found.connection("aurelia", "shopify"), found.connection("hoshi", "shopify")
    assert client is not None
    assert token is not None
    assert (client.client_id, client.secret.get_secret_value()) == ("id", "general")
    assert client.variable == "SHOPIFY_CLIENT_SECRET__AURELIA"
    assert (token.client_id, token.secret.get_secret_value()) == (None, "token")
    assert "general" not in repr(client)
    with pytest.raises(HealthError, match="SHOPIFY_CLIENT_SECRET__A is missing"):
        settings_of(SHOPIFY_CLIENT_ID__A="id").connection("a", "shopify")


@pytest.mark.parametrize(
    ("variables", "sources", "shops", "sentence"),
    [
        ({}, ["shopfy"], [], "no source shopfy to extract from; there are shopify, klaviyo"),
        ({}, ["shopify"], [], "Shopify is not configured: set SHOPIFY_ACCESS_TOKEN"),
        ({}, ["shopify"], ["a"], "Shopify is not configured for a: set SHOPIFY_ACCESS_TOKEN"),
        ({}, [], ["a"], "No vendor is configured for a"),
        ({"ZIGPOLL_API_KEY": "z"}, ["zigpoll"], [], "ZIGPOLL_API_KEY is set, but no shop is named"),
    ],
)
def test_what_is_asked_for_and_not_configured_is_said(
    variables: dict[str, str], sources: list[str], shops: list[str], sentence: str
) -> None:
    with pytest.raises(HealthError, match=sentence):
        run.connections(settings_of(**variables), sources, shops)


def test_a_shop_that_is_no_domain_is_said() -> None:
    with pytest.raises(HealthError, match="HEALTH_SHOPS wants myshopify domains"):
        Settings(shop_ids="my shop")


def test_a_vendor_that_fails_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, datetime, bool]] = []

    def of(source: str) -> Any:
        def extract(
            connection: Connection,
            shop_id: str,
            warehouse: Any,
            moment: datetime,
            full: bool,
            tell: Any,
            **_: Any,
        ) -> list[TableResult]:
            asked.append((f"{source} {shop_id}", moment, full))
            tell("orders: 1 of 2")
            spool = loads.spool_folder(tmp_path / "w.duckdb", source, shop_id, "t")
            (spool / "pages.jsonl").write_text("{}")
            if source == "klaviyo":
                raise Stopped("Klaviyo is out of reach.")
            return [TableResult(source=source, table="t", files=0, rows_read=2, rows_told=2)]

        return extract

    monkeypatch.setattr(run, "extractor", of)
    found = settings_of(
        SHOPIFY_ACCESS_TOKEN__A="t", SHOPIFY_ACCESS_TOKEN__B="t", KLAVIYO_API_KEY__A="k"
    )
    lines: list[str] = []
    results = run.extract_all(
        run.connections(found), tmp_path / "w.duckdb", lines.append, full=True, loaded_at=NOON
    )
    assert asked == [(who, NOON, True) for who in ("shopify a", "shopify b", "klaviyo a")]
    assert [(r.source, r.table, r.rows_read, r.rows_told, r.error) for r in results] == [
        ("shopify", "t", 4, 4, None),
        ("klaviyo", "", 0, None, "Klaviyo is out of reach."),
    ]
    assert "shopify b: orders: 1 of 2" in lines
    # What has landed is not kept twice; what has not may be gone on with.
    left = [path.parent.name for path in (tmp_path / "spool").rglob("t")]
    assert left == ["a"]
    assert (tmp_path / "spool" / "klaviyo" / "a" / "t" / "pages.jsonl").exists()


def test_results_of_one_table_are_added_up() -> None:
    one = TableResult("shopify", "orders", 0, 5, 1, 2, 2, 0, 1.5, rows_told=5, note="n")
    assert run.together([one, replace(one, rows_told=None, note="m")]) == [
        TableResult("shopify", "orders", 0, 10, 2, 4, 4, 0, 3.0, rows_told=5, note="n m")
    ]


@pytest.mark.parametrize("source", EXTRACTORS)
def test_every_source_that_is_named_has_an_extractor(source: str) -> None:
    from orchestration.extract.api import extractor

    assert callable(extractor(source))
