"""`health demo`: pretend shops, from their vendors' APIs to a push, in a warehouse of their own."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter

import httpx
from rich.console import Console

from orchestration.activate.push import push
from orchestration.errors import HealthError
from orchestration.extract.api.run import connections, extract_all, shown, together
from orchestration.extract.files import TableResult, load_directory, render_summary
from orchestration.operate.explain import explain
from orchestration.operate.summary import buckets
from orchestration.publish.report import write_report
from orchestration.receive.app import build as receiver
from orchestration.receive.landing import land_inbox
from orchestration.sandbox.server import Sandbox, deliveries, running
from orchestration.sandbox.simulation import simulate
from orchestration.settings import PROJECT_DIR, Settings, health_scorecard, settings
from orchestration.transform.build import BuildRequest, build
from orchestration.vendors.wire import Patience
from orchestration.warehouse import connect

LAST_DAY = date(2026, 10, 31)
DAYS_OF_HISTORY = 8

# The sandbox's jobs are done at once: the demo looks after them sooner than it would at a vendor's.
HASTE = Patience(first_poll=0.05)

# Three customers with a story each: healthy, on the way down, and one who sends things back.
STORIES = (
    "health_bucket = 'high' and rfm_group is not null order by health_score desc, customer_key",
    "behaviour_band = 'engaged' and health_bucket != 'high' order by behaviour_score, customer_key",
    "trust_rating in ('mid', 'bad') and frequency > 1 order by trust_score, customer_key",
)


def three_customers(warehouse: Path) -> list[str]:
    """The customers that the demo explains, picked by rule so that they are always the same."""
    keys: list[str] = []
    with connect(warehouse, read_only=True) as connection:
        for story in STORIES:
            found = connection.execute(
                f"select customer_key from marts.customer_scores where {story} limit 1"
            ).fetchone()
            if found:
                keys.append(str(found[0]))
    return keys


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[Settings]:
    """These addresses and keys and no others: nothing can leave this machine."""
    vendors = ("KLAVIYO", "SHOPIFY", "ZIGPOLL", "POSTSCRIPT", "SLACK", "HEALTH_SHOPS")
    kept = {k: v for k, v in os.environ.items() if any(word in k for word in vendors)}
    for name in kept:
        del os.environ[name]
    os.environ.update(variables)
    settings.cache_clear()
    try:
        yield Settings()
    finally:
        for name in variables:
            os.environ.pop(name, None)
        os.environ.update(kept)
        settings.cache_clear()


async def deliver(sandbox: Sandbox, warehouse: Path) -> None:
    """Hand the receiver what webhooks alone tell: who was merged into another, who was erased."""
    transport = httpx.ASGITransport(app=receiver(warehouse))
    async with httpx.AsyncClient(transport=transport, base_url="http://receiver") as client:
        for shop in sandbox.shops("shopify"):
            for headers, body in deliveries(sandbox, shop):
                path = f"/webhooks/shopify/{shop}"
                answer = await client.post(path, content=body, headers=dict(headers))
                answer.raise_for_status()


def extract(
    console: Console, sandbox: Sandbox, connected: Settings, drop: Path, warehouse: Path
) -> list[TableResult]:
    """Bring the sandbox's shops into the warehouse: APIs, webhooks, and files of what has neither.

    Raises `HealthError` when a vendor could not be read.
    """
    with shown(console) as report:
        results = extract_all(connections(connected), warehouse, report, patience=HASTE)
    for result in results:
        if result.error:
            raise HealthError(result.error)
    asyncio.run(deliver(sandbox, warehouse))
    results += land_inbox(warehouse)
    own = drop.parent / "files"
    shutil.copytree(drop / "files", own / "files")
    results += load_directory(own, warehouse, console=console)
    return together(results)


def run(console: Console, *, customers: int = 2000, folder: Path | None = None) -> Path:
    """Simulate, extract, build, explain, push to the sandbox, report. Returns the report's path.

    Everything lands in `data/demo` (or `folder`), which is made anew; your own warehouse and
    destinations are not touched.
    """
    folder = folder or PROJECT_DIR / "data" / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    warehouse, drop = folder / "warehouse.duckdb", folder / "landing"
    started = perf_counter()

    def step(text: str) -> None:
        console.rule(f"[bold]{text}[/bold]  {perf_counter() - started:.0f} s", align="left")

    step("1  Two pretend shops and their vendors")
    for line in simulate(drop, customers=customers, days=730, seed=7, end=LAST_DAY):
        console.print(line, highlight=False)
    sandbox = Sandbox.from_drop(drop, journal=folder / "sandbox.journal")
    # The throttle of a Plus plan, and jobs that are done at once: the demo is not there to wait.
    sandbox.bucket, sandbox.looks = (20_000.0, 1_000.0), 1
    with running(sandbox) as urls, _environment(urls.environment) as connected:
        step("2  Extracts over HTTP land in DuckDB")
        console.print(render_summary(extract(console, sandbox, connected, drop, warehouse)))

        step(f"3  dbt scores {DAYS_OF_HISTORY} days in one build")
        first = LAST_DAY - timedelta(days=DAYS_OF_HISTORY - 1)
        outcome = build(BuildRequest(first, LAST_DAY), warehouse, console)
        for warning in outcome.warnings:
            console.print(f"[yellow]warning:[/yellow] {warning}", highlight=False)
        console.print(buckets(warehouse))

        step("4  Three customers, explained")
        for key in three_customers(warehouse):
            console.print(explain(warehouse, key, health_scorecard()))

        step("5  The push, to the same vendors")
        report = push(warehouse, settings=connected, apply=True, console=console)
        console.print("Once more, now that everything is confirmed:")
        push(warehouse, settings=connected, apply=True, console=console)
    sandbox.close()

    step("6  The report")
    page = write_report(warehouse, folder / "report.html", report)
    console.print(f"{page}", highlight=False, soft_wrap=True)
    if warehouse.is_relative_to(PROJECT_DIR):
        warehouse = warehouse.relative_to(PROJECT_DIR)
    console.print(
        f"Done in {perf_counter() - started:.0f} s. Look around: "
        f"DUCKDB_PATH={warehouse} .venv/bin/health explain <customer>, or make ui.",
        highlight=False,
        soft_wrap=True,
    )
    return page
