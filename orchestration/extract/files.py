"""`health load`: a folder of files into the raw tables.

The folder holds `<source>/<table>/*.{jsonl,csv,parquet}`; what a file may contain is told in
`docs/inputs.md`. Each table is one transaction: a crash leaves it as it was or wholly loaded.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table as RichTable

from orchestration.errors import HealthError
from orchestration.extract import conversions, landing
from orchestration.extract.contract import Table, tables
from orchestration.extract.readers import Load, format_of, read_file
from orchestration.warehouse import connect

MEMORY_LIMIT = "4GiB"
_REJECTS = "landing_rejects"


@dataclass(frozen=True)
class TableResult:
    """What a load did to one table. Row counts are of data rows, headers and blank lines excluded.

    `rows_read` = new + changed + unchanged + rejected. Unchanged are rows already stored, rows
    older than what is stored, and rows that another row of the load with the same key beat.
    `error` is one sentence on each file that is no table; `note` is what is worth knowing but no
    error, such as an empty file; `example` is the first refused row's place and reason.
    """

    source: str
    table: str
    files: int
    rows_read: int = 0
    rows_new: int = 0
    rows_changed: int = 0
    rows_unchanged: int = 0
    rows_rejected: int = 0
    seconds: float = 0.0
    error: str | None = None
    note: str | None = None
    example: str | None = None


def load_directory(
    directory: Path,
    warehouse: Path,
    *,
    loaded_at: datetime | None = None,
    console: Console | None = None,
) -> list[TableResult]:
    """Load every file under `directory` into the warehouse; one result a table, by name.

    `loaded_at` (naive UTC, now when left out) is written to rows that bring no `_loaded_at` of
    their own. Raises `HealthError` when there is no such folder, nothing in it, or the warehouse
    is locked; a bad file or folder is told in its result and harms no other.
    """
    moment = loaded_at or datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    found, strays = discover(directory)
    results = strays
    if found:
        with (
            connect(warehouse) as connection,
            tempfile.TemporaryDirectory(prefix="health-load-") as workspace,
            _shown_progress(connection, console, found) as bar,
        ):
            _configure(connection)
            for table, files in found:
                results.append(
                    _load_table(connection, directory, table, files, moment, Path(workspace), bar)
                )
    return sorted(results, key=lambda r: (r.source, r.table))


def discover(directory: Path) -> tuple[list[tuple[Table, list[Path]]], list[TableResult]]:
    """The files of each known table, and a result with an error for each folder that is none.

    Names that begin with a dot or an underscore are left alone. Raises `HealthError` when there is
    nothing to load.
    """
    if not directory.is_dir():
        raise HealthError(f"There is no folder {directory}. Give the folder that holds the files.")
    known = tables()
    grouped: dict[tuple[str, str], list[Path]] = {}
    for path in sorted(p for p in directory.rglob("*") if p.is_file()):
        parts = path.relative_to(directory).parts
        if any(part.startswith((".", "_")) for part in parts):
            continue
        source, table = (*parts[:-1], "", "")[:2]
        # A README beside the folders is not data; anything within a table's folder is meant to be.
        if format_of(path) or (source, table) in known:
            grouped.setdefault((source, table), []).append(path)
    if not grouped:
        raise HealthError(
            f"There is no file to load in {directory}. Put files as "
            "<source>/<table>/*.jsonl, *.csv or *.parquet, such as shopify/orders/2026-05.csv."
        )
    found = [(known[key], files) for key, files in grouped.items() if key in known]
    strays = [
        TableResult(
            source=source, table=table, files=len(files), error=_unknown(source, table, files)
        )
        for (source, table), files in grouped.items()
        if (source, table) not in known
    ]
    return found, strays


def _unknown(source: str, table: str, files: list[Path]) -> str:
    """The sentence about files that stand in no known table's folder."""
    known = tables()
    sources = sorted({s for s, _ in known})
    if not table:
        return (
            f"{files[0].name} does not stand in a <source>/<table> folder; "
            f"the sources are {', '.join(sources)}."
        )
    if source not in sources:
        return f"There is no source {source}; the sources are {', '.join(sources)}."
    return (
        f"There is no table {table} in {source}; its tables are "
        f"{', '.join(sorted(t for s, t in known if s == source))}."
    )


