"""What a push of few changes among many customers costs, in calls and seconds.

    .venv/bin/python -m benchmarks.push [--customers 1000000] [--changed 50000]

A synthetic warehouse has everybody confirmed yesterday at Klaviyo and at Shopify; today some have
another score, bucket and group, and so three properties, three metafields and another tag. They
are pushed to the sandbox: to Klaviyo, to Shopify by calls and, from the same start, by bulk
mutations; then once more with nothing changed. Nobody waits: what the push would sleep moves the
sandbox's clock, and is printed as the time that the vendor's own limits ask for.

The floor is what the vendors' sizes allow: 10,000 profiles a job, 25 metafields a call, a file for
each kind of write. Beside it is a pusher that knows no batches and no ledger, measured on a sample.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import duckdb
import httpx
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from orchestration.activate.ledger import LATEST_SQL, ensure_tables
from orchestration.activate.push import PushReport, push
from orchestration.activate.shopify import route
from orchestration.sandbox.server import Sandbox, Urls, running
from orchestration.settings import Settings

SHOP = "aurelia"
BOUND = 1.05
PROFILES_A_JOB = 10_000
METAFIELDS_A_CALL = 25
METAFIELDS_CHANGED = 3
FILES = 3
SAMPLE = 1_000

# Objects are numbered; their payload is a function of the number and of how often it has changed.
_OBJECT = "case destination when 'shopify' then '' else '01PROFILE' end || (7000000000 + n)"
_BUCKET = "['low', 'medium', 'high'][1 + (n + day) % 3]"
_TAGS = ", ".join(
    f"'tag:health:{band}', case when {_BUCKET} = '{band}' then true end"
    for band in ("low", "medium", "high")
)
_FIELDS = f"""
    'health_score', (n + 7 * day) % 100, 'health_bucket', {_BUCKET},
    'rfm_group', 'group ' || ((n + day) % 9), 'trust_rating', ['mid', 'good'][1 + n % 2],
    'product_pref_tag', 'rings'
"""
_PAYLOAD = (
    f"(case destination when 'shopify' then json_object({_FIELDS}, {_TAGS}) "
    f"else json_object({_FIELDS}) end)::varchar"
)
_PEOPLE = f"""
    select
        '{SHOP}' as shop_id, destination, {_OBJECT} as object_id, 'customer ' || n as customer_key,
        {_PAYLOAD} as payload, n
    from (
        select destination, n, case when $today and n < $changed then 1 else 0 end as day
        from (select unnest(['klaviyo', 'shopify']) as destination), range($customers) as t(n)
    )
"""
_DESIRED = f"""
create table activation.desired_state as
select
    shop_id, destination, customer_key, object_id, null::varchar as email,
    object_id as external_id, payload, sha256(payload) as payload_hash,
    date '2026-11-02' as as_of_date
from ({_PEOPLE})
"""
_LEDGER = f"""
insert into activation.ledger by name
select
    row_number() over () as ledger_id, shop_id, destination, object_id, customer_key, payload,
    sha256(payload) as payload_hash, date '2026-11-01' as as_of_date,
    timestamp '2026-11-01 06:00:00' as confirmed_at, null as request_id, 'yesterday' as batch_id
from ({_PEOPLE})
"""
# What the models do, without consent, caps and holdouts.
_PLAN = f"""
create view activation.plan as
with latest as ({LATEST_SQL.format(ledger="activation.ledger")})
select
    d.shop_id, d.destination, d.object_id, d.customer_key, d.email, d.external_id,
    'send' as action, case when l.object_id is null then 'new' else 'changed' end as reason,
    d.payload, d.payload_hash, l.payload as previous_payload, d.as_of_date
