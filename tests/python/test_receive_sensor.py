"""The sensor: one run when something waits, none when nothing does."""

from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from webhooks import order, text

from orchestration.definitions import defs
from orchestration.operate import console
from orchestration.receive import inbox
from orchestration.receive.sensor import LAND_WEBHOOKS
from orchestration.settings import settings
from orchestration.transform.assets import POOL


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = tmp_path / "warehouse.duckdb"
    monkeypatch.setenv("DUCKDB_PATH", str(path))
    settings.cache_clear()
    yield path
    monkeypatch.undo()
    settings.cache_clear()


@pytest.fixture
def look(warehouse: Path, tmp_path: Path) -> Iterator[Callable[[], object]]:
    """Looks once, as Dagster does; `look.instance` is its record."""
    with dg.DagsterInstance.from_config(str(console.make_home(tmp_path / "home"))) as instance:

        def once() -> object:
            return defs.resolve_sensor_def("webhooks")(dg.build_sensor_context(instance=instance))

        once.instance = instance  # type: ignore[attr-defined]
        yield once


def send(warehouse: Path, number: int) -> Path:
    body = text(order(number, line_items=[])).decode()
    delivery = inbox.Delivery(
        "shopify", "aurelia", "orders/create", str(number), None, inbox.now(), body
    )
    return inbox.keep(inbox.inbox_folder(warehouse), delivery)


def test_it_starts_no_run_while_nothing_waits(look: Callable[[], object]) -> None:
    for _ in range(3):
        said = look()
        assert isinstance(said, dg.SkipReason)
        assert "Nothing waits" in str(said.skip_message)


def test_it_asks_for_one_run_however_often_it_looks(
    look: Callable[[], object], warehouse: Path
) -> None:
    send(warehouse, 1)
    first, second = look(), look()
    assert isinstance(first, dg.RunRequest)
    assert isinstance(second, dg.RunRequest)
    # Dagster starts one run a key, or two where the hour ends between the looks.
    assert first.run_key == second.run_key or first.run_key[:-2] == second.run_key[:-2]
    send(warehouse, 2)
    assert look().run_key[:64] == first.run_key[:64]  # type: ignore[attr-defined]


def test_it_waits_for_a_run_that_is_under_way(look: Callable[[], object], warehouse: Path) -> None:
    send(warehouse, 1)
    instance = look.instance  # type: ignore[attr-defined]
    run = instance.create_run_for_job(defs.resolve_job_def(LAND_WEBHOOKS))
    assert "under way" in str(look().skip_message)  # type: ignore[attr-defined]
    instance.report_run_failed(run)
    assert isinstance(look(), dg.RunRequest)


def test_its_run_lands_what_waits_and_takes_its_turn(
    look: Callable[[], object], warehouse: Path
) -> None:
    send(warehouse, 1)
    send(warehouse, 2)
    job = defs.resolve_job_def(LAND_WEBHOOKS)
    assert {node.definition.pool for node in job.nodes} == {POOL}
    assert job.execute_in_process(instance=look.instance).success  # type: ignore[attr-defined]
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        assert connection.execute("select count(*) from raw_shopify.orders").fetchone() == (2,)
    assert isinstance(look(), dg.SkipReason)


def test_nothing_is_switched_on_by_itself() -> None:
    sensor = defs.resolve_sensor_def("webhooks")
    assert sensor.default_status == dg.DefaultSensorStatus.STOPPED
