"""The command line: `health --help`.

Commands import what they need when they run, so that `health --help` answers at once.
"""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from orchestration.errors import HealthError
from orchestration.settings import PROJECT_DIR, settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Customer health: how each customer is doing, why, and what to do about it today.",
)
console = Console()


def parse_moment(text: str) -> datetime:
    """An ISO 8601 moment as naive UTC; without an offset it is taken as UTC."""
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


@app.command()
def load(
    directory: Annotated[Path, typer.Argument(help="A folder laid out as <source>/<table>/*.")],
    loaded_at: Annotated[
        str | None, typer.Option(help="Load time to write, ISO 8601; now when left out.")
    ] = None,
) -> None:
    """Load a file drop (JSONL, CSV, Parquet) into the raw tables."""
    from orchestration.extract.files import load_directory, render_summary

    moment = parse_moment(loaded_at) if loaded_at else None
    results = load_directory(
        directory, settings().warehouse_path, loaded_at=moment, console=console
    )
    console.print(render_summary(results))
    if any(r.error for r in results):
        raise typer.Exit(1)


@app.command()
def extract(
    source: Annotated[
        list[str] | None,
        typer.Option(help="Only from shopify, klaviyo, zigpoll or postscript. Repeatable."),
    ] = None,
    shop: Annotated[list[str] | None, typer.Option(help="Only this shop. Repeatable.")] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Everything again, not only what changed.")
    ] = False,
    loaded_at: Annotated[
        str | None, typer.Option(help="Load time to write, ISO 8601; now when left out.")
    ] = None,
) -> None:
    """Bring what is new at the vendors into the raw tables."""
    from orchestration.extract.api import run
    from orchestration.extract.files import render_summary

    found = run.connections(settings(), source or (), shop or ())
    if not found:
        raise HealthError(
            "No vendor is configured. docs/connections.md tells which variables to set; "
            "`health load` takes files instead."
        )
    moment = parse_moment(loaded_at) if loaded_at else None
    with run.shown(console) as report:
        results = run.extract_all(
            found, settings().warehouse_path, report, full=full, loaded_at=moment
        )
    console.print(render_summary(results))
    if any(r.error for r in results):
        raise typer.Exit(1)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 lets the system pick a free one.")] = 8464,
) -> None:
    """Receive webhooks of Shopify and Zigpoll until Ctrl-C."""
    from orchestration.receive.serve import serve as run

    run(settings().warehouse_path, host=host, port=port, console=console)


@app.command()
def land(
    loaded_at: Annotated[
        str | None, typer.Option(help="Load time to write, ISO 8601; now when left out.")
    ] = None,
) -> None:
    """Land the webhooks that were received."""
    from orchestration.extract.files import render_summary
    from orchestration.receive.landing import land_inbox

    moment = parse_moment(loaded_at) if loaded_at else None
    results = land_inbox(settings().warehouse_path, loaded_at=moment)
    console.print(render_summary(results))
    if any(r.error for r in results):
        raise typer.Exit(1)


@app.command()
def doctor(
    shop: Annotated[list[str] | None, typer.Option(help="Only this shop. Repeatable.")] = None,
) -> None:
    """Which vendors are configured, reachable, and what they allow."""
    from orchestration.operate.doctor import examine, render

    checks = examine(settings(), shop or None)
    console.print(render(checks))
    if any(check.is_wrong for check in checks):
        raise typer.Exit(1)


@app.command()
def simulate(
    directory: Annotated[Path, typer.Argument(help="Where the file drop is written.")],
    customers: Annotated[int, typer.Option(help="Customers of the larger shop.")] = 2000,
    days: Annotated[int, typer.Option(help="Days of history.")] = 730,
    seed: Annotated[int, typer.Option(help="The same seed gives the same shop.")] = 7,
    end: Annotated[str, typer.Option(help="The last day of history.")] = "2026-10-31",
) -> None:
    """Write the pretend shops `aurelia` and `hoshi` as a file drop."""
    from orchestration.sandbox.simulation import simulate as run

    for line in run(
        directory, customers=customers, days=days, seed=seed, end=date.fromisoformat(end)
    ):
        console.print(line)