def _configure(connection: duckdb.DuckDBPyConnection) -> None:
    """Bound the memory, and let DuckDB read one file with all cores."""
    # DuckDB splits a file among threads only when there are more threads than files, and the
    # fast way reads two: the schema and the data.
    threads = landing.scalar(connection, "select current_setting('threads')")
    connection.execute(f"set threads = {max(threads, 3)}")
    connection.execute(f"set memory_limit = '{MEMORY_LIMIT}'")
    conversions.create_macros(connection)


def _load_table(
    connection: duckdb.DuckDBPyConnection,
    directory: Path,
    table: Table,
    files: list[Path],
    moment: datetime,
    workspace: Path,
    bar: _Bar,
) -> TableResult:
    """Read all files of a table into a stage, then merge them in one transaction."""
    started = time.perf_counter()
    read = rejected = 0
    errors, notes = [], []
    landing.create_rejects(connection, _REJECTS)
    with landing.staged(connection, table) as stage:
        load = Load(connection, table, stage.relation, _REJECTS, moment, workspace)
        for path in files:
            shown = path.relative_to(directory).as_posix()
            bar.describe(shown)
            if format_of(path) is None:
                errors.append(f"{shown} is neither JSONL, CSV nor Parquet by its name.")
                continue
            result = read_file(load, path, shown)
            bar.done(path)
            read += result.rows_read
            rejected += result.rows_rejected
            errors += [f"{shown} {result.error}."] if result.error else []
            notes += [f"{shown} {result.note}."] if result.note else []
        with landing.transaction(connection):
            merged = landing.merge(connection, table, stage)
            landing.record_rejects(connection, table, _REJECTS, moment)
    example = connection.execute(
        f"select file || ' line ' || line || ': ' || reason from {_REJECTS} "
        "order by file, line limit 1"
    ).fetchone()
    connection.execute(f"drop table {_REJECTS}")
    return TableResult(
        source=table.source,
        table=table.name,
        files=len(files),
        rows_read=read,
        rows_new=merged.new,
        rows_changed=merged.changed,
        rows_unchanged=read - rejected - merged.new - merged.changed,
        rows_rejected=rejected,
        seconds=time.perf_counter() - started,
        error=" ".join(errors) or None,
        note=" ".join(notes) or None,
        example=str(example[0]) if example else None,
    )


class _Bar:
    """A progress bar over the bytes of all files, or nothing when no one watches."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=total) if progress else None

    def describe(self, name: str) -> None:
        """Show the file being read."""
        if self._progress and self._task is not None:
            self._progress.update(self._task, description=escape(name))

    def done(self, path: Path) -> None:
        """Count a file as read."""
        if self._progress and self._task is not None:
            self._progress.advance(self._task, path.stat().st_size)


@contextmanager
def _shown_progress(
    connection_or_none: object, console: Console | None, found: list[tuple[Table, list[Path]]]
) -> Iterator[_Bar]:
    """A transient progress bar on a terminal; silence elsewhere."""
    if console is None or not console.is_terminal:
        yield _Bar(None, 0)
        return
    total = sum(path.stat().st_size for _, files in found for path in files)
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as progress:
        yield _Bar(progress, total)


def render_summary(results: list[TableResult]) -> RenderableType:
    """The results as a table for a terminal, and where to look for refused rows."""
    table = RichTable(title="Loaded", title_justify="left")
    table.add_column("table", no_wrap=True)
    for name in ("files", "read", "new", "changed", "unchanged", "rejected", "seconds"):
        table.add_column(name, justify="right")
    table.add_column("problem", overflow="fold")
    for r in results:
        problem = r.error or r.example or r.note or ""
        style = "red" if r.error else "yellow" if r.rows_rejected else "dim"
        table.add_row(
            ".".join(part for part in (r.source, r.table) if part) or "-",
            *(
                f"{n:,}"
                for n in (
                    r.files,
                    r.rows_read,
                    r.rows_new,
                    r.rows_changed,
                    r.rows_unchanged,
                    r.rows_rejected,
                )
            ),
            f"{r.seconds:.1f}",
            f"[{style}]{escape(problem)}[/{style}]",
        )
    refused = sorted({r.source for r in results if r.rows_rejected})
    if not refused:
        return table
    where = ", ".join(f"raw_{source}._rejected" for source in refused)
    return Group(table, f"Every refused row stands with its line and its reason in {where}.")
