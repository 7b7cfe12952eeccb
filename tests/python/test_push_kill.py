"""A push killed at any point and run again ends where an undisturbed one ends.

The pusher is a process of its own, killed by SIGKILL: by the sandbox, which sees how far a request
has come, or by itself around its own writes to the ledger.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from push_warehouse import (
    Desired,
    confirmed,
    held,
    known,
    object_id,
    people,
    query,
    write_desired,
)

from orchestration.sandbox.server import Fault, FaultPlan, Moment, Sandbox, Seen, running

# Small batches, so that there are many points to die at.
PUSHER = """
import os, signal, sys
from pathlib import Path
from orchestration.activate import ledger
from orchestration.activate.plan import Sizes
from orchestration.activate.push import push
from orchestration.vendors.wire import Patience
from orchestration.settings import Settings

where, after, calls = sys.argv[2], sys.argv[3] == "after", int(sys.argv[4])
if where != "nowhere":
    real = getattr(ledger.Ledger, where)
    def deadly(self, *given):
        global calls
        calls -= 1
        if calls == 0 and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        real(self, *given)
        if calls == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    setattr(ledger.Ledger, where, deadly)
push(
    Path(sys.argv[1]),
    settings=Settings(),
    apply=True,
    sizes=Sizes(profiles_per_job=6, metafields_per_call=12),
    patience=Patience(attempts=3, first_wait=0.01, longest_wait=5.0, answer=10.0,
                      first_poll=0.01, longest_poll=0.1, job=10.0),
)
"""

# The parts of a batch's way through the ledger; the private ones are inside the transaction.
LEDGER_POINTS = [
    ("note", "before"),
    ("note", "after"),
    ("settle", "before"),
    ("_confirm", "after"),
    ("_forget", "before"),
    ("_forget", "after"),
    ("settle", "after"),
]


@dataclass
class Push:
    """One process that pushes."""

    warehouse: Path
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = field(default=None)

    def run(self, where: str = "nowhere", moment: str = "before", calls: int = 0) -> int:
        """The exit code; -9 when killed."""
        self.process = subprocess.Popen(
            [sys.executable, "-c", PUSHER, str(self.warehouse), where, moment, str(calls)],
            env={**os.environ, **self.environment},
            stderr=subprocess.PIPE,
        )
        try:
            _, errors = self.process.communicate(timeout=60)
            if self.process.returncode not in (0, -signal.SIGKILL):
                pytest.fail(errors.decode())
            return self.process.returncode
        finally:
            self.process.kill()
            self.process.wait()

    def kill(self) -> None:
        """Called by the sandbox's thread: kill, and go on only once the process is dead."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        stat = Path(f"/proc/{self.process.pid}/stat")
        for _ in range(2000):
            try:
                state = stat.read_text().rpartition(")")[2].split()[0]
            except (FileNotFoundError, ProcessLookupError):
                # Dead, and whoever waits for it was quicker.
                return
            if state in ("Z", "X"):
                return
            time.sleep(0.001)


def at_request(nth: int, moment: Moment, action: Callable[[], None]) -> Callable[..., None]:
    """A watcher that acts once, at one moment of the nth request that arrives from now on.

    Counted as they arrive: the request that a run died in may reach the log after the next began.
    """
    arrived = itertools.count(1)
    watched: list[int] = []

    def watch(now: Moment, seen: Seen) -> None:
        if now is Moment.ARRIVED and next(arrived) == nth:
            watched.append(seen.number)
        if now is moment and seen.number in watched:
            action()

    return watch


def everybody() -> Desired:
    found: Desired = {}
    for destination in ("klaviyo", "shopify"):
        found |= people(destination, "aurelia", range(26))
        found |= people(destination, "hoshi", range(9))
    return found