def parse_day(text: str | None, option: str) -> date | None:
    """An ISO date, or one sentence that names the option."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise HealthError(f"{option} wants a date like 2026-05-31, not '{text}'.") from error


@app.command()
def build(
    as_of: Annotated[str | None, typer.Option(help="Score this one shop day.")] = None,
    first: Annotated[str | None, typer.Option("--from", help="First day of a window.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day of a window.")] = None,
    shop: Annotated[str | None, typer.Option(help="Score this shop only.")] = None,
    scorecard: Annotated[
        list[str] | None,
        typer.Option(help="Use this version, whatever is valid: jewelry_points@2. Repeatable."),
    ] = None,
    full_refresh: Annotated[
        bool, typer.Option(help="Rebuild everything, dropping the history of other days.")
    ] = False,
    stale: Annotated[
        bool, typer.Option("--stale", help="Score the days again that late data would change.")
    ] = False,
    as_known: Annotated[
        str | None,
        typer.Option(help="From what had landed by this moment (ISO 8601), in the file of --into."),
    ] = None,
    into: Annotated[
        Path | None, typer.Option(help="A new warehouse for what --as-known scores.")
    ] = None,
) -> None:
    """Score a day or a window of days; the latest complete day when none is given."""
    from orchestration.transform.build import BuildRequest
    from orchestration.transform.build import build as run

    if as_of and (first or last):
        raise HealthError("Give --as-of or --from and --to, not both.")
    if stale:
        from orchestration.operate.stale import refresh

        if as_of or first or last or full_refresh or scorecard:
            raise HealthError("--stale finds its days itself: give only --shop with it.")
        for line in refresh(settings().warehouse_path, console, shop):
            console.print(line, highlight=False)
        return
    request = BuildRequest(
        parse_day(as_of or first, "--as-of" if as_of else "--from"),
        parse_day(as_of or last, "--as-of" if as_of else "--to"),
        shop,
        full_refresh,
        tuple(scorecard or ()),
    )
    warehouse = settings().warehouse_path
    if (as_known is None) != (into is None):
        raise HealthError("--as-known and --into go together: a moment, and a new file.")
    if as_known and into:
        from orchestration.operate.as_known import build_as_known

        moment = parse_moment(as_known)
        result, warehouse = build_as_known(request, moment, warehouse, into, console), into
    else:
        result = run(request, warehouse, console)
    for warning in result.warnings:
        console.print(f"[yellow]warning:[/yellow] {warning}")
    from orchestration.operate.summary import buckets

    console.print(buckets(warehouse, request.last_day))


@app.command()
def explain(
    customer: Annotated[
        str, typer.Argument(help="A customer_key, Shopify id, Klaviyo profile id or e-mail.")
    ],
    as_of: Annotated[str | None, typer.Option(help="A day that was built before.")] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write their whole story to this page instead.")
    ] = None,
) -> None:
    """Why a customer has their scores, and what would change them."""
    from orchestration.operate.explain import explain as run
    from orchestration.publish.customer_page import write_customer_page
    from orchestration.settings import health_scorecard

    day = parse_day(as_of, "--as-of")
    if html is not None:
        written = write_customer_page(settings().warehouse_path, customer, html, day)
        console.print(f"The page is in {written}.", soft_wrap=True)
        return
    console.print(run(settings().warehouse_path, customer, health_scorecard(), day))


@app.command("what-if")
def what_if(
    version: Annotated[str, typer.Argument(help="The version to try, such as jewelry_points@2.")],
    against: Annotated[
        int | None, typer.Option(help="Compare with this version, not with the one in force.")
    ] = None,
    as_of: Annotated[str | None, typer.Option(help="On this shop day; the latest if none.")] = None,
    shop: Annotated[str | None, typer.Option(help="For this shop only.")] = None,
) -> None:
    """Who would change bucket under another version of a scorecard, and what they are worth."""
    from orchestration.operate.what_if import what_if as run

    day = parse_day(as_of, "--as-of")
    console.print(run(settings().warehouse_path, version, against, day, shop, console))


@app.command()
def outlook(
    days: Annotated[int, typer.Option(min=1, max=730, help="How many days to look ahead.")] = 60,
) -> None:
    """Who will leave which band by themselves, and when: the day to act."""
    from orchestration.operate.outlook import look_ahead, render

    console.print(render(look_ahead(settings().warehouse_path, days, console), days))


@app.command()
def stream(
    customer: Annotated[
        str, typer.Argument(help="A customer_key, Shopify id, Klaviyo profile id or e-mail.")
    ],
    days: Annotated[int, typer.Option(min=1, help="How many days to show.")] = 30,
    as_of: Annotated[str | None, typer.Option(help="The last of them; the latest if none.")] = None,
) -> None:
    """Each event of a customer and how it moved each score, day by day."""
    from orchestration.operate.stream import stream as run

    console.print(run(settings().warehouse_path, customer, days, parse_day(as_of, "--as-of")))


@app.command()
def docs(
    out: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("site"),
) -> None:
    """The guides, the glossary, the lineage, the service levels and dbt's docs as a site."""
    from orchestration.publish.site import write_site

    first = write_site(settings().warehouse_path, PROJECT_DIR / out)
    console.print(f"The site is in {first.parent}: open {first}.", soft_wrap=True)


