"""Seeds as people write them: CSVs read row by row, what is wrong noted as sentences.

No database and no pandas: it takes milliseconds, and a line has the number that an editor shows.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from pathlib import Path

SHORTEST_HALF_LIFE = 0.1

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_WHOLE = re.compile(r"[+-]?[0-9]{1,9}")
_VERSION = re.compile(r"[1-9][0-9]{0,8}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True)
class Problem:
    """One thing wrong and what to do about it; `str()` is the sentence.

    `row` is the line as an editor counts it, the header being 1.
    """

    file: str
    row: int | None
    field: str | None
    message: str

    def __str__(self) -> str:
        row = f"row {self.row}" if self.row is not None else None
        return ", ".join(x for x in (self.file, row, self.field) if x) + f": {self.message}"


@dataclass(frozen=True)
class Column:
    """A column that a seed must have; prose may begin and end with spaces."""

    name: str
    filled: bool
    prose: bool


@dataclass(frozen=True)
class Row:
    """A line of a seed: its number in the file, and its cells by column, without outer spaces."""

    number: int
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells[column]


@dataclass
class Sheet:
    """One seed, and what is wrong with it so far.

    Where some rows could not be read it is not `complete`: nothing is then said to be missing.
    """

    name: str
    columns: tuple[Column, ...]
    rows: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    complete: bool = True

    @property
    def file(self) -> str:
        """Its path from the project's root."""
        return f"seeds/{self.name}"

    def say(self, row: Row | int | None, column: str | None, message: str) -> None:
        """Note a problem."""
        number = row.number if isinstance(row, Row) else row
        self.problems.append(Problem(self.file, number, column, message))

    def unreadable(self, row: int | None, column: str | None, message: str) -> None:
        """Note a problem that hides rows."""
        self.complete = False
        self.say(row, column, message)

    def number(self, row: Row, column: str, least: float = -1e9, most: float = 1e9) -> float | None:
        """The cell as a number within bounds, else None and a problem; None when blank."""
        text = row[column]
        if text and not _NUMBER.fullmatch(text):
            self.say(row, column, f"{said(text)} is not a number: write it in digits, such as 0.5.")
        elif text and not least <= float(text) <= most:
            self._out_of_bounds(row, column, least, most)
        elif text:
            return float(text)
        return None

    def whole_number(self, row: Row, column: str, least: int, most: int) -> int | None:
        """The cell as a whole number within bounds, else None and a problem; None when blank."""
        text = row[column]
        if text and not _WHOLE.fullmatch(text):
            self.say(row, column, f"{said(text)} is not a whole number: write one, such as 1.")
        elif text and not least <= int(text) <= most:
            self._out_of_bounds(row, column, least, most)
        elif text:
            return int(text)
        return None

    def _out_of_bounds(self, row: Row, column: str, least: float, most: float) -> None:
        bounds = f"between {plain(least)} and {plain(most)}"
        self.say(row, column, f"{said(row[column])} is out of bounds: write a number {bounds}.")

    def day(self, row: Row, column: str) -> date | None:
        """The cell as a date, else None and a problem; None when blank."""
        text = row[column]
        try:
            if _DAY.fullmatch(text):
                return date.fromisoformat(text)
        except ValueError:
            pass  # 31 February
        if text:
            self.say(row, column, f"{said(text)} is not a date: write it like 2026-05-31.")
        return None

    def version(self, row: Row) -> int | None:
        """The version of a row; None when it is none. `check_versions` says so."""
        text = row["version"]
        return int(text) if _VERSION.fullmatch(text) else None

    def check_versions(self) -> None:
        """Every version is a whole number."""
        for row in self.rows:
            if row["version"] and self.version(row) is None:
                what = f"{said(row['version'])} is no version"
                self.say(row, "version", f"{what}: write a whole number, 1 or more.")

    def half_life(self, row: Row) -> None:
        """A half-life is a number of days above zero."""
        days = self.number(row, "half_life_days")
        if days is not None and days < SHORTEST_HALF_LIFE:
            what = f"a half-life of {said(row['half_life_days'])} days is too short"
            self.say(row, "half_life_days", f"{what}: write {SHORTEST_HALF_LIFE} or more.")

    def once(self, key: tuple[str, ...], what: str) -> None:
        """No two rows share a key. Its last column is the one that is named."""
        first: dict[tuple[str, ...], Row] = {}
        for row in self.rows:
            values = tuple(row[column] for column in key)
            if not all(values):
                continue
            other = first.setdefault(values, row)
            if other is not row:
                self.say(
                    row,
                    key[-1],
                    f"{what} {said(values[-1])} stands in row {other.number} already: remove one "
                    "of the two, or correct it.",
                )


def said(text: str) -> str:
    """A cell as a sentence quotes it: on one line, and not at any length."""
    line = "".join(c if c.isprintable() else " " for c in text)
    return f"'{line if len(line) <= 60 else line[:59] + '…'}'"


def plain(number: float) -> str:
    """A number without a needless point."""
    return str(int(number)) if float(number).is_integer() else str(number)


