"""`health load`: a folder of files into the raw tables.

The folder holds `<source>/<table>/*.{jsonl,csv,parquet}`; what a file may contain is told in
`docs/inputs.md`. Each table is one transaction: a crash leaves it as it was or wholly loaded.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table as RichTable

from orchestration.errors import HealthError
from orchestration.extract import conversions, landing
from orchestration.extract.contract import Table, tables
from orchestration.extract.readers import Load, format_of, read_files
from orchestration.warehouse import connect

MEMORY_LIMIT = "4GiB"
_REJECTS = "landing_rejects"


@dataclass(frozen=True)
class TableResult:
    """What a load did to one table. Row counts are of data rows, headers and blank lines excluded.

    `rows_read` = new + changed + unchanged + rejected. Unchanged are rows already stored, rows
    older than what is stored, and rows that another row of the load with the same key beat.
    `error` is one sentence on each file that is no table; `note` is what is worth knowing but no
    error, such as an empty file; `example` is the first refused row's place and reason. `rows_told`
    is how many rows a vendor counted, where one did.
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
    rows_told: int | None = None


def load_directory(
    directory: Path,
    warehouse: Path,
    *,
    loaded_at: datetime | None = None,
    console: Console | None = None,
) -> list[TableResult]:
    """Load every file under `directory` into the warehouse; one result a table, by name.

    `loaded_at` (UTC when naive; now when left out) is written to rows that bring no `_loaded_at` of
    their own. Raises `HealthError` when there is no such folder, nothing in it, or the warehouse
    is locked; a bad file or folder is told in its result and harms no other.
    """
    moment = loaded_at or datetime.now(UTC)
    if moment.tzinfo:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    found, strays = discover(directory)
    results = strays
    if found:
        paths = [path for _, files in found for path in files]
        with (
            connect(warehouse) as connection,
            tempfile.TemporaryDirectory(prefix="health-load-") as workspace,
            _shown_progress(connection, console, paths) as bar,
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
    # DuckDB splits a file among threads only when it has more threads than files, and the fast way
    # reads two, the schema and the data. So it is told of one more, an "external" one that never
    # comes: a real third thread on two cores made loads a quarter slower.
    threads = max(landing.scalar(connection, "select current_setting('threads')"), 2)
    connection.execute(f"set threads = {threads + 1}")
    connection.execute("set external_threads = 2")
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
    landing.create_rejects(connection, _REJECTS)
    named = {path.relative_to(directory).as_posix(): path for path in files}
    with landing.staged(connection, table) as stage:
        load = Load(connection, table, stage.relation, _REJECTS, moment, workspace)
        result = read_files(load, named, bar.began, bar.ended)
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
        rows_read=result.rows_read,
        rows_new=merged.new,
        rows_changed=merged.changed,
        rows_unchanged=result.rows_read - result.rows_rejected - merged.new - merged.changed,
        rows_rejected=result.rows_rejected,
        seconds=time.perf_counter() - started,
        error=" ".join(result.errors) or None,
        note=" ".join(result.notes) or None,
        example=str(example[0]) if example else None,
    )


class _Bar:
    """A progress bar over the bytes of all files, or nothing when no one watches.

    DuckDB reads a file in one statement, so how far it has come is asked of it from a thread.
    """

    def __init__(self, progress: Progress | None = None, task: TaskID | None = None) -> None:
        self._progress, self._task = progress, task
        self._done = self._size = self._shown = 0.0

    def began(self, name: str, size: int = 0) -> None:
        """Show the file being read, of `size` bytes."""
        self._size = size
        self._show(0.0, escape(name))

    def ended(self, size: int) -> None:
        """Count bytes as read."""
        self._done, self._size = self._done + size, 0.0
        self._show(0.0)

    def poll(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Show how far the running statement has come, in the files being read."""
        self._show(max(connection.query_progress(), 0.0) / 100)

    def _show(self, part: float, description: str | None = None) -> None:
        if self._progress is None or self._task is None:
            return
        # A file may take several statements; the bar never goes back.
        self._shown = max(self._shown, self._done + self._size * part)
        self._progress.update(self._task, completed=self._shown, description=description)


@contextmanager
def _shown_progress(
    connection: duckdb.DuckDBPyConnection, console: Console | None, paths: list[Path]
) -> Iterator[_Bar]:
    """A transient progress bar on a terminal; silence elsewhere."""
    if console is None or not console.is_terminal:
        yield _Bar()
        return
    connection.execute("set enable_progress_bar = true")
    connection.execute("set enable_progress_bar_print = false")
    ended = threading.Event()
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as progress:
        bar = _Bar(progress, progress.add_task("", total=sum(p.stat().st_size for p in paths)))

        def watch() -> None:
            while not ended.wait(0.2):
                bar.poll(connection)

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield bar
        finally:
            ended.set()
            watcher.join()


def render_summary(results: list[TableResult]) -> RenderableType:
    """The results as a table for a terminal, then a sentence on each problem."""
    # Without frames the numbers fit a terminal of 80 columns, whole.
    table = RichTable(title="Loaded", title_justify="left", box=None, padding=(0, 1, 0, 0))
    table.add_column("table", no_wrap=True)
    for name in ("files", "read", "new", "changed", "same", "rejected", "sec"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    sentences: list[RenderableType] = []
    for r in results:
        name = ".".join(part for part in (r.source, r.table) if part) or "-"
        counts = (
            r.files, r.rows_read, r.rows_new, r.rows_changed, r.rows_unchanged, r.rows_rejected
        )  # fmt: skip
        if r.error:
            problem = "[red]not all loaded[/red]"
            sentences.append(f"[red]error:[/red] {escape(r.error)}")
        elif r.rows_rejected:
            problem = "[yellow]rows rejected[/yellow]"
        else:
            problem = "[dim]see below[/dim]" if r.note else ""
        if r.example:
            more = f" (and {r.rows_rejected - 1:,} more)" if r.rows_rejected > 1 else ""
            sentences.append(f"[yellow]rejected:[/yellow] {escape(r.example)}{more}.")
        if r.note:
            sentences.append(f"[dim]note: {escape(r.note)}[/dim]")
        table.add_row(name, *(f"{n:,}" for n in counts), f"{r.seconds:.1f}", problem)
    refused = sorted({r.source for r in results if r.rows_rejected})
    if refused:
        where = ", ".join(f"raw_{source}._rejected" for source in refused)
        sentences.append(f"Every rejected row stands with its line and its reason in {where}.")
    return Group(table, *sentences)