@app.command()
def push(
    apply: Annotated[bool, typer.Option("--apply", help="Send. Without it, only plan.")] = False,
    plan: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Only if the plan is still the one that bore this id."),
    ] = None,
    destination: Annotated[
        list[str] | None, typer.Option(help="Only this destination. Repeatable.")
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(metavar="GUARD", help="Let pass what this guard holds. Repeatable."),
    ] = None,
    retry_refused: Annotated[
        bool, typer.Option(help="Try again at once what a destination refused before.")
    ] = False,
) -> None:
    """Plan what the destinations should learn; send it with --apply."""
    from orchestration.activate.push import push as run
    from orchestration.publish.serving import held_back

    if apply and (problems := held_back(settings().warehouse_path)):
        raise HealthError("Nothing was sent. " + " ".join(problems))
    run(
        settings().warehouse_path,
        settings=settings(),
        apply=apply,
        console=console,
        retry_refused=retry_refused,
        allow=allow or (),
        destinations=destination or (),
        plan_id=plan,
    )


@app.command()
def switch(
    turn: Annotated[
        str | None, typer.Argument(metavar="[off|on]", help="Left out: show how it stands.")
    ] = None,
    destination: Annotated[str, typer.Argument(help="A destination, or all.")] = "all",
    shop: Annotated[str | None, typer.Option(help="Only this shop.")] = None,
    why: Annotated[str | None, typer.Option(help="The reason, for whoever comes next.")] = None,
) -> None:
    """Stop pushing to a destination at once, a running push included; or let it go on."""
    from orchestration.activate.switching import switch as run

    for line in run(settings().warehouse_path, turn, destination, shop, why):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


@app.command()
def reconcile(
    everything: Annotated[bool, typer.Option("--all", help="Read all back, no sample.")] = False,
    sample: Annotated[
        int, typer.Option(min=1, help="How many objects of each shop and destination.")
    ] = 200,
    destination: Annotated[
        list[str] | None,
        typer.Option(help="Only from klaviyo, shopify or postscript. Repeatable."),
    ] = None,
    shop: Annotated[list[str] | None, typer.Option(help="Only this shop. Repeatable.")] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Let the next push write again what differs.")
    ] = False,
) -> None:
    """Whether destinations still hold what they confirmed; says what was changed there."""
    from orchestration.activate.reconcile import reconcile as run
    from orchestration.activate.reconcile import show

    result = run(
        settings().warehouse_path,
        settings=settings(),
        destinations=destination or (),
        shops=shop or (),
        sample=None if everything else sample,
        repair=repair,
        console=console,
    )
    show(console, result)
    if not result.is_clean:
        raise typer.Exit(1)


