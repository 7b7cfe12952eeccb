"""Klaviyo's two ways: single calls for a few profiles, import jobs for more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from published import klaviyo_body_problems
from push_warehouse import (
    QUICK,
    Desired,
    confirmed,
    held,
    known,
    object_id,
    people,
    query,
    scores,
    write_desired,
)
from pydantic import SecretStr

from orchestration.activate import klaviyo
from orchestration.activate.plan import Row, Sizes, canonical
from orchestration.activate.push import PushReport, PushStopped, push
from orchestration.sandbox.server import Fault, FaultPlan, Sandbox, Urls, running
from orchestration.settings import Settings
from orchestration.vendors import pace, wire

SHOP = "aurelia"


def row(number: int, payload: dict[str, Any] | None = None, **more: Any) -> Row:
    payload = scores(number) if payload is None else payload
    values: dict[str, Any] = {
        "shop_id": SHOP,
        "destination": "klaviyo",
        "object_id": object_id("klaviyo", number),
        "customer_key": f"{SHOP}:{number}",
        "reason": "changed",
        "payload_text": canonical(payload),
        "payload_hash": "",
        "payload": payload,
    }
    return Row(**(values | more))


@contextmanager
def shop(desired: Desired, **options: Any) -> Iterator[tuple[Sandbox, Urls]]:
    sandbox = Sandbox.of(customers={}, profiles=known(desired, "klaviyo"))
    sandbox.sent, sandbox.looks = [], 0
    for name, value in options.items():
        setattr(sandbox, name, value)
    with running(sandbox) as urls:
        yield sandbox, urls
    sandbox.close()


def settings_of(urls: Urls) -> Settings:
    return Settings(connections={k: SecretStr(v) for k, v in urls.environment.items()})


def pushed(warehouse: Path, urls: Urls, **options: Any) -> PushReport:
    return push(warehouse, settings=settings_of(urls), apply=True, patience=QUICK, **options)


def posts(sandbox: Sandbox) -> list[tuple[str, bytes]]:
    assert sandbox.sent is not None
    return [
        (sent.path.partition("/api/")[2], sent.body)
        for sent in sandbox.sent
        if sent.method == "POST"
    ]


@pytest.mark.parametrize(
    ("rows", "route", "calls"),
    [(0, klaviyo.ONE_BY_ONE, 0), (5, klaviyo.ONE_BY_ONE, 5), (6, klaviyo.BY_JOB, 1)],
)
def test_a_handful_goes_by_single_calls_and_more_by_a_job(
    rows: int, route: str, calls: int
) -> None:
    found = klaviyo.estimate((row(n) for n in range(rows)), Sizes())
    assert (found.route, found.calls) == (route, calls)


def test_twenty_thousand_and_one_are_three_jobs() -> None:
    rows = (row(n, {"a": 1}) for n in range(20_001))
    assert klaviyo.estimate(rows, Sizes()).calls == 3


def test_single_calls_write_and_clear_what_is_desired_as_klaviyo_publishes_it(
    tmp_path: Path,
) -> None:
    warehouse, desired = tmp_path / "warehouse.duckdb", people("klaviyo", SHOP, range(5))
    with shop(desired) as (sandbox, urls):
        write_desired(warehouse, desired)
        pushed(warehouse, urls)
        assert sandbox.records() == held(desired)
        for fields in desired.values():
            del fields["rfm_group"]
            fields["trust_rating"] = None
        write_desired(warehouse, desired)
        report = pushed(warehouse, urls)
        assert (report.confirmed, report.refused) == (5, 0)
        assert sandbox.records() == held(desired)
        assert confirmed(warehouse) == desired
        assert all("rfm_group" not in fields for fields in sandbox.records().values())
        sent = posts(sandbox)
        assert [path for path, _ in sent] == ["profile-import"] * 10
        assert [p for path, body in sent for p in klaviyo_body_problems(path, body)] == []
        # By its id and nothing else: no address, no list, no consent.
        for _, body in sent:
            data = json.loads(body)["data"]
            assert data.keys() <= {"type", "id", "attributes", "meta"}
            assert data["attributes"].keys() == {"properties"}
        before = len(sandbox.requests())
        pushed(warehouse, urls)
        assert len(sandbox.requests()) == before


def test_a_profile_that_is_gone_is_refused_alone(tmp_path: Path) -> None:
    warehouse, desired = tmp_path / "warehouse.duckdb", people("klaviyo", SHOP, range(4))
    gone = ("klaviyo", SHOP, object_id("klaviyo", 2))
    with shop({k: v for k, v in desired.items() if k != gone}) as (sandbox, urls):
        write_desired(warehouse, desired)
        report = pushed(warehouse, urls)
        assert (report.confirmed, report.refused) == (3, 1)
        del desired[gone]
        assert sandbox.records() == held(desired)
        assert query(warehouse, "select object_id, code, message from activation.rejected") == [
            (gone[2], "not_found", f"A profile with id {gone[2]} does not exist.")
        ]


def sender_to(urls: Urls, slept: list[float] | None = None) -> klaviyo.Singles:
    connection = settings_of(urls).connection(SHOP, "klaviyo")
    assert connection is not None
    estimate = klaviyo.estimate([], Sizes())
    sleep = (slept if slept is not None else []).append
    sender = klaviyo.open_sender(connection, Sizes(), QUICK, estimate, sleep=sleep)
    assert isinstance(sender, klaviyo.Singles)
    return sender


def test_a_profile_too_large_is_refused_unsent() -> None:
    with shop(people("klaviyo", SHOP, [1])) as (sandbox, urls):
        (refusal,) = sender_to(urls).send([row(1, {"text": "x" * 100_000})]).refused
        assert refusal.code == "too_large"
        assert sandbox.requests() == []


def test_single_calls_keep_to_their_own_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "Windows", partial(pace.Windows, clock=lambda: 5.0))
    slept: list[float] = []
    with shop(people("klaviyo", SHOP, [1]), limits=()) as (_, urls):
        sender = sender_to(urls, slept)
        for _ in range(75):
            sender.send([row(1)])
        assert slept == []
        sender.send([row(1)])
        assert slept == [1.0]


def test_a_wrong_key_ends_in_a_sentence() -> None:
    with shop(people("klaviyo", SHOP, [1])) as (sandbox, urls):
        sandbox.scopes["klaviyo"] = frozenset({"profiles:read"})
        with pytest.raises(wire.Stopped, match=r"refused the key \(403\).*profiles:write"):
            sender_to(urls).send([row(1)])


@pytest.mark.parametrize("seed", range(2))
def test_whatever_fails_single_calls_end_as_desired(tmp_path: Path, seed: int) -> None:
    warehouse, desired = tmp_path / "warehouse.duckdb", people("klaviyo", SHOP, range(5))
    plan = FaultPlan(rate=0.4, seed=seed, retry_after=0.02)
    with shop(desired, faults=plan) as (sandbox, urls):
        write_desired(warehouse, desired)
        pushed(warehouse, urls)
        assert {r.fault for r in sandbox.requests()} - {None}
        assert sandbox.records() == held(desired)
        assert confirmed(warehouse) == desired


def test_a_cancelled_job_is_sent_again_by_the_next_push(tmp_path: Path) -> None:
    warehouse, desired = tmp_path / "warehouse.duckdb", people("klaviyo", SHOP, range(12))
    with shop(desired, faults=FaultPlan(at={1: Fault.CANCELLED_JOB})) as (sandbox, urls):
        write_desired(warehouse, desired)
        with pytest.raises(PushStopped, match="ended the import job job-000001 as 'cancelled'"):
            pushed(warehouse, urls)
        # Half of it was written; the ledger claims nothing.
        assert len(sandbox.records()) == 6
        assert confirmed(warehouse) == {}
        assert len(query(warehouse, "select * from activation.in_flight")) == 12
        assert pushed(warehouse, urls).confirmed == 12
        assert sandbox.records() == held(desired)
        assert query(warehouse, "select * from activation.in_flight") == []


def test_one_bad_profile_in_ten_thousand_is_taken_out_and_the_others_arrive() -> None:
    """The whole job is rejected for it: one more call, and 9,999 are there."""
    most, bad = 10_000, 7_123
    desired = {("klaviyo", SHOP, object_id("klaviyo", n)): {"a": n} for n in range(most)}
    with shop(desired) as (sandbox, urls):
        connection = settings_of(urls).connection(SHOP, "klaviyo")
        assert connection is not None
        rows = [row(n, {"a": n}) for n in range(most)]
        rows[bad] = row(bad, {"a": "x" * 100_000})
        # As if our own limit were above Klaviyo's: what is too large is seen there alone.
        sizes = Sizes(bytes_per_profile=200_000)
        sender = klaviyo.Klaviyo(connection, sizes, QUICK, sleep=lambda _: None)
        answer = sender.send(rows)
        assert len(answer.confirmed) == most - 1
        (found,) = answer.refused
        assert found.row.object_id == object_id("klaviyo", bad)
        assert "larger than 100000 bytes" in found.message
        jobs = [r.items for r in sandbox.requests() if r.operation == "create job"]
        assert jobs == [10_000, 9_999]
        records = sandbox.records()
        assert len(records) == most - 1
        assert ("klaviyo", SHOP, object_id("klaviyo", bad)) not in records
