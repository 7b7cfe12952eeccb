"""Text files as numbered lines, whatever their bytes are."""

from __future__ import annotations

import codecs
import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from orchestration.extract.landing import MAX_REJECTED_CONTENT
from orchestration.extract.readers.base import Load, NotATable

MAX_LINE_BYTES = 16 * 1024 * 1024
"""A longer line is refused without being read into memory. It is DuckDB's own limit for JSON."""

BLOCK_BYTES = 8 * 1024 * 1024
_SURROGATES = re.compile("[\udc80-\udcff]")


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


@dataclass(frozen=True)
class Block:
    """Consecutive lines of a file.

    `mark` stands in the text for each byte that is not UTF-8, if there are any. `overlong` says
    that the only line is the cut front of one.
    """

    first_line: int
    text: str
    mark: str | None = None
    overlong: bool = False


def blocks(
    stream: IO[bytes],
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
        if skipping:
            end = chunk.find(b"\n")
            if end < 0:
                chunk = stream.read(block_bytes)
                continue
            yield _block(line, overlong_front, overlong=True)
            line, chunk, skipping = line + 1, chunk[end + 1 :], False
        data = rest + chunk
        cut = data.rfind(b"\n") + 1
        if cut:
            yield _block(line, data[: cut - 1])
            line += data.count(b"\n", 0, cut)
        rest = data[cut:]
        if len(rest) > max_line:
            overlong_front, rest, skipping = rest[:MAX_REJECTED_CONTENT], b"", True
        chunk = stream.read(block_bytes)
    if skipping:
        yield _block(line, overlong_front, overlong=True)
    elif rest:
        yield _block(line, rest)


def _block(first_line: int, data: bytes, *, overlong: bool = False) -> Block:
    """Bytes as a block, whatever they are."""
    try:
        return Block(first_line, data.decode(), overlong=overlong)
    except UnicodeDecodeError:
        text = data.decode(errors="surrogateescape")
    # Noncharacters mean nothing in Unicode, yet a text may hold one: take one that it does not.
    mark = next((c for c in map(chr, range(0xFDD0, 0xFDF0)) if c not in text), "\ufdd0")
    return Block(first_line, _SURROGATES.sub(mark, text), mark, overlong)


def stage_lines(load: Load, path: Path) -> None:
    """Fill the temporary table `landing_lines`: line (from 1), raw, overlong, damaged."""
    load.connection.execute(
        "create or replace temp table landing_lines "
        "(line bigint, raw varchar, overlong boolean, damaged boolean)"
    )
    with open_text(path) as stream:
        for block in blocks(stream):
            load.connection.execute(
                """
                insert into landing_lines
                select
                    line,
                    replace(raw, $mark, chr(65533)),
                    $overlong or strlen(raw) > $max_line,
                    $mark <> '' and contains(raw, $mark)
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
                    "mark": block.mark or "",
                    "overlong": block.overlong,
                    "max_line": MAX_LINE_BYTES,
                },
            )


def line_failure() -> str:
    """SQL `when` branches for lines that no format can read."""
    return (
        f"when overlong then 'the line is longer than {MAX_LINE_BYTES >> 20} MiB' "
        "when damaged then 'the line holds bytes that are not UTF-8'"
    )