@app.command("export")
def export_audiences(
    audience: Annotated[
        list[str] | None, typer.Argument(help="Names of audiences; all when none is given.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Where the files are written; `exports/` beside the warehouse."),
    ] = None,
) -> None:
    """Write audiences for ads as files: hashed addresses of those who agreed, and a manifest."""
    from orchestration.activate.exports import export
    from orchestration.publish.serving import held_back

    warehouse = settings().warehouse_path
    if problems := held_back(warehouse):
        raise HealthError("Nothing was exported. " + " ".join(problems))
    export(warehouse, out or warehouse.parent / "exports", audience or (), console=console)


@app.command()
def forget(
    customer: Annotated[
        str, typer.Argument(help="A customer_key, Shopify id, Klaviyo profile id or e-mail.")
    ],
    apply: Annotated[bool, typer.Option("--apply", help="Remove. Without it, only show.")] = False,
) -> None:
    """Take one person out of everything we keep, for good, and prove that they are gone."""
    from orchestration.privacy.forget import forget as run

    run(settings(), customer, apply=apply, console=console)


@app.command()
def sandbox(
    directory: Annotated[
        Path, typer.Argument(help="A file drop whose people the sandbox knows.")
    ] = Path("data/demo/landing"),
    journal: Annotated[
        Path | None, typer.Option(help="Where to keep what was pushed over a restart.")
    ] = None,
    port: Annotated[int, typer.Option(help="0 lets the system pick a free one.")] = 0,
    faults: Annotated[
        str, typer.Option(help="What goes wrong, such as 429:0.1,500:0.05,drop:0.02,slow:0.05.")
    ] = "",
    seed: Annotated[int, typer.Option(help="The same seed fails the same requests.")] = 0,
) -> None:
    """A pretend Shopify, Klaviyo, Zigpoll, Postscript and Slack on this machine, until Ctrl-C."""
    from orchestration.sandbox.server import FaultPlan, serve

    plan = FaultPlan.parse(faults, seed=seed)
    serve(directory, journal=journal, console=console, port=port, faults=plan)


@app.command()
def publish(
    out: Annotated[
        Path | None,
        typer.Option(help="Where the page is written; HEALTH_REPORT_PATH if left out."),
    ] = None,
    lookml: Annotated[
        Path | None,
        typer.Option(help="Write the LookML project into this folder, and nothing else."),
    ] = None,
) -> None:
    """Write the report, and the marts for readers: file; Postgres, DuckLake if configured."""
    if lookml:
        from orchestration.publish.lookml.project import publish_lookml

        files = publish_lookml(settings().warehouse_path, lookml)
        console.print(f"{lookml}: {len(files)} files", highlight=False, soft_wrap=True)
        return
    from orchestration.publish import ducklake
    from orchestration.publish.postgres_run import publish_configured, render
    from orchestration.publish.report import write_report
    from orchestration.publish.serving import publish_serving

    # First what is refused where scores are held back, so that the page is held back with it.
    copy = publish_serving(settings().warehouse_path, settings().serving_path)
    page = write_report(settings().warehouse_path, out or settings().report_path)
    for path in (page, copy):
        console.print(str(path), highlight=False, soft_wrap=True)
    if published := publish_configured(settings(), console):
        console.print(render(published))
    if lake := ducklake.publish_configured(settings()):
        console.print(lake.sentence, highlight=False, soft_wrap=True)


@app.command()
def ui(
    port: Annotated[int | None, typer.Option(help="A free one when left out.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Open the operator's console (Dagster)."""
    from orchestration.operate.console import serve

    serve(port, host)


@app.command()
def demo(
    customers: Annotated[int, typer.Option(help="Customers of the larger shop.")] = 2000,
    target: Annotated[
        str | None,
        typer.Option(help="What builds: duckdb or spark; what HEALTH_TARGET says when left out."),
    ] = None,
) -> None:
    """The pretend shop from raw extracts to a push, in data/demo."""
    from orchestration.demo import run
    from orchestration.transform import spark

    if target is not None:
        spark.choose(target)
    run(console, customers=customers)


def main() -> None:
    """Run the command; what the user can put right ends as one sentence on stderr."""
    try:
        app()
    except HealthError as error:
        errors = Console(stderr=True, highlight=False, soft_wrap=True)
        errors.print("[red]error:[/red]", end=" ")
        errors.print(str(error), markup=False)
        sys.exit(1)


if __name__ == "__main__":
    main()
