"""Postscript's side of the push: what travels, how it is paced, what is refused."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from push_warehouse import (
    QUICK,
    Desired,
    confirmed,
    held,
    known,
    query,
    scores,
    write_desired,
)
from pydantic import SecretStr

from orchestration.activate import postscript
from orchestration.activate.plan import Row, Sizes, canonical
from orchestration.activate.push import PushReport, push
from orchestration.sandbox.server import Fault, FaultPlan, Moment, Sandbox, Urls, running
from orchestration.settings import Settings
from orchestration.vendors import pace

SHOP = "aurelia"


def row(number: int, payload: dict[str, Any], **more: Any) -> Row:
    values: dict[str, Any] = {
        "shop_id": SHOP,
        "destination": "postscript",
        "object_id": f"s_{number}",
        "customer_key": f"{SHOP}:{number}",
        "reason": "changed",
        "payload_text": canonical(payload),
        "payload_hash": "",
        "payload": payload,
    }
    return Row(**(values | more))


@contextmanager
def shop(
    most: int, slept: list[float] | None = None, **options: Any
) -> Iterator[tuple[Sandbox, postscript.Postscript]]:
    """A sandbox with numbered subscribers and a sender to it; nothing of either sleeps."""
    sandbox = Sandbox.of(
        customers={}, profiles={}, subscribers={SHOP: [f"s_{n}" for n in range(most)]}
    )
    # Each look at the clock is a tenth of a second later: ten calls a second arrive.
    ticks = count()
    sandbox.clock = lambda: next(ticks) / 10
    sandbox.sent = []
    for name, value in options.items():
        setattr(sandbox, name, value)
    with running(sandbox) as urls:
        secrets = {k: SecretStr(v) for k, v in urls.environment.items()}
        connection = Settings(connections=secrets).connection(SHOP, "postscript")
        assert connection is not None
        estimate = postscript.estimate([], Sizes())
        sleep = (slept if slept is not None else []).append
        sender = postscript.open_sender(connection, Sizes(), QUICK, estimate, sleep=sleep)
        try:
            yield sandbox, sender
        finally:
            sender.close()
            sandbox.close()


def bodies(sandbox: Sandbox) -> list[tuple[str, str, Any]]:
    assert sandbox.sent is not None
    return [
        (sent.method, sent.path.rpartition("/")[2], json.loads(sent.body)) for sent in sandbox.sent
    ]


def test_a_subscriber_gets_properties_and_nothing_else() -> None:
    with shop(3) as (sandbox, sender):
        payload = {"health_bucket": "high", "score": 7, "tags": ["a", "b"], "next_action": None}
        answer = sender.send([row(1, payload)])
        assert [r.object_id for r in answer.confirmed] == ["s_1"]
        properties = {"health_bucket": "high", "next_action": "", "score": 7, "tags": ["a", "b"]}
        assert bodies(sandbox) == [("PATCH", "s_1", {"properties": properties})]
        assert sandbox.records() == {
            ("postscript", SHOP, "s_1"): {"health_bucket": "high", "score": 7, "tags": ["a", "b"]}
        }


def test_what_is_no_longer_desired_is_emptied_and_what_never_was_is_not() -> None:
    with shop(1) as (sandbox, sender):
        sender.send([row(0, {"a": "x", "b": "y"})])
        now = row(0, {"b": "z", "c": None}, previous={"a": "x", "b": "y", "c": None})
        assert sender.fields(now) == ["a", "b"]
        sender.send([now])
        assert bodies(sandbox)[1][2] == {"properties": {"a": "", "b": "z"}}
        assert sandbox.records() == {("postscript", SHOP, "s_0"): {"b": "z"}}
        sender.send([row(0, {}, previous={"b": "z"})])
        assert sandbox.records() == {}


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (1, 1),
        (1.5, "1.5"),
        (True, "true"),
        (False, "false"),
        ([1, "a"], ["1", "a"]),
        ({"b": 1, "a": 2}, '{"a":2,"b":1}'),
        ("", ""),
        ("größer", "größer"),
    ],
)
def test_every_value_becomes_one_that_postscript_takes(value: Any, sent: Any) -> None:
    assert postscript.properties(row(0, {"x": value})) == {"x": sent}
    with shop(1) as (_, sender):
        assert len(sender.send([row(0, {"x": value})]).confirmed) == 1


def test_rows_are_noted_fifty_at_a_time_and_estimated_one_a_call() -> None:
    rows = [row(n, {"a": n}) for n in range(120)]
    with shop(0) as (_, sender):
        batches = list(sender.batches(rows))
    assert [len(batch) for batch in batches] == [50, 50, 20]
    assert [r for batch in batches for r in batch] == rows
    estimated = postscript.estimate(iter(rows), Sizes())
    assert (estimated.calls, estimated.seconds) == (120, 8.0)


def test_a_subscriber_who_is_gone_is_refused_and_the_others_arrive() -> None:
    with shop(3) as (sandbox, sender):
        sandbox.store.forget("postscript", SHOP, ["s_1"])
        answer = sender.send([row(n, {"a": n}) for n in range(3)])
        assert [r.object_id for r in answer.confirmed] == ["s_0", "s_2"]
        assert [(r.row.object_id, r.code, r.message) for r in answer.refused] == [
            ("s_1", "not_found", "Subscriber not found.")
        ]


def test_more_properties_than_a_subscriber_can_have_are_refused_unsent() -> None:
    with shop(1) as (sandbox, sender):
        (refusal,) = sender.send([row(0, {f"p{n}": n for n in range(51)})]).refused
        assert "51 properties, a subscriber at most 50" in refusal.message
        assert sandbox.requests() == []


def test_a_property_too_many_at_postscript_is_refused_in_its_words() -> None:
    with shop(1) as (sandbox, sender):
        sandbox.store.write(
            "postscript",
            SHOP,
            {"s_0": {"properties": {f"own{n}": 1 for n in range(50)}, "tags": []}},
        )
        (refusal,) = sender.send([row(0, {"a": 1})]).refused
        assert (refusal.code, refusal.message) == ("400", "A subscriber has at most 50 properties.")


def test_fifteen_calls_a_second_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "Windows", partial(pace.Windows, clock=lambda: 5.0))
    slept: list[float] = []
    with shop(40, slept) as (_, sender):
        sender.send([row(n, {"a": n}) for n in range(15)])
        assert slept == []
        sender.send([row(n, {"a": n}) for n in range(15, 17)])
        assert slept == [1.0, 1.0]


def test_too_many_requests_without_a_word_of_how_long_is_waited_out() -> None:
    with shop(4, faults=FaultPlan(at={1: Fault.BUSY, 2: Fault.BUSY, 4: Fault.BUSY})) as (
        sandbox,
        sender,
    ):
        answer = sender.send([row(n, {"a": n}) for n in range(4)])
        assert len(answer.confirmed) == 4
        assert sender.calls == 7
        assert [r.status for r in sandbox.requests()].count(429) == 3


@pytest.mark.parametrize("seed", range(3))
def test_whatever_fails_on_the_way_everybody_ends_as_desired(seed: int) -> None:
    rows = [row(n, {"a": n, "b": None if n % 2 else "x"}) for n in range(30)]
    with shop(30, faults=FaultPlan(rate=0.3, seed=seed)) as (sandbox, sender):
        sender._api._patience = replace(QUICK, attempts=10)
        assert len(sender.send(rows).confirmed) == 30
        assert len({r.fault for r in sandbox.requests()} - {None}) >= 3
        assert sandbox.records() == {
            ("postscript", SHOP, f"s_{n}"): {"a": n} | ({} if n % 2 else {"b": "x"})
            for n in range(30)
        }


def test_a_wrong_key_and_a_postscript_that_is_down_end_in_a_sentence() -> None:
    with shop(4, faults=FaultPlan(at=dict.fromkeys(range(3, 99), Fault.DOWN))) as (sandbox, sender):
        answer = sender.send([row(n, {"a": 1}) for n in range(4)])
        assert re.search(r"answered 503.*run the push again", str(answer.stopped))
        assert [r.object_id for r in answer.confirmed] == ["s_0", "s_1"]
        assert [r.object_id for r in answer.unanswered] == ["s_2", "s_3"]
        sandbox.faults = FaultPlan()
        sender._api._client.headers["Authorization"] = "Bearer hunter2"
        answer = sender.send([row(0, {"a": 2})])
        assert re.search(r"refused the key \(401\).*POSTSCRIPT_API_KEY", str(answer.stopped))
        assert sandbox.records() == {("postscript", SHOP, f"s_{n}"): {"a": 1} for n in (0, 1)}


# --- by the push -------------------------------------------------------------------------------

PUSHER = """
import sys
from pathlib import Path
from orchestration.activate.push import push
from orchestration.settings import Settings
from orchestration.vendors.wire import Patience

