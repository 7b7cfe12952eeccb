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
from pathlib import Path

from orchestration.extract.readers.base import Advance, FileResult, Load, NotATable
from orchestration.extract.readers.delimited import read_csv
from orchestration.extract.readers.jsonl import read_jsonl
from orchestration.extract.readers.lines import refuse_binary
from orchestration.extract.readers.parquet import read_parquet

__all__ = ["FileResult", "Load", "format_of", "read_file"]

FORMATS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
}


def format_of(path: Path) -> str | None:
    """`jsonl`, `csv` or `parquet` by the file's name, also with `.gz`; None when it is neither."""
    name = path.name.lower()
    packed = name.endswith(".gz")
    kind = FORMATS.get(Path(name.removesuffix(".gz")).suffix)
    return None if packed and kind == "parquet" else kind


def read_file(load: Load, path: Path, shown: str, advance: Advance = lambda _: None) -> FileResult:
    """Read one file into the load's stage and rejects.

    `shown` is the name that rejects and sentences give the file. `advance` hears of bytes read in
    the careful way. Raises nothing for a bad file: the result says what is wrong with it.
    """
    try:
        if path.stat().st_size == 0:
            return FileResult(note="is empty")
        kind = format_of(path)
        if kind == "parquet":
            return read_parquet(load, path, shown)
        refuse_binary(path)
        return (read_csv if kind == "csv" else read_jsonl)(load, path, shown, advance)
    except NotATable as problem:
        return FileResult(error=str(problem))
    except (gzip.BadGzipFile, zlib.error, EOFError):
        return FileResult(error="is not a whole gzip file")
    except OSError as problem:
        return FileResult(error=f"cannot be read: {problem.strerror or problem}")
