"""Reading one file of a drop into a stage, whatever is wrong with it.

Each format has a fast way, in which DuckDB reads the whole file with an explicit schema and stops
at the first thing it is not sure of, and a careful way, tried only then, which knows the line of
every row, keeps what is good and says why the rest is refused. Both turn text into values by the
same expressions (`conversions`), so what the fast way accepts is what the careful way would have.

No row passes through Python: in the careful way Python hands over blocks of lines, DuckDB does the
rest.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from orchestration.extract.readers import delimited, jsonl, parquet
from orchestration.extract.readers.base import GAVE_UP, Format, Load, NotATable

__all__ = ["Load", "ReadResult", "format_of", "read_files"]

FORMATS: dict[str, Format] = {
    ".jsonl": jsonl.FORMAT,
    ".ndjson": jsonl.FORMAT,
    ".json": jsonl.FORMAT,
    ".csv": delimited.FORMAT,
    ".parquet": parquet.FORMAT,
}

BATCH_BYTES = 64 * 1024 * 1024
"""Files that look alike are read by one statement up to this size: a statement has its price, and
a folder of daily files has many."""


@dataclass
class ReadResult:
    """What became of files, in rows, and a sentence for each that is no table or has no rows."""

    rows_read: int = 0
    rows_rejected: int = 0
    errors: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _File:
    """A file that looks like a table. Files with one `likeness` can be read together."""

    path: Path
    shown: str
    size: int
    format: Format
    likeness: Hashable


def format_of(path: Path) -> Format | None:
    """How a file is read, by its name, which may end with `.gz`; None when that says nothing."""
    name = path.name.lower()
    found = FORMATS.get(Path(name.removesuffix(".gz")).suffix)
    return None if name.endswith(".gz") and found is parquet.FORMAT else found


def read_files(
    load: Load,
    files: dict[str, Path],
    began: Callable[[str, int], None] = lambda name, size: None,
    ended: Callable[[int], None] = lambda size: None,
) -> ReadResult:
    """Read files into the load's stage and rejects; `files` maps the names to show to paths.

    Raises nothing for a bad file: the result says what is wrong with it. `began` hears the name
    of the (first) file that is being read and how many bytes it has, `ended` when they are done.
    """
    result = ReadResult()
    good = []
    for shown, path in files.items():
        with _told(result, shown):
            size = path.stat().st_size
            format = format_of(path)
            if format is None:
                result.errors.append(f"{shown} is neither JSONL, CSV nor Parquet by its name.")
            elif not size:
                result.notes.append(f"{shown} is empty.")
            else:
                good.append(_File(path, shown, size, format, format.likeness(load, path)))
    for batch in _batches(good):
        size = sum(file.size for file in batch)
        began(batch[0].shown, size)
        _read_batch(load, batch, result)
        ended(size)
    return result


def _batches(files: list[_File]) -> Iterator[list[_File]]:
    """Files that can be read together, in their order, no batch above `BATCH_BYTES` but of one."""
    alike: dict[tuple[Format, Hashable], list[_File]] = {}
    for file in files:
        alike.setdefault((file.format, file.likeness), []).append(file)
    for group in alike.values():
        batch: list[_File] = []
        for file in group:
            if batch and sum(f.size for f in batch) + file.size > BATCH_BYTES:
                yield batch
                batch = []
            batch.append(file)
        yield batch


def _read_batch(load: Load, batch: list[_File], result: ReadResult) -> None:
    """Read files by one statement; when that fails, halves of them, and carefully at last."""
    first = batch[0]
    rows = rejected = 0
    with _told(result, first.shown):
        try:
            rows = first.format.fast(load, [file.path for file in batch], first.likeness)
        except GAVE_UP:
            if len(batch) > 1:
                middle = len(batch) // 2
                _read_batch(load, batch[:middle], result)
                _read_batch(load, batch[middle:], result)
                return
            rows, rejected = first.format.careful(load, first.path, first.shown, first.likeness)
        if not rows:
            result.notes.append(f"{first.shown} holds no rows.")
    result.rows_read += rows
    result.rows_rejected += rejected


@contextmanager
def _told(result: ReadResult, shown: str) -> Iterator[None]:
    """Turn what is wrong with a file as a whole into a sentence of the result."""
    try:
        yield
    except NotATable as problem:
        why = str(problem)
    except (gzip.BadGzipFile, zlib.error, EOFError):
        why = "is not a whole gzip file"
    except OSError as problem:
        why = f"cannot be read: {problem.strerror or problem}"
    else:
        return
    result.errors.append(f"{shown} {why}.")