push(Path(sys.argv[1]), settings=Settings(), apply=True, sleep=lambda _: None,
     patience=Patience(attempts=3, first_wait=0.01))
"""


def everybody(most: int) -> Desired:
    return {("postscript", SHOP, f"s_{n}"): scores(n) for n in range(most)}


@contextmanager
def world(path: Path, desired: Desired) -> Iterator[tuple[Path, Sandbox, Urls]]:
    """A warehouse that desires this, and a sandbox in which no second has too many calls."""
    warehouse = path / "warehouse.duckdb"
    write_desired(warehouse, desired)
    sandbox = Sandbox.of(customers={}, profiles={}, subscribers=known(desired, "postscript"))
    ticks = count()
    sandbox.clock = lambda: float(next(ticks))
    with running(sandbox) as urls:
        yield warehouse, sandbox, urls
    sandbox.close()


def pushed(warehouse: Path, urls: Urls) -> PushReport:
    secrets = {k: SecretStr(v) for k, v in urls.environment.items()}
    return push(
        warehouse,
        settings=Settings(connections=secrets),
        apply=True,
        patience=QUICK,
        sleep=lambda _: None,
    )


def test_everybody_gets_what_is_desired_and_an_unchanged_push_makes_no_call(
    tmp_path: Path,
) -> None:
    desired = everybody(60)
    with world(tmp_path, desired) as (warehouse, sandbox, urls):
        report = pushed(warehouse, urls)
        assert (report.confirmed, report.outcomes[0].batches) == (60, 2)
        assert sandbox.records() == held(desired)
        assert len(sandbox.requests()) == 60
        assert pushed(warehouse, urls).outcomes == []
        assert len(sandbox.requests()) == 60
        # One property changes and one goes: one call.
        key = ("postscript", SHOP, "s_5")
        desired[key] = {**desired[key], "health_score": 99, "rfm_group": None}
        write_desired(warehouse, desired)
        assert pushed(warehouse, urls).confirmed == 1
        assert len(sandbox.requests()) == 61
        assert sandbox.records() == held(desired)
        assert confirmed(warehouse) == desired


@pytest.mark.parametrize(("number", "moment"), [(1, Moment.ARRIVED), (73, Moment.WORKED)])
def test_killed_in_a_batch_that_batch_alone_is_sent_again(
    tmp_path: Path, number: int, moment: Moment
) -> None:
    desired = everybody(80)
    with world(tmp_path, desired) as (warehouse, sandbox, urls):
        process = subprocess.Popen(
            [sys.executable, "-c", PUSHER, str(warehouse)],
            env={**os.environ, **urls.environment},
        )

        def watch(now: Moment, seen: Any) -> None:
            if now is moment and seen.number == number:
                os.kill(process.pid, signal.SIGKILL)
                process.wait()

        sandbox.watch = watch
        try:
            assert process.wait(timeout=60) == -signal.SIGKILL
        finally:
            process.kill()
            process.wait()
        sandbox.watch = None
        pushed(warehouse, urls)
        assert sandbox.records() == held(desired)
        assert confirmed(warehouse) == desired
        assert query(warehouse, "select * from activation.in_flight") == []
        assert len(sandbox.requests()) - len(desired) <= postscript.AT_ONCE


def test_an_id_cannot_leave_its_place_in_the_address() -> None:
    assert postscript.subscriber_path("../me?x=1") == "subscribers/..%2Fme%3Fx%3D1"