from activation.desired_state as d
left join latest as l using (shop_id, destination, object_id)
where l.payload_hash is distinct from d.payload_hash
"""


class Clock:
    """The time, moved on by all that somebody would have slept."""

    def __init__(self) -> None:
        self.slept = 0.0

    def __call__(self) -> float:
        """The time in seconds."""
        return time.monotonic() + self.slept

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.slept += seconds


@dataclass
class Run:
    """One push: what it asked of the vendor, and how long it took and would have waited."""

    name: str
    floor: str
    operations: Counter[str] = field(default_factory=Counter)
    wall: float = 0.0
    waited: float = 0.0
    confirmed: int = 0

    @property
    def writes(self) -> int:
        """Requests that write, uploads included; looks at running jobs are not among them."""
        return sum(n for what, n in self.operations.items() if not _is_a_look(what))

    @property
    def looks(self) -> int:
        """Requests that ask how far a job is, or what there is."""
        return sum(n for what, n in self.operations.items() if _is_a_look(what))


def _is_a_look(operation: str) -> bool:
    looks = ("get ", "bulkOperation", "bulk result", "metafieldDefinitions")
    return operation.startswith(looks) and operation != "bulkOperationRunMutation"


def build(path: Path, customers: int, changed: int) -> None:
    """A warehouse in which everybody is confirmed and some have changed since."""
    with duckdb.connect(str(path)) as warehouse:
        ensure_tables(warehouse)
        given = {"customers": customers, "changed": changed}
        warehouse.execute(_DESIRED, {**given, "today": True})
        warehouse.execute(_LEDGER, {**given, "today": False})
        warehouse.execute(_PLAN)


@contextmanager
def vendors(changed: int) -> Iterator[tuple[Sandbox, Clock, Urls]]:
    """A sandbox that knows those who have changed: nobody else may be written to."""
    sandbox = Sandbox.of(
        customers={SHOP: (str(7_000_000_000 + n) for n in range(changed))},
        profiles={SHOP: (f"01PROFILE{7_000_000_000 + n}" for n in range(changed))},
    )
    clock = Clock()
    sandbox.clock, sandbox.limits = clock, ()
    with running(sandbox) as urls:
        yield sandbox, clock, urls
    sandbox.close()


def settings_of(urls: Urls, destination: str) -> Settings:
    """Settings that know one destination alone: the other is held as not connected."""
    return Settings(
        connections={
            name: SecretStr(value)
            for name, value in urls.environment.items()
            if destination.upper() in name
        }
    )


def measured(
    warehouse: Path, destination: str, run: Run, world: tuple[Sandbox, Clock, Urls]
) -> PushReport:
    """Push to one destination and take down what it cost."""
    sandbox, clock, urls = world
    before = Counter(sandbox.counts())
    waited, started = clock.slept, time.perf_counter()
    report = push(warehouse, settings=settings_of(urls, destination), apply=True, sleep=clock.sleep)
    run.wall = time.perf_counter() - started
    run.waited = clock.slept - waited
    run.confirmed = report.confirmed
    after = Counter(sandbox.counts())
    run.operations = Counter({what.partition(" ")[2]: n for what, n in (after - before).items()})
    return report


def naive(world: tuple[Sandbox, Clock, Urls], most: int) -> tuple[float, float, int]:
    """A pusher of one customer after the other: seconds, seconds waited and calls for `most`.

    One call for the properties of a profile, one for the metafields of a customer, one for the
    tag that goes and one for the tag that comes, each followed by the pause that the vendor's
    limits ask for: 750 profiles a minute, 10 of 100 points a second. It keeps no ledger, so each
    run is like this.
    """
    sandbox, clock, urls = world
    before, waited = len(sandbox.requests()), clock.slept
    started = time.perf_counter()
    environment = urls.environment
    graphql = environment["HEALTH_SHOPIFY_URL"].format(shop=SHOP)
    token = {"X-Shopify-Access-Token": environment[f"SHOPIFY_ACCESS_TOKEN__{SHOP.upper()}"]}
    profiles = environment["HEALTH_KLAVIYO_URL"].format(shop=SHOP) + "/api/profile-import"
    key = environment[f"KLAVIYO_API_KEY__{SHOP.upper()}"]
    headers = {"Authorization": f"Klaviyo-API-Key {key}", "revision": "2026-10-15"}
    with httpx.Client(trust_env=False, timeout=60) as web:
        for n in range(most):
            web.post(profiles, headers=headers, json=_profile(n)).raise_for_status()
            clock.sleep(60 / 750)
            for body in _mutations(n):
                answer = web.post(graphql, headers=token, json=body).raise_for_status().json()
                if "errors" in answer:
                    raise RuntimeError(f"the other pusher was refused: {answer['errors']}")
                clock.sleep(10 / 100)
    calls = len(sandbox.requests()) - before
    return time.perf_counter() - started, clock.slept - waited, calls


def _profile(n: int) -> dict[str, object]:
    attributes = {"properties": {"health_score": n % 100, "health_bucket": "high"}}
    profile = {"type": "profile", "id": f"01PROFILE{7_000_000_000 + n}", "attributes": attributes}
    return {"data": profile}


def _mutations(n: int) -> Iterator[dict[str, object]]:
    owner = f"gid://shopify/Customer/{7_000_000_000 + n}"
    kind = {"ownerId": owner, "namespace": "$app:health", "type": "single_line_text_field"}
    fields = [{**kind, "key": name, "value": "x"} for name in ("trust_rating", "rfm_group")]
    said = "{ userErrors { field } }"
    text = f"mutation($m: [MetafieldsSetInput!]!) {{ metafieldsSet(metafields: $m) {said} }}"
    yield {"query": text, "variables": {"m": fields}}
    for name in ("tagsRemove", "tagsAdd"):
        text = f"mutation($i: ID!, $t: [String!]!) {{ {name}(id: $i, tags: $t) {said} }}"
        yield {"query": text, "variables": {"i": owner, "t": [f"health:{name}"]}}


def compare(customers: int, changed: int, console: Console) -> list[str]:
    """Push every way, print what it cost; returns in what it is above its bound."""
    jobs = math.ceil(changed / PROFILES_A_JOB)
    calls = math.ceil(METAFIELDS_CHANGED * changed / METAFIELDS_A_CALL)
    runs: list[Run] = []
    with tempfile.TemporaryDirectory(prefix="health-benchmark-") as name:
        first, second = Path(name) / "push.duckdb", Path(name) / "bulk.duckdb"
        started = time.perf_counter()
        build(first, customers, changed)
        built = time.perf_counter() - started
        shutil.copy(first, second)
        with vendors(changed) as world:
            planned = time.perf_counter()
            report = push(first, settings=settings_of(world[2], "klaviyo"))
            planned = time.perf_counter() - planned
            by_jobs = Run("Klaviyo, import jobs", f"{jobs:,} jobs")
            measured(first, "klaviyo", by_jobs, world)
            by_calls = Run("Shopify, calls", f"{calls:,} calls")
            with mock.patch.object(route, "SECONDS_A_BULK_RUN", math.inf):
                measured(first, "shopify", by_calls, world)
            again = Run("both, nothing changed", "0 calls")
            for destination in ("klaviyo", "shopify"):
                once = Run("", "")
                measured(first, destination, once, world)
                again.operations += once.operations
                again.wall += once.wall
            sample = min(SAMPLE, changed)
            seconds, waited, calls_of_sample = naive(world, sample)
        with vendors(changed) as world:
            by_bulk = Run("Shopify, bulk mutations", f"{FILES} files")
            with mock.patch.object(route, "SECONDS_A_BULK_RUN", 0.0):
                measured(second, "shopify", by_bulk, world)
        runs = [by_jobs, by_calls, by_bulk, again]
    _show(console, customers, changed, runs, report)
    times = changed / sample
    console.print(
        f"Building the warehouse took {built:.0f} s, its plan {planned:.1f} s. A pusher of one "
        f"customer after the other made {calls_of_sample:,} calls for {sample:,} of them in "
        f"{seconds:.1f} s, its pauses left out: that is {calls_of_sample * times:,.0f} calls for "
        f"{changed:,}, held up by the vendors' limits for {waited * times:,.0f} s, and as much "
        "again when nothing has changed."
    )
    return _above(runs, jobs, calls, changed)


def _above(runs: list[Run], jobs: int, calls: int, changed: int) -> list[str]:
    by_jobs, by_calls, by_bulk, again = runs
    rules = {
        f"{by_jobs.operations['create job']} jobs": by_jobs.operations["create job"] <= jobs,
        f"{by_calls.writes} calls": by_calls.writes - 1 <= BOUND * calls,
        f"{by_bulk.operations['upload']} files": by_bulk.operations["upload"] <= FILES,
        f"{again.operations.total()} requests for nothing": not again.operations,
    }
    rules |= {f"{r.name}: {r.confirmed} confirmed": r.confirmed == changed for r in runs[:3]}
    return [what for what, holds in rules.items() if not holds]


def _show(
    console: Console, customers: int, changed: int, runs: list[Run], report: PushReport
) -> None:
    table = Table(
        title=f"{changed:,} of {customers:,} customers changed, {METAFIELDS_CHANGED} fields and a "
        f"tag each; load {os.getloadavg()[0]:.1f}",
        title_justify="left",
    )
    for heading in ("", "floor", "writes", "looks", "confirmed", "wall s", "limits s"):
        table.add_column(heading, justify="right" if heading else "left")
    for run in runs:
        table.add_row(
            run.name,
            run.floor,
            f"{run.writes:,}",
            f"{run.looks:,}",
            f"{run.confirmed:,}",
            f"{run.wall:.1f}",
            f"{run.waited:,.0f}",
        )
    console.print(table)
    for run in runs:
        told = ", ".join(f"{what} {n:,}" for what, n in sorted(run.operations.items()))
        console.print(f"{run.name}: {told or 'no request at all'}")


def main() -> None:
    """Run the benchmark; ends with 1 when something is above its bound."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--changed", type=int, default=50_000)
    given = parser.parse_args()
    console = Console(width=100)
    above = compare(given.customers, given.changed, console)
    for what in above:
        console.print(f"above the bound: {what}")
    sys.exit(1 if above else 0)


if __name__ == "__main__":
    main()
