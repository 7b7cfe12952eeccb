"""A push by bulk mutations killed at any line of its code harms nobody.

What Shopify was asked to run goes on without the process that asked: the next push waits for it,
and then writes what is desired by then.
"""

from __future__ import annotations

import random
import signal
from pathlib import Path

from push_shop import customers, key, tagged
from push_warehouse import confirmed, held, known, query, write_desired
from test_push_kill_points import assert_sound, pusher

from orchestration.sandbox.server import Sandbox, running

KILLS = 20
BETWEEN = 4


def test_a_push_by_bulk_mutations_may_die_at_any_line(tmp_path: Path) -> None:
    generator = random.Random(7)
    desired = customers(range(15))
    held_back = [key(3), key(8)]
    warehouse = tmp_path / "warehouse.duckdb"
    sandbox = Sandbox.of(customers=known(desired, "shopify"), profiles={})
    sandbox.looks = 1
    kills = waited = 0
    with running(sandbox) as urls, pusher(warehouse, dict(urls.environment)) as pushes:
        pushes.bulk = True
        write_desired(warehouse, desired, holds=held_back)
        length = pushes.run()["lines"]
        while kills < KILLS:
            for number in range(15):
                desired[key(number)] = tagged(generator.randrange(90))
            write_desired(warehouse, desired, holds=held_back)
            for _ in range(BETWEEN):
                ended = pushes.run(generator.randrange(1, length))
                kills += ended["code"] == -signal.SIGKILL
                assert_sound(sandbox, warehouse, held_back)
            waited += bool(query(warehouse, "select * from activation.in_flight"))
            assert pushes.run()["code"] == 0
            wanted = {one: fields for one, fields in desired.items() if one not in held_back}
            assert sandbox.records() == held(wanted)
            assert confirmed(warehouse) == wanted
            assert query(warehouse, "select * from activation.in_flight") == []
        assert sandbox.counts()["shopify bulkOperationRunMutation"] > KILLS
        assert waited
        requests = len(sandbox.requests())
        assert pushes.run()["code"] == 0
        assert len(sandbox.requests()) == requests
    sandbox.close()
