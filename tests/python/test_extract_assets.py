"""The landing step asks the vendors: what it shows of them, and what a failing one stops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from orchestration.extract import assets
from orchestration.extract.api import loads, run
from orchestration.extract.contract import tables
from orchestration.extract.files import TableResult
from orchestration.settings import DESTINATIONS, settings, variables
from orchestration.transform.assets import read_manifest
from orchestration.transform.manifest import ensure_manifest
from orchestration.warehouse import connect

ORDERS = dg.AssetKey(["raw_shopify", "orders"])
PROFILES = dg.AssetKey(["raw_klaviyo", "profiles"])


@pytest.fixture
def materialize(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[[], dg.ExecuteInProcessResult]]:
    """Run the landing step with a token of Shopify's and a key of Klaviyo's for `aurelia`."""
    for name in (n for destination in DESTINATIONS for n in variables(destination)):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "DUCKDB_PATH": tmp_path / "warehouse.duckdb",
        "HEALTH_LANDING": tmp_path / "none",
        "SHOPIFY_ACCESS_TOKEN__AURELIA": "token",
        "KLAVIYO_API_KEY__AURELIA": "key",
    }.items():
        monkeypatch.setenv(name, str(value))
    settings.cache_clear()
    sources = read_manifest(ensure_manifest())["sources"]

    def go() -> dg.ExecuteInProcessResult:
        with dg.DagsterInstance.ephemeral() as instance:
            return dg.materialize(
                [assets.make_landing_assets(sources)], instance=instance, raise_on_error=False
            )

    yield go
    monkeypatch.undo()
    settings.cache_clear()


def fake(monkeypatch: pytest.MonkeyPatch, *, counted: int) -> None:
    """Vendors that bring one order, of `counted`, and one profile."""
    brought = {
        "shopify": ("orders", "select '1' as order_id"),
        "klaviyo": ("profiles", "select '1' as profile_id"),
    }

    def of(source: str) -> Any:
        def extract(
            connection: Any, shop: str, warehouse: Any, moment: Any, *_: Any, **__: Any
        ) -> list[TableResult]:
            table, select = brought[source]
            found = counted if source == "shopify" else 1
            return loads.land(
                warehouse,
                source=source,
                shop_id=shop,
                stream=table,
                selects={table: select},
                told=[loads.Told(table, found, 1)],
                cursor="c",
                moment=moment,
            )

        return extract

    monkeypatch.setattr(run, "extractor", of)


def metadata(result: dg.ExecuteInProcessResult) -> dict[dg.AssetKey, Any]:
    return {
        event.asset_key: event.materialization.metadata
        for event in result.get_asset_materialization_events()
    }


def test_tables_show_what_the_vendor_counted_beside_what_landed(
    materialize: Callable[[], dg.ExecuteInProcessResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(monkeypatch, counted=1)
    result = materialize()
    assert result.success
    said = metadata(result)
    assert len(said) == len(tables())
    assert said[ORDERS]["rows told by the vendor"].value == 1
    assert said[ORDERS]["rows new"].value == 1
    assert "rows told by the vendor" not in said[dg.AssetKey(["raw_shopify", "refunds"])]


def test_a_count_that_differs_fails_the_vendors_tables_and_no_others(
    materialize: Callable[[], dg.ExecuteInProcessResult],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    fake(monkeypatch, counted=2)
    result = materialize()
    assert not result.success
    said = metadata(result)
    assert PROFILES in said
    assert not [key for key in said if key.path[0] == "raw_shopify"]
    (failure,) = result.filter_events(lambda e: e.is_step_failure)
    assert "counts 2 orders, 1 arrived" in str(failure.step_failure_data.error)
    with connect(tmp_path / "warehouse.duckdb") as warehouse:
        assert loads.cursor(warehouse, "shopify", "aurelia", "orders") is None
        assert loads.cursor(warehouse, "klaviyo", "aurelia", "profiles") == "c"


def test_progress_comes_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(run, "monotonic", lambda: clock[0])
    lines: list[str] = []
    tell = run.now_and_then(lines.append)
    for second in range(40):
        clock[0] = float(second)
        tell(f"shopify a: orders: {second} of 40")
        tell(f"shopify a: customers: {second} of 40")
    assert lines == [
        f"shopify a: {stream}: {second} of 40"
        for second in (0, 15, 30)
        for stream in ("orders", "customers")
    ]
