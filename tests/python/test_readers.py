"""A hundred readers at once, while days are built and published: nobody sees half of anything.

The builds are stand-ins for `health build`: in a process of their own they write a small warehouse
as dbt does, a transaction a model, history first; the scores of a day agree only when all is done.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import postgres_server
import pytest
from conftest import require
from postgres_server import Server

from orchestration.publish.postgres import publish_postgres
from orchestration.publish.serving import publish_serving

PROCESSES, THREADS = 4, 25
PUBLISHES, BUILDS = 20, 5
CUSTOMERS, DAYS = 300, 7
KEYS = {
    "customer_scores": ("customer_key",),
    "customer_score_history": ("customer_key", "as_of_date"),
    "scored_days": ("shop_id", "as_of_date"),
}

BUILD = """
import sys
import duckdb
path, build, customers, days = sys.argv[1], *map(int, sys.argv[2:])
day = f"date '2026-10-24' + {build}"
with duckdb.connect(path) as connection:
    for statement in (
        "create schema if not exists history",
        "create schema if not exists marts",
        # As many customers as builds were told for, so that counts differ from build to build.
        "create or replace table history.intervals as select 'shop' as shop_id, 'c' || i as "
        f"customer_key, ({day} - cast(d as integer))::date as as_of_date, {build} as build, "
        f"cast(((i * 7919 + d * 104729) * {build}) % 10007 / 100.0 as decimal(18, 2)) as monetary "
        f"from range({customers} + {build}) as t (i), range({days}) as u (d)",
        "create or replace view marts.customer_score_history as from history.intervals",
        "create or replace table marts.scored_days as select shop_id, as_of_date, max(build) as "
        "build from history.intervals group by all",
        "create or replace table marts.customer_scores as from history.intervals "
        "where as_of_date = (select max(as_of_date) from history.intervals)",
    ):
        connection.execute(statement)
"""

# What every reader asks in one transaction. Whatever is published meanwhile, there is one build
# everywhere, with as many customers as it has, and the last day of history is what the scores are.
PARTS = (
    "select min(build), max(build), count(*), cast(sum(monetary) as varchar), "
    "cast(max(as_of_date) as varchar) from marts.customer_scores",
    "select min(build), max(build), count(*), cast(sum(monetary) as varchar), "
    "cast(max(as_of_date) as varchar) from marts.customer_score_history "
    "where as_of_date = (select max(as_of_date) from marts.scored_days)",
)
WHOLE = (
    "select min(build), max(build), cast(count(*) as bigint), count(distinct as_of_date) "
    "from marts.customer_score_history"
)

READER = f"""
import json, os, sys, threading
import duckdb
from pydantic import SecretStr
from orchestration.publish.postgres_session import opened

kind, where, stop = sys.argv[1:]
parts, whole = {PARTS!r}, {WHOLE!r}
seen, wrong, reads = set(), [], [0]
started = threading.Barrier({THREADS} + 1)
pause = threading.Event()

def judge(answers):
    scores, last_day, (low, high, rows, days) = answers
    customers = {CUSTOMERS} + low
    if scores != last_day or scores[:3] != (low, low, customers) or high != low:
        wrong.append(answers)
    elif (rows, days) != (customers * {DAYS}, {DAYS}):
        wrong.append(answers)
    reads[0] += 1
    seen.add(low)

def asked(ask):
    return [ask(sql)[0] for sql in (*parts, whole)]

def file(alias):
    # Connections of one process to one path share what they opened, even when it was replaced:
    # by names of their own, these threads are as many programs.
    path = os.path.join(alias, os.path.basename(where))
    with duckdb.connect(path, read_only=True, config={{"threads": 1}}) as connection:
        connection.execute("set enable_progress_bar = false")
        judge(asked(lambda sql: connection.execute(sql).fetchall()))

def postgres(session):
    session.run("set transaction isolation level repeatable read, read only")
    judge(asked(session.rows))
    session.rollback()

