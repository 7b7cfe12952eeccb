"""`health demo`: the pretend shop from raw extracts to a push, in a warehouse of its own."""

from __future__ import annotations

import os
import shutil
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter

from rich.console import Console

from orchestration.activate.push import push
from orchestration.extract.files import load_directory, render_summary
from orchestration.operate.explain import explain
from orchestration.operate.summary import buckets
from orchestration.publish.report import write_report
from orchestration.sandbox.server import Sandbox, running
from orchestration.sandbox.simulation import simulate
from orchestration.settings import PROJECT_DIR, Settings, health_scorecard
from orchestration.transform.build import BuildRequest, build
from orchestration.warehouse import connect

LAST_DAY = date(2026, 10, 31)
DAYS_OF_HISTORY = 8

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


def run(console: Console, *, customers: int = 2000, folder: Path | None = None) -> Path:
    """Simulate, load, build, explain, push to the sandbox, report. Returns the report's path.

    Everything lands in `data/demo` (or `folder`), which is made anew; your own warehouse and
    destinations are not touched.
    """
    folder = folder or PROJECT_DIR / "data" / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    warehouse, drop = folder / "warehouse.duckdb", folder / "landing"
    started = perf_counter()

    def step(text: str) -> None:
        console.rule(f"[bold]{text}[/bold]  {perf_counter() - started:.0f} s", align="left")

    step("1  Two pretend shops write their extracts")
    for line in simulate(drop, customers=customers, days=730, seed=7, end=LAST_DAY):
        console.print(line, highlight=False)

    step("2  The extracts land in DuckDB")
    results = load_directory(drop, warehouse, console=console)
    console.print(render_summary(results))

    step(f"3  dbt scores {DAYS_OF_HISTORY} days in one build")
    first = LAST_DAY - timedelta(days=DAYS_OF_HISTORY - 1)
    outcome = build(BuildRequest(first, LAST_DAY), warehouse, console)
    for warning in outcome.warnings:
        console.print(f"[yellow]warning:[/yellow] {warning}", highlight=False)
    console.print(buckets(warehouse))

    step("4  Three customers, explained")
    for key in three_customers(warehouse):
        console.print(explain(warehouse, key, health_scorecard()))

    step("5  The push, to a sandbox on this machine")
    sandbox = Sandbox.from_drop(drop, journal=folder / "sandbox.journal")
    # The throttle of a Plus plan: the demo is not there to wait.
    sandbox.bucket = (20_000.0, 1_000.0)
    with running(sandbox) as urls:
        # The sandbox's own addresses and keys, and no others: nothing can leave this machine.
        kept = {k: v for k, v in os.environ.items() if "KLAVIYO" in k or "SHOPIFY" in k}
        for name in kept:
            del os.environ[name]
        os.environ.update(urls.environment)
        try:
            connected = Settings()
            report = push(warehouse, settings=connected, apply=True, console=console)
            console.print("Once more, now that everything is confirmed:")
            push(warehouse, settings=connected, apply=True, console=console)
        finally:
            for name in urls.environment:
                os.environ.pop(name, None)
            os.environ.update(kept)
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