def closest(word: str, words: Iterable[str]) -> str | None:
    """The one that was perhaps meant."""
    by_shape = {w.casefold(): w for w in sorted(words)}
    found = get_close_matches(word[:200].casefold(), by_shape, n=1)
    return by_shape[found[0]] if found else None


def or_meant(word: str, words: Iterable[str], otherwise: str) -> str:
    """The end of a sentence about an unknown word."""
    meant = closest(word, words)
    return f"; did you mean '{meant}'?" if meant else f": {otherwise}"


def columns_of(text: str) -> tuple[Column, ...]:
    """Columns from a line of names; a star marks one that must be filled, a tilde prose."""
    return tuple(Column(x.rstrip("*~"), "*" in x, "~" in x) for x in text.split())


def read(seeds_dir: Path, name: str, columns: tuple[Column, ...]) -> Sheet:
    """Read a seed as dbt and DuckDB will; what they would stumble over is a problem."""
    sheet = Sheet(name, columns)
    wanted = ",".join(c.name for c in columns)
    raw = b""
    try:
        raw = (seeds_dir / name).read_bytes()
        text = raw.decode("utf-8-sig")
    except FileNotFoundError:
        sheet.unreadable(
            None, None, f"the file is missing: put it back, with the columns {wanted}."
        )
        return sheet
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        sheet.unreadable(line, None, "the text is not UTF-8: save the file as CSV in UTF-8.")
        return sheet
    except OSError as error:
        reason = error.strerror or type(error).__name__
        sheet.unreadable(None, None, f"the file cannot be read ({reason}): let it be read.")
        return sheet
    lines = _lines(sheet, text)
    if lines:
        _check_line_ends(sheet, text, lines)
        if _fits(sheet, *lines[0]):
            _fill(sheet, lines)
    elif sheet.complete:
        sheet.unreadable(None, None, f"the file is empty: write the header {wanted} and rows.")
    return sheet


def _lines(sheet: Sheet, text: str) -> list[tuple[int, list[str]]]:
    """The filled lines with their numbers; those after an unpaired quotation mark are lost."""
    lines, start = [], 1
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            if cells:
                lines.append((start, cells))
            start = reader.line_num + 1
    except csv.Error:
        sheet.unreadable(
            start,
            None,
            "a quotation mark is not paired: close it, and write one inside a quoted text twice.",
        )
    return lines


def _check_line_ends(sheet: Sheet, text: str, lines: list[tuple[int, list[str]]]) -> None:
    """DuckDB refuses a file with two kinds of line end. Within a quoted cell they are its own."""
    ends = [line.endswith("\r") for line in text.split("\n")[:-1]]
    if len(set(ends)) > 1 and not any("\n" in cell for _, cells in lines for cell in cells):
        sheet.say(
            ends.index(not ends[0]) + 1,
            None,
            "the line ends otherwise than the first (Windows and Unix): save the file with one "
            "kind of line end.",
        )


def _fits(sheet: Sheet, line: int, header: list[str]) -> bool:
    """Whether the header has the columns, each once."""
    wanted = [c.name for c in sheet.columns]
    before = len(sheet.problems)
    if len(header) == 1 and any(header[0].count(x) >= len(wanted) - 1 for x in ";\t"):
        sheet.unreadable(
            line, None, "the columns are not separated by commas: save the file with commas."
        )
        return False
    for name in sorted({c for c in header if header.count(c) > 1}):
        sheet.unreadable(line, name, "the header names this column twice: remove one.")
    strangers = [c for c in header if c not in wanted]
    for name in wanted:
        if name not in header:
            meant = closest(name, strangers)
            advice = f"rename '{meant}'" if meant else "add it to the header and to every row"
            sheet.unreadable(line, name, f"the column is missing: {advice}.")
    return len(sheet.problems) == before


def _fill(sheet: Sheet, lines: list[tuple[int, list[str]]]) -> None:
    """Take over the rows that have as many cells as the header."""
    header = lines[0][1]
    if len(lines) == 1 and sheet.complete:
        sheet.unreadable(None, None, "the file has a header and no rows: add them.")
    for number, cells in lines[1:]:
        if not any(cell.strip() for cell in cells):
            sheet.unreadable(number, None, "the row is empty: remove it.")
        elif len(cells) != len(header):
            sheet.unreadable(
                number,
                None,
                f"the row has {len(cells)} cells, the header {len(header)}: put quotation marks "
                "around a text that has a comma, and keep the commas of empty cells.",
            )
        else:
            written = dict(zip(header, cells, strict=True))
            _check_cells(sheet, number, written)
            sheet.rows.append(Row(number, {name: x.strip() for name, x in written.items()}))


def _check_cells(sheet: Sheet, number: int, cells: dict[str, str]) -> None:
    for column in sheet.columns:
        text = cells[column.name]
        if column.filled and not text.strip():
            sheet.say(number, column.name, "the cell is empty: fill it in, or remove the row.")
        elif text.strip() and text != text.strip() and not column.prose:
            what = f"{said(text)} begins or ends with a space"
            sheet.say(number, column.name, f"{what}: remove it.")
