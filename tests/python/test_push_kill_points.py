"""A push killed at any line of its code, two hundred times, harms nobody.

Lines are drawn at random over the whole length of a run. After every kill: what the ledger confirms
is what the destination holds, at most one batch is in doubt, and nobody who is held was touched.
Now and then a push may end, and then destination, ledger and desired state are one.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from push_warehouse import Desired, Key, confirmed, held, known, people, query, write_desired

from orchestration.sandbox.server import Sandbox, running

ZYGOTE = Path(__file__).with_name("push_zygote.py")
KILLS = 200
# Kills between two pushes that may end.
BETWEEN = 4
HELD = 3


@dataclass
class Pusher:
    """Pushes one after the other, each in a process of its own."""

    warehouse: Path
    zygote: subprocess.Popen[str]
    bulk: bool = False

    def run(self, line: int = 0) -> dict[str, Any]:
        """Push and die after so many lines (0: live); the exit code, -9 when killed, and lines."""
        assert self.zygote.stdin
        assert self.zygote.stdout
        asked = {"warehouse": str(self.warehouse), "line": line, "bulk": self.bulk}
        print(json.dumps(asked), file=self.zygote.stdin, flush=True)
        found: dict[str, Any] = json.loads(self.zygote.stdout.readline())
        assert not found["error"], found["error"]
        return found


@contextmanager
def pusher(warehouse: Path, environment: dict[str, str]) -> Iterator[Pusher]:
    with subprocess.Popen(
        [sys.executable, str(ZYGOTE)],
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as zygote:
        try:
            yield Pusher(warehouse, zygote)
        finally:
            zygote.kill()


def everybody() -> Desired:
    return {
        key: fields
        for destination in ("klaviyo", "shopify")
        for key, fields in people(destination, "aurelia", range(20)).items()
    }


def next_day(desired: Desired, generator: random.Random) -> Desired:
    """Some scores differ, some fields are gone."""
    return {
        key: {
            **fields,
            "health_score": generator.randrange(100),
            "rfm_group": None if generator.random() < 0.3 else fields["rfm_group"],
        }
        for key, fields in desired.items()
    }


def assert_sound(sandbox: Sandbox, warehouse: Path, held_back: list[Key]) -> None:
    """What was confirmed did arrive, apart from the one batch that nobody answered for."""
    flying = query(
        warehouse, "select batch_id, destination, shop_id, object_id from activation.in_flight"
    )
    doubtful = {(destination, shop, one) for _, destination, shop, one in flying}
    # A batch that died twice was noted twice.
    noted: dict[str, set[str]] = {}
    for batch, _, _, one in flying:
        noted.setdefault(batch, set()).add(one)
    # The next run may cut it smaller: then its notes speak of a part of that batch.
    assert not noted or set[str]().union(*noted.values()) in noted.values()
    records = sandbox.records()
    for key, fields in held(confirmed(warehouse)).items():
        assert key in doubtful or records[key] == fields
    assert not records.keys() & set(held_back)


@pytest.mark.parametrize("seed", [11, 12])
def test_a_push_may_die_at_any_line(tmp_path: Path, seed: int) -> None:
    generator = random.Random(seed)
    desired = everybody()
    held_back = generator.sample(sorted(desired), HELD)
    warehouse = tmp_path / "warehouse.duckdb"
    sandbox = Sandbox.of(customers=known(desired, "shopify"), profiles=known(desired, "klaviyo"))
    sandbox.limits, sandbox.looks = (), 0
    kills = 0
    with running(sandbox) as urls, pusher(warehouse, dict(urls.environment)) as pushes:
        write_desired(warehouse, desired, holds=held_back)
        length = pushes.run()["lines"]
        while kills < KILLS // 2:
            desired = next_day(desired, generator)
            write_desired(warehouse, desired, holds=held_back)
            for _ in range(BETWEEN):
                ended = pushes.run(generator.randrange(1, length))
                kills += ended["code"] == -signal.SIGKILL
                assert_sound(sandbox, warehouse, held_back)
            assert pushes.run()["code"] == 0
            wanted = {key: fields for key, fields in desired.items() if key not in held_back}
            assert sandbox.records() == held(wanted)
            assert confirmed(warehouse) == wanted
            assert query(warehouse, "select * from activation.in_flight") == []
        requests = len(sandbox.requests())
        assert pushes.run()["code"] == 0
        assert len(sandbox.requests()) == requests
    sandbox.close()
