"""Publishing to the Postgres of the settings, from the command line and from Dagster."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from orchestration.errors import HealthError
from orchestration.publish.postgres import Published, publish_postgres
from orchestration.publish.postgres_marts import keys_of
from orchestration.publish.serving import held_back
from orchestration.settings import Settings
from orchestration.transform.build import target_path
from orchestration.transform.manifest import ensure_manifest


def publish_configured(now: Settings, console: Console | None = None) -> Published | None:
    """Publish the serving copy to `HEALTH_POSTGRES_URL`; None when that is not set.

    Raises `HealthError` when a test of the last build holds the scores back, and as
    `publish_postgres` does.
    """
    if now.postgres_url is None:
        return None
    if problems := held_back(now.warehouse_path):
        raise HealthError("Postgres keeps what it has. " + " ".join(problems))
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f} rows"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=console is None or not console.is_terminal,
    )
    with progress:
        task = progress.add_task("Postgres", total=0)

        def report(mart: str, done: int, total: int) -> None:
            progress.update(task, description=mart, completed=done, total=total)

        return publish_postgres(
            now.serving_path,
            now.postgres_url,
            reader=now.postgres_reader,
            days=now.postgres_days,
            keys=keys_of(manifest_of(now.warehouse_path)),
            report=report,
        )


def manifest_of(warehouse: Path) -> Path:
    """dbt's manifest of the last build; made now where there is none."""
    built = target_path(warehouse) / "manifest.json"
    return built if built.exists() else ensure_manifest()


def render(published: Published) -> Table:
    """What was published, a row a table."""
    table = Table(title="Postgres, schema marts", title_justify="left")
    table.add_column("mart")
    for name in ("rows", "written", "removed", "seconds"):
        table.add_column(name, justify="right")
    table.add_column("days from")
    for one in published.tables:
        table.add_row(
            one.name,
            f"{one.rows:,}",
            f"{one.inserted:,}",
            f"{one.deleted:,}",
            f"{one.seconds:.1f}",
            str(one.first_day or "the first"),
        )
    for name in published.gone:
        table.add_row(name, "0", "", "", "", "no mart any more: emptied")
    return table