def knowing(desired: Desired) -> Sandbox:
    """A sandbox that knows everybody, answers at once and does not mind how often it is asked."""
    sandbox = Sandbox.of(customers=known(desired, "shopify"), profiles=known(desired, "klaviyo"))
    sandbox.limits, sandbox.looks = (), 0
    return sandbox


def changed(desired: Desired, generator: random.Random) -> Desired:
    """The next day: some scores differ, some fields are gone."""
    following: Desired = {}
    for key, fields in sorted(desired.items()):
        now = dict(fields)
        if generator.random() < 0.6:
            now["health_score"] = generator.randrange(100)
        if generator.random() < 0.2:
            now["rfm_group"] = None
        following[key] = now
    return following


def writes(sandbox: Sandbox, since: int) -> list[tuple[str, str, str]]:
    """The writes that did their work, as (destination, shop, hash of the body)."""
    return [
        (r.destination, r.shop_id, r.body_hash)
        for r in sandbox.requests()
        if r.number > since
        and r.items
        and r.fault in (None, str(Fault.LOST_ANSWER), str(Fault.FAILED_ANSWER))
        and (r.status is None or r.status < 400 or r.fault)
    ]


def in_doubt(warehouse: Path) -> dict[str, frozenset[tuple[str, str, str]]]:
    """The objects of every batch that left and was not answered; one killed twice has two ids."""
    found: dict[str, set[tuple[str, str, str]]] = {}
    sql = "select batch_id, destination, shop_id, object_id from activation.in_flight"
    for batch_id, *key in query(warehouse, sql):
        found.setdefault(batch_id, set()).add((key[0], key[1], key[2]))
    return {batch_id: frozenset(objects) for batch_id, objects in found.items()}


def assert_settled(sandbox: Sandbox, warehouse: Path, desired: Desired) -> None:
    assert sandbox.records() == held(desired)
    assert confirmed(warehouse) == desired
    assert query(warehouse, "select * from activation.in_flight") == []


@dataclass(frozen=True)
class Death:
    """Where a run dies: at a request (`moment`, counted in the run), or around a ledger write."""

    request: int = 0
    moment: Moment | None = None
    ledger: tuple[str, str] | None = None

    def __str__(self) -> str:
        where = self.moment or " ".join(self.ledger or ())
        return f"{where} {self.request}"


def deaths(generator: random.Random, most: int) -> list[Death]:
    """Seeded places to die, half at the wire and half at the ledger."""
    found = []
    for index in range(most):
        if index % 2 == 0:
            moment = generator.choice(list(Moment))
            found.append(Death(generator.randrange(1, 14), moment))
        else:
            point = generator.choice(LEDGER_POINTS)
            found.append(Death(generator.randrange(1, 5), ledger=point))
    return found


@pytest.mark.parametrize("seed", range(3))
def test_destinations_and_ledger_agree_after_kills(tmp_path: Path, seed: int) -> None:
    generator = random.Random(seed)
    desired = everybody()
    warehouse = tmp_path / "warehouse.duckdb"
    write_desired(warehouse, desired)
    sandbox = knowing(desired)
    with running(sandbox) as urls:
        pusher = Push(warehouse, dict(urls.environment))
        for day in range(2):
            if day:
                desired = changed(desired, generator)
                write_desired(warehouse, desired)
            start = len(sandbox.requests())
            killed = 0
            for death in deaths(generator, 3):
                if death.moment:
                    sandbox.watch = at_request(death.request, death.moment, pusher.kill)
                    code = pusher.run()
                else:
                    where, moment = death.ledger or ("", "")
                    code = pusher.run(where, moment, death.request)
                sandbox.watch = None
                killed += code == -signal.SIGKILL
                # What was confirmed did arrive; what nobody answered for is at most one batch.
                doubtful = in_doubt(warehouse)
                # The next run may cut it smaller: then its notes speak of a part of that batch.
                in_all = frozenset[tuple[str, str, str]]().union(*doubtful.values())
                assert not doubtful or in_all in doubtful.values(), death
                records = sandbox.records()
                for key, fields in held(confirmed(warehouse)).items():
                    if not any(key in objects for objects in doubtful.values()):
                        assert records[key] == fields, (death, key)
            assert killed >= 1
            assert pusher.run() == 0
            assert_settled(sandbox, warehouse, desired)
            again = Counter(writes(sandbox, start))
            assert sum(count - 1 for count in again.values()) <= killed
        last = len(sandbox.requests())
        assert pusher.run() == 0
        assert len(sandbox.requests()) == last
    sandbox.close()


