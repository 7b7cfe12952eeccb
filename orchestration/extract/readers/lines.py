"""Text files as numbered lines, whatever their bytes are."""

from __future__ import annotations

import codecs
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from orchestration.extract.landing import MAX_REJECTED_CONTENT
from orchestration.extract.readers.base import BAD_BYTES, Advance, Load, NotATable

MAX_LINE_BYTES = 16 * 1024 * 1024
"""A longer line is refused without being read into memory. It is DuckDB's own limit for JSON."""

BLOCK_BYTES = 8 * 1024 * 1024


def open_text(path: Path) -> IO[bytes]:
    """A text file as bytes, unpacked if it is gzip by name."""
    if path.name.lower().endswith(".gz"):
        return cast(IO[bytes], gzip.open(path, "rb"))
    return path.open("rb")


def refuse_binary(path: Path) -> None:
    """Raise when the file's beginning is no text at all, such as a picture's."""
    with open_text(path) as stream:
        if b"\0" in stream.read(8192):
            raise NotATable(
                "is not a text file (a picture, a spreadsheet, or not UTF-8?); "
                "save it as UTF-8 CSV or JSON Lines"
            )


def _mark_bad_bytes(problem: UnicodeError) -> tuple[str, int]:
    """The codec error handler that leaves a mark where bytes were not UTF-8."""
    if not isinstance(problem, UnicodeDecodeError):
        raise problem
    return BAD_BYTES, problem.end


codecs.register_error("health_mark", _mark_bad_bytes)


@dataclass(frozen=True)
class Block:
    """Consecutive lines of a file. `overlong` says that the only line is the cut front of one."""

    first_line: int
    text: str
    overlong: bool = False


def blocks(
    stream: IO[bytes],
    advance: Advance,
    *,
    block_bytes: int = BLOCK_BYTES,
    max_line: int = MAX_LINE_BYTES,
) -> Iterator[Block]:
    """Cut a file into blocks of whole lines, without the last line feed of each block.

    Carriage returns stay. A line above `max_line` bytes is passed over in pieces, and only its
    front is kept; one that ends within the next block may come whole, the caller measures it.
    """
    line, rest, overlong_front = 1, b"", b""
    skipping = False
    chunk = stream.read(block_bytes).removeprefix(codecs.BOM_UTF8)
    while chunk:
        advance(len(chunk))
        if skipping:
            end = chunk.find(b"\n")
            if end < 0:
                chunk = stream.read(block_bytes)
                continue
            yield Block(line, _decoded(overlong_front), overlong=True)
            line, chunk, skipping = line + 1, chunk[end + 1 :], False
        data = rest + chunk
        cut = data.rfind(b"\n") + 1
        if cut:
            text = _decoded(data[:cut])
            yield Block(line, text[:-1])
            line += text.count("\n")
        rest = data[cut:]
        if len(rest) > max_line:
            overlong_front, rest, skipping = rest[:MAX_REJECTED_CONTENT], b"", True
        chunk = stream.read(block_bytes)
    if skipping:
        yield Block(line, _decoded(overlong_front), overlong=True)
    elif rest:
        yield Block(line, _decoded(rest))


def _decoded(data: bytes) -> str:
    """Lines as text, with a mark where bytes are not UTF-8."""
    return data.decode("utf-8", errors="health_mark")


def stage_lines(load: Load, path: Path, advance: Advance) -> None:
    """Fill the temporary table `landing_lines`: line (from 1), raw, overlong."""
    load.connection.execute(
        "create or replace temp table landing_lines (line bigint, raw varchar, overlong boolean)"
    )
    with open_text(path) as stream:
        for block in blocks(stream, advance):
            load.connection.execute(
                """
                insert into landing_lines
                select line, raw, $overlong or strlen(raw) > $max_line
                from (
                    select unnest(range($first, $first + len(lines))) as line, unnest(lines) as raw
                    from (
                        select case
                            when $overlong then [$text] else string_split($text, chr(10))
                        end as lines
                    )
                )
                """,
                {
                    "first": block.first_line,
                    "text": block.text,
                    "overlong": block.overlong,
                    "max_line": MAX_LINE_BYTES,
                },
            )


def line_failure() -> str:
    """SQL `when` branches for lines that no format can read."""
    return (
        f"when overlong then 'the line is longer than {MAX_LINE_BYTES >> 20} MiB' "
        f"when contains(raw, '{BAD_BYTES}') then 'the line holds bytes that are not UTF-8'"
    )