def until_stopped(once, number):
    started.wait()
    while True:
        # Once more after the end: the last state has to be seen by everybody.
        last = os.path.exists(stop)
        once()
        if last:
            return
        # A reader's time to think, or the readers would take the machine from the publisher.
        pause.wait(0.7 + number / 25)

def read(number):
    try:
        if kind == "file":
            alias = f"{{stop}}-{{os.getpid()}}-{{number}}"
            os.symlink(os.path.dirname(where), alias)
            until_stopped(lambda: file(alias), number)
        else:
            with opened(SecretStr(where)) as session:
                until_stopped(lambda: postgres(session), number)
    except BaseException as error:
        wrong.append(repr(error))
        started.abort()

threads = [threading.Thread(target=read, args=[n]) for n in range({THREADS})]
for thread in threads:
    thread.start()
started.wait()
print(flush=True)
for thread in threads:
    thread.join()
print(json.dumps(dict(reads=reads[0], seen=sorted(seen), wrong=[str(w) for w in wrong[:3]])))
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    require(postgres_server.is_there(), postgres_server.NEEDS)
    with postgres_server.running() as found:
        yield found


def build(warehouse: Path, number: int) -> None:
    arguments = [str(warehouse), str(number), str(CUSTOMERS), str(DAYS)]
    subprocess.run([sys.executable, "-c", BUILD, *arguments], check=True)


@contextmanager
def readers(kind: str, where: str, stop: Path, told: list[dict]) -> Iterator[None]:
    """A hundred readers, at work until the block ends; what they tell is in `told` then."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", READER, kind, where, str(stop)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(PROCESSES)
    ]  # fmt: skip
    try:
        for process in processes:
            assert process.stdout
            process.stdout.readline()
        yield
    finally:
        stop.touch()
        for process in processes:
            out, errors = process.communicate(timeout=120)
            said = out.strip().splitlines()
            told.append(json.loads(said[-1]) if said else {"wrong": [errors[-2000:]]})


def judged(told: list[dict]) -> None:
    assert [one["wrong"] for one in told] == [[]] * PROCESSES
    # Everybody read all the time, and together they saw every build come.
    assert min(one["reads"] for one in told) >= THREADS * 3
    assert {build for one in told for build in one["seen"]} == {*range(BUILDS + 1)}
    print(f"{sum(one['reads'] for one in told)} reads of {PROCESSES * THREADS} readers")


def test_a_hundred_readers_of_the_copy_never_see_half(tmp_path: Path) -> None:
    warehouse, copy, told = tmp_path / "w.duckdb", tmp_path / "copy.duckdb", []
    build(warehouse, 0)
    publish_serving(warehouse, copy)
    with readers("file", str(copy), tmp_path / "stop", told):
        for number in range(1, PUBLISHES + 1):
            if number % (PUBLISHES // BUILDS) == 0:
                build(warehouse, number * BUILDS // PUBLISHES)
            publish_serving(warehouse, copy)
    judged(told)


def test_a_hundred_readers_of_postgres_never_see_half(server: Server, tmp_path: Path) -> None:
    warehouse, copy, told = tmp_path / "w.duckdb", tmp_path / "copy.duckdb", []
    url = server.create("readers")

    def publish() -> None:
        publish_serving(warehouse, copy)
        publish_postgres(copy, url, reader="health_reader", days=35, keys=KEYS)

    build(warehouse, 0)
    publish()
    with readers("postgres", url.get_secret_value(), tmp_path / "stop", told):
        for number in range(1, PUBLISHES + 1):
            if number % (PUBLISHES // BUILDS) == 0:
                build(warehouse, number * BUILDS // PUBLISHES)
            publish()
    judged(told)


def test_the_judge_of_the_readers_knows_half_from_whole(tmp_path: Path) -> None:
    """What the tests above look for is found when it is there."""
    warehouse, told = tmp_path / "w.duckdb", []
    build(warehouse, 0)
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("delete from marts.customer_scores where customer_key = 'c1'")
    with readers("file", str(warehouse), tmp_path / "stop", told):
        pass
    assert all(one["wrong"] for one in told)
