"""Reading back: what was changed at a destination is found, told and, if wanted, put right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest
from published import document_problems, klaviyo_query_problems
from push_warehouse import (
    QUICK,
    Desired,
    canonical,
    confirmed,
    object_id,
    query,
    scores,
    write_desired,
)
from pydantic import SecretStr
from rich.console import Console
from typer.testing import CliRunner

from orchestration import cli
from orchestration.activate import readback, reconcile
from orchestration.activate.differences import Difference, compare
from orchestration.activate.push import push
from orchestration.activate.reconcile import Reconciliation
from orchestration.errors import HealthError
from orchestration.sandbox.server import Fault, FaultPlan, Sandbox, Urls, running
from orchestration.settings import Settings
from orchestration.settings import settings as cached

SHOP = "aurelia"
MOST = 130
TODAY = date(2026, 11, 1)


def subscriber(number: int) -> str:
    return f"s_{object_id('shopify', number)}"


def everybody() -> Desired:
    """One customer of each number at all three destinations that can be read back."""
    found: Desired = {}
    for n in range(MOST):
        found["klaviyo", SHOP, object_id("klaviyo", n)] = scores(n)
        found["shopify", SHOP, object_id("shopify", n)] = scores(n)
        found["postscript", SHOP, subscriber(n)] = scores(n)
    return found


def write_drop(folder: Path) -> Path:
    """A file drop in which they all are."""
    for source, table, lines in (
        (
            "shopify",
            "customers",
            [
                {
                    "shop_id": SHOP,
                    "customer_id": object_id("shopify", n),
                    "phone": f"+1555{n:07d}",
                    "email": f"p{n}@example.com",
                    "sms_marketing_state": "SUBSCRIBED",
                    "tags": ["wholesale"],
                    "created_at": "2026-01-01T00:00:00Z",
                    "updated_at": "2026-01-01T00:00:00Z",
                }
                for n in range(MOST)
            ],
        ),
        ("shopify", "shops", [{"shop_id": SHOP, "iana_timezone": "UTC", "currency_code": "USD"}]),
        (
            "klaviyo",
            "profiles",
            [
                {
                    "shop_id": SHOP,
                    "profile_id": object_id("klaviyo", n),
                    "email": f"p{n}@example.com",
                    "properties": {"theirs": n},
                }
                for n in range(MOST)
            ],
        ),
    ):
        path = folder / source / f"{table}"
        path.mkdir(parents=True)
        (path / "all.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


class World:
    """A warehouse whose ledger and destinations agree, and ways to spoil that."""

    def __init__(self, warehouse: Path, sandbox: Sandbox, urls: Urls) -> None:
        self.warehouse, self.sandbox, self.urls = warehouse, sandbox, urls
        self.environment = dict(urls.environment)

    @property
    def settings(self) -> Settings:
        return Settings(connections={k: SecretStr(v) for k, v in self.environment.items()})

    def push(self, **options: Any) -> Any:
        options = {"apply": True, "patience": QUICK, "sleep": lambda _: None} | options
        return push(self.warehouse, settings=self.settings, **options)

    def reconcile(self, **options: Any) -> Reconciliation:
        options = {"patience": QUICK, "sleep": lambda _: None, "today": TODAY} | options
        return reconcile.reconcile(self.warehouse, settings=self.settings, **options)

    def set_by_hand(self, destination: str, identifier: str, **fields: Any) -> None:
        """Change what an object holds, as somebody in the vendor's own pages would."""
        store = self.sandbox.store
        held = store.fields(destination, SHOP, identifier) or {}
        if destination == "shopify":
            for name, value in fields.items():
                key = f"app--1--health.{name}"
                held.pop(key, None)
                if value is not None:
                    held[key] = {"type": "single_line_text_field", "value": value}
        else:
            inner = held["properties"] if destination == "postscript" else held
            for name, value in fields.items():
                inner.pop(name, None)
                if value is not None:
                    inner[name] = value
        store.write(destination, SHOP, {identifier: held})


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A drop, and a warehouse and a journal in which all was pushed once."""
    folder = tmp_path_factory.mktemp("reconcile")
    drop, warehouse = write_drop(folder / "drop"), folder / "warehouse.duckdb"
    write_desired(warehouse, everybody())
    sandbox = Sandbox.from_drop(drop, journal=folder / "journal")
    quicken(sandbox)
    with running(sandbox) as urls:
        assert World(warehouse, sandbox, urls).push().confirmed == 3 * MOST
    sandbox.close()
    return drop, warehouse


def quicken(sandbox: Sandbox) -> None:
    sandbox.limits, sandbox.looks, sandbox.bucket = (), 0, (100_000.0, 100_000.0)
    ticks = iter(range(10**9))
    sandbox.clock = lambda: float(next(ticks))


@pytest.fixture
def world(pushed: tuple[Path, Path], tmp_path: Path) -> Iterator[World]:
    drop, warehouse = pushed
    (tmp_path / "warehouse.duckdb").write_bytes(warehouse.read_bytes())
    for path in warehouse.parent.glob("journal*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    sandbox = Sandbox.from_drop(drop, journal=tmp_path / "journal")
    quicken(sandbox)
    with running(sandbox) as urls:
        yield World(tmp_path / "warehouse.duckdb", sandbox, urls)
    sandbox.close()


def told(result: Reconciliation) -> set[tuple[Any, ...]]:
    return {
        (
            d.destination,
            d.object_id,
            d.difference.field,
            d.difference.kind,
            d.difference.confirmed,
            d.difference.found,
        )
        for d in result.drifts
    }


# --- what differs ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("destination", "confirmed", "found", "differences"),
    [
        ("klaviyo", {"a": 1, "b": None}, {"a": 1, "theirs": 2}, []),
        ("klaviyo", {"a": 1}, {"a": 2}, [("a", "changed by hand", "1", "2")]),
        ("klaviyo", {"a": 1}, {"a": "1"}, [("a", "changed by hand", "1", '"1"')]),
        ("klaviyo", {"a": 1}, {}, [("a", "missing field", "1", None)]),
        ("klaviyo", {"a": None}, {"a": 5}, [("a", "changed by hand", None, "5")]),
        ("klaviyo", {"a": 1}, None, [(None, "object gone", None, None)]),
        ("shopify", {"a": " ", "b": 0.5}, {"b": 0.5}, []),
        ("shopify", {"tag:x": True, "tag:y": None}, {"tag:x": True, "tag:theirs": True}, []),
        (
            "shopify",
            {"tag:x": None},
            {"tag:x": True},
            [("tag:x", "extra managed tag", None, "true")],
        ),
        ("shopify", {"tag:x": True}, {}, [("tag:x", "missing field", "true", None)]),
        ("shopify", {}, {"old": "x"}, [("old", "extra field", None, '"x"')]),
        ("postscript", {"a": 0.5, "b": True, "c": None, "d": ""}, {"a": "0.5", "b": "true"}, []),
        ("postscript", {"a": None}, {"a": "x"}, [("a", "changed by hand", None, '"x"')]),
    ],
)
def test_what_is_drift_and_what_is_none(
    destination: str, confirmed: Any, found: Any, differences: list[Any]
) -> None:
    assert compare(destination, confirmed, found) == [Difference(*d) for d in differences]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("single_line_text_field", "12", "12"),
        ("number_integer", "12", 12),
        ("number_decimal", "2", 2.0),
        ("boolean", "true", True),
        ("list.single_line_text_field", '["a"]', ["a"]),
        ("json", '{"a": 1}', {"a": 1}),
        ("number_integer", "a dozen", "a dozen"),
    ],
)
def test_a_metafield_is_read_as_its_type_says(kind: str, text: str, value: Any) -> None:
    assert canonical({"x": readback.typed(kind, text)}) == canonical({"x": value})


# --- read back from the sandbox ----------------------------------------------------------------


def test_what_was_pushed_is_found_as_it_was_confirmed(world: World) -> None:
    before = world.warehouse.read_bytes()
    world.sandbox.sent = []
    result = world.reconcile(sample=None)
    assert [(c.destination, c.objects) for c in result.checked] == [
        ("klaviyo", MOST),
        ("postscript", MOST),
        ("shopify", MOST),
    ]
    assert result.is_clean
    assert world.warehouse.read_bytes() == before
    # 100 profiles, 50 customers a call, 100 subscribers a page; and nothing but reads.
    operations = [r.operation for r in world.sandbox.requests() if r.operation != "create job"]
    assert operations.count("get profiles") == 2
    assert operations.count("subscribers") == 2
    sent = world.sandbox.sent
    asked = [json.loads(s.body) for s in sent if s.destination == "shopify"]
    assert len(asked) == 3
    assert all(s.method == "GET" for s in sent if s.destination != "shopify")
    for request in asked:
        assert document_problems(request["query"], request["variables"]) == []
    for request in (s for s in sent if s.destination == "klaviyo"):
        parameters = dict(httpx.QueryParams(request.query))
        assert klaviyo_query_problems("profiles", parameters) == []


def test_everything_that_was_changed_by_hand_is_found_told_and_written_again(
    world: World,
) -> None:
    k, s = object_id("klaviyo", 1), object_id("shopify", 1)
    world.set_by_hand("klaviyo", k, health_bucket="vip", rfm_group=None, trust_rating="bad")
    world.set_by_hand("shopify", s, health_bucket="write to ann@example.com", extra="x")
    world.set_by_hand("postscript", subscriber(5), last_survey_response=None)
    world.sandbox.store.forget("klaviyo", SHOP, [object_id("klaviyo", 7)])
    text = scores(5)["last_survey_response"]
    expected = {
        ("klaviyo", k, "health_bucket", "changed by hand", '"medium"', '"vip"'),
        ("klaviyo", k, "rfm_group", "missing field", '"group 1"', None),
        ("klaviyo", k, "trust_rating", "changed by hand", '"mid"', '"bad"'),
        ("klaviyo", object_id("klaviyo", 7), None, "object gone", None, None),
        ("shopify", s, "extra", "extra field", None, '"x"'),
        (
            "shopify",
            s,
            "health_bucket",
            "changed by hand",
            '"medium"',
            '"write to ann@example.com"',
        ),
        (
            "postscript",
            subscriber(5),
            "last_survey_response",
            "missing field",
            json.dumps(text, ensure_ascii=False),
            None,
        ),
    }
    result = world.reconcile(sample=None, repair=True)
    assert told(result) == expected
    assert not result.is_clean
    assert result.repairs == 3
    kept = query(
        world.warehouse,
        "select destination, object_id, field, kind, confirmed, found "
        f"from activation.reconciliations where run_id = '{result.run_id}'",
    )
    assert set(kept) == expected

    shown = StringIO()
    reconcile.show(Console(file=shown, width=200), result)
    assert "changed by hand" in shown.getvalue()
    assert "(address)" in shown.getvalue()
    assert "@" not in shown.getvalue()
    assert "writes 3 objects again" in shown.getvalue()

    # What is noted is compared by nobody before the push has written it.
    assert world.reconcile(sample=None).drifts[0].difference.kind == "object gone"
    report = world.push()
    assert (report.to_send, report.confirmed) == (3, 3)
    assert told(world.reconcile(sample=None)) == {
        ("klaviyo", object_id("klaviyo", 7), None, "object gone", None, None)
    }
    assert query(world.warehouse, "select * from activation.in_flight") == []


def test_who_is_gone_and_no_longer_desired_is_as_gone_as_they_should_be(world: World) -> None:
    world.sandbox.store.forget("klaviyo", SHOP, [object_id("klaviyo", 7)])
    with duckdb.connect(str(world.warehouse)) as connection:
        connection.execute(
            "delete from activation.desired_state where object_id = ?", [object_id("klaviyo", 7)]
        )
    assert world.reconcile(sample=None).is_clean


def test_a_sample_is_the_same_all_day_and_another_the_next(world: World) -> None:
    def objects(day: date) -> set[str]:
        seen: set[str] = set()
        real = readback.read

        def spy(connection: Any, ids: Any, *more: Any, **options: Any) -> Any:
            seen.update(ids)
            return real(connection, ids, *more, **options)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(readback, "read", spy)
            result = world.reconcile(sample=10, destinations=["klaviyo"], today=day)
        assert [c.objects for c in result.checked] == [10]
        return seen

    first = objects(TODAY)
    assert objects(TODAY) == first
    assert objects(date(2026, 11, 2)) != first


def test_a_few_subscribers_are_read_one_by_one(world: World) -> None:
    result = world.reconcile(sample=5, destinations=["postscript"])
    assert result.is_clean
    assert world.sandbox.counts()["postscript subscriber"] == 5


def test_what_a_push_wrote_meanwhile_is_no_drift(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = ("klaviyo", SHOP, object_id("klaviyo", 3))
    real = readback.read

    def slow(connection: Any, *given: Any, **options: Any) -> Any:
        if connection.destination == "klaviyo":
            write_desired(world.warehouse, everybody() | {key: scores(3, health_score=99)})
            world.push()
        return real(connection, *given, **options)

    monkeypatch.setattr(readback, "read", slow)
    assert world.reconcile(sample=None, destinations=["klaviyo"]).drifts == []
    assert confirmed(world.warehouse)[key]["health_score"] == 99


def test_a_destination_that_cannot_be_read_is_told_and_the_others_are_read(world: World) -> None:
    world.environment["KLAVIYO_API_KEY__AURELIA"] = "hunter2"
    del world.environment["POSTSCRIPT_API_KEY__AURELIA"]
    world.set_by_hand("shopify", object_id("shopify", 1), health_bucket="vip")
    result = world.reconcile(sample=None)
    by = {c.destination: c for c in result.checked}
    assert "refused the key (401)" in str(by["klaviyo"].stopped)
    assert not by["postscript"].connected
    assert (by["shopify"].objects, len(result.drifts)) == (MOST, 1)
    assert "refused the key" in result.problem
    assert "1 fields are not as they were confirmed" in result.problem
    shown = StringIO()
    reconcile.show(Console(file=shown, width=200), result)
    assert "postscript aurelia is not connected" in shown.getvalue()
    assert "hunter2" not in shown.getvalue()


def test_whatever_fails_on_the_way_nothing_is_taken_for_drift(world: World) -> None:
    world.sandbox.faults = FaultPlan(
        rate=0.3, seed=1, kinds=(Fault.BUSY, Fault.DOWN, Fault.LOST_ANSWER)
    )
    assert world.reconcile(sample=None).is_clean


def test_slack_cannot_be_read_back_and_an_empty_warehouse_says_so(tmp_path: Path) -> None:
    with pytest.raises(HealthError, match="slack cannot be read back"):
        reconcile.reconcile(tmp_path / "x", settings=Settings(), destinations=["slack"])
    with pytest.raises(HealthError, match="There is no warehouse"):
        reconcile.reconcile(tmp_path / "x", settings=Settings())
    duckdb.connect(str(tmp_path / "empty.duckdb")).close()
    with pytest.raises(HealthError, match="health build"):
        reconcile.reconcile(tmp_path / "empty.duckdb", settings=Settings())
    write_desired(tmp_path / "new.duckdb", everybody())
    assert reconcile.reconcile(tmp_path / "new.duckdb", settings=Settings()).checked == []


def test_the_command_and_the_job_say_what_differs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestration.operate.chores import make_chores

    for name, value in world.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DUCKDB_PATH", str(world.warehouse))
    cached.cache_clear()
    (job,) = (job for job in make_chores() if job.name == "reconcile")
    command = ["reconcile", "--sample", "3", "--destination", "klaviyo"]
    try:
        assert CliRunner().invoke(cli.app, command).exit_code == 0
        for n in range(MOST):
            world.set_by_hand("klaviyo", object_id("klaviyo", n), health_bucket="vip")
        found = CliRunner().invoke(cli.app, command)
        assert found.exit_code == 1
        assert "changed by hand" in found.output
        assert "health reconcile --repair" in found.output
        ran = job.execute_in_process(raise_on_error=False)
        assert not ran.success
        failure = ran.failure_data_for_node("reconcile_step")
        assert failure is not None
        assert f"{MOST} fields are not as they were confirmed" in str(failure)
    finally:
        monkeypatch.undo()
        cached.cache_clear()


def test_sizes_leave_room_below_a_thousand_points() -> None:
    assert readback.CUSTOMERS_A_CALL * (readback.METAFIELDS + 3) <= 1000