@pytest.mark.parametrize(
    ("destination", "point"),
    [
        *(("shopify", point) for point in LEDGER_POINTS),
        ("klaviyo", ("note", "after")),
        ("klaviyo", ("settle", "before")),
        ("klaviyo", ("settle", "after")),
    ],
)
def test_every_write_to_the_ledger_may_be_the_last(
    tmp_path: Path, destination: str, point: tuple[str, str]
) -> None:
    desired = people(destination, "aurelia", range(13))
    warehouse = tmp_path / "warehouse.duckdb"
    write_desired(warehouse, desired)
    sandbox = knowing(desired)
    with running(sandbox) as urls:
        pusher = Push(warehouse, dict(urls.environment))
        assert pusher.run(*point, 2) == -signal.SIGKILL
        # The second batch is on record when, and only when, its transaction had ended.
        batches = query(warehouse, "select count(distinct batch_id) from activation.ledger")
        assert batches == [(2 if point == ("settle", "after") else 1,)]
        assert pusher.run() == 0
        assert_settled(sandbox, warehouse, desired)
        sent_before_the_note = point[0] == "note"
        settled = point == ("settle", "after")
        repeats = sum(count - 1 for count in Counter(writes(sandbox, 0)).values())
        assert repeats == (0 if sent_before_the_note or settled else 1)
    sandbox.close()


def test_a_write_that_nobody_saw_confirmed_is_undone_when_it_is_no_longer_wanted(
    tmp_path: Path,
) -> None:
    """Killed after Shopify took 99; the next day's desired state is the last confirmed one."""
    wanted = people("shopify", "aurelia", range(4))
    warehouse = tmp_path / "warehouse.duckdb"
    write_desired(warehouse, wanted)
    sandbox = knowing(wanted)
    key = ("shopify", "aurelia", object_id("shopify", 2))
    with running(sandbox) as urls:
        pusher = Push(warehouse, dict(urls.environment))
        assert pusher.run() == 0
        write_desired(warehouse, wanted | {key: {**wanted[key], "health_score": 99, "new": "x"}})
        # The first request asks what there is, the second writes.
        sandbox.watch = at_request(2, Moment.WORKED, pusher.kill)
        assert pusher.run() == -signal.SIGKILL
        sandbox.watch = None
        assert sandbox.records()[key]["health_score"] == 99
        write_desired(warehouse, wanted)
        assert pusher.run() == 0
        assert_settled(sandbox, warehouse, wanted)
    sandbox.close()


def test_a_killed_run_among_faults_still_agrees(tmp_path: Path) -> None:
    desired = everybody()
    warehouse = tmp_path / "warehouse.duckdb"
    write_desired(warehouse, desired)
    sandbox = knowing(desired)
    sandbox.faults = FaultPlan(rate=0.15, seed=5, retry_after=0.02)
    with running(sandbox) as urls:
        pusher = Push(warehouse, dict(urls.environment))
        killed = 0
        for nth in (4, 9, 6):
            sandbox.watch = at_request(nth, Moment.ARRIVED, pusher.kill)
            killed += pusher.run() == -signal.SIGKILL
        sandbox.watch = None
        assert killed == 3
        sandbox.faults = FaultPlan()
        assert pusher.run() == 0
        assert_settled(sandbox, warehouse, desired)
    sandbox.close()
