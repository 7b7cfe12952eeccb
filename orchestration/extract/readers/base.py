"""What the readers of all formats share: a load, its columns, and the two ways into a stage."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from orchestration.extract import conversions
from orchestration.extract.contract import Table
from orchestration.extract.landing import MAX_REJECTED_CONTENT, literal, quoted, scalar

EXTRA = "_extra"
STAMP = "_loaded_at"

GAVE_UP = (duckdb.Error, UnicodeDecodeError)
"""What the fast way raises: DuckDB may quote a cut character in its message, which Python cannot
decode."""


@dataclass(frozen=True)
class Load:
    """What every reader needs: where rows go, and the moment of the load."""

    connection: duckdb.DuckDBPyConnection
    table: Table
    stage: str
    rejects: str
    loaded_at: datetime
    workspace: Path


class NotATable(Exception):
    """The file as a whole cannot be read as a table. The text goes on after the file's name."""


@dataclass(frozen=True)
class Format:
    """The ways of reading one format.

    `likeness(load, path)` is the same for files that one statement can read together; it raises
    `NotATable` (or `OSError`) for what is none. `fast(load, paths, likeness)` answers with the
    rows it put into the stage, or raises one of `GAVE_UP` and has put none. `careful(load, path,
    shown, likeness)` answers with rows read and rows refused.
    """

    likeness: Callable[[Load, Path], Any]
    fast: Callable[[Load, list[Path], Any], int]
    careful: Callable[[Load, Path, str, Any], tuple[int, int]]


@dataclass(frozen=True)
class Columns:
    """The texts of a relation: contract column -> SQL text, and the rest.

    `native` holds columns that already have the contract's type and need no conversion.
    `unknown` maps the names of columns outside the contract to SQL of type JSON.
    """

    known: dict[str, str]
    native: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)


def extra(columns: Columns, *, strict: bool = False) -> str:
    """SQL for `_extra`: the unknown columns of a row that are not null, by name.

    What the file's own `_extra` says joins them; `strict` errs when that is no JSON object.
    """
    own = columns.native.get(EXTRA, "null::json")
    if EXTRA in columns.known:
        text = columns.known[EXTRA]
        own = f"landed_json({text})"
        if strict:
            own = f"coalesce({own}, case when {text} <> '' then error('unsure') end)"
    if not columns.unknown:
        return own
    # Python and DuckDB both sort by code point: `_extra` reads the same whichever way it came.
    entries = ", ".join(
        f"({literal(name)}, {sql})" for name, sql in sorted(columns.unknown.items())
    )
    some = " or ".join(f"{sql} is not null" for sql in columns.unknown.values())
    gathered = (
        f"case when {some} then "
        f"to_json(map_from_entries(list_filter([{entries}], lambda e: e[2] is not null))) end"
    )
    return merged_extra(own, gathered)


def merged_extra(own: str, gathered: str) -> str:
    """SQL: a file's own `_extra` together with the columns gathered into it."""
    return (
        f"case when {own} is null then {gathered} when {gathered} is null then {own} "
        f"else json_merge_patch({own}, {gathered}) end"
    )


def fast(load: Load, columns: Columns, relation: str) -> int:
    """Insert a relation whole, or raise one of `GAVE_UP` and leave the stage as it was."""
    table = load.table
    chosen = []
    for column, kind in table.columns.items():
        if column == EXTRA:
            sql = extra(columns, strict=True)
        elif column in columns.native:
            sql = columns.native[column]
        elif column in columns.known:
            text = columns.known[column]
            sql = conversions.value(table, column, text)
            if column not in table.primary_key and conversions.can_fail(table, column):
                sql = f"coalesce({sql}, case when {text} <> '' then error('unsure') end)"
        else:
            sql = f"null::{kind}"
        if column in table.primary_key:
            sql = f"coalesce({sql}, error('unsure'))"
        if column == STAMP:
            sql = f"coalesce({sql}, $loaded_at)"
        chosen.append(f"{sql} as {quoted(column)}")
    inserted = load.connection.execute(
        f"insert into {load.stage} select {', '.join(chosen)} from {relation}",
        {"loaded_at": load.loaded_at},
    ).fetchone()
    return int(inserted[0]) if inserted else 0


@dataclass(frozen=True)
class _Problem:
    """What may be wrong with a field: SQL for whether it is, and SQL for how the sentence ends."""

    field: str
    holds: str
    why: str


def _problems(table: Table, columns: Columns) -> list[_Problem]:
    """All that may be wrong with a row's fields, where `v0`, `v1`, ... are the values and `t0`,
    `t1`, ... the texts of the contract's columns, in its order."""
    key = ", ".join(table.primary_key)
    found = []
    for i, column in enumerate(table.columns):
        if column == EXTRA:
            if column in columns.known:
                holds = f"t{i} <> '' and landed_json(t{i}) is null"
                found.append(_Problem(column, holds, "'is not a JSON object'"))
            continue
        if column in columns.known and conversions.can_fail(table, column):
            expectation = literal(conversions.expectation(table, column))
            why = f"""'"' || left(t{i}, 60) || '" ' || {expectation}"""
            found.append(_Problem(column, f"v{i} is null and t{i} <> ''", why))
        if column in table.primary_key:
            holds = f"v{i} is null"
            if column in columns.known:
                holds += f" and coalesce(t{i}, '') = ''"
            found.append(_Problem(column, holds, literal(f"is missing, and every row needs {key}")))
    return found


def careful(load: Load, shown: str, columns: Columns, relation: str, extra: str) -> tuple[int, int]:
    """Convert a relation row by row; answers with the rows read and the rows refused.

    The relation has `line`, `content` (the row as it was written) and `failure` (why it could not
    be taken apart, else null) beside the columns that `columns` speaks of.
    """
    table, connection = load.table, load.connection
    converted = []
    for i, (column, kind) in enumerate(table.columns.items()):
        text = columns.known.get(column)
        if column == EXTRA:
            value = extra
        elif column in columns.native:
            value = columns.native[column]
        else:
            value = conversions.value(table, column, text) if text else f"null::{kind}"
        converted.append(f"{value} as v{i}")
        converted += [f"{text} as t{i}"] if text else []
    problems = _problems(table, columns)
    reasons = ", ".join(
        f"case when {p.holds} then {{'field': {literal(p.field)}, 'why': {p.why}}} end"
        for p in problems
    )
    stored = ", ".join(
        f"coalesce(v{i}, $loaded_at) as {quoted(c)}" if c == STAMP else f"v{i} as {quoted(c)}"
        for i, c in enumerate(table.columns)
    )
    connection.execute(
        f"""
        create or replace temp table landing_parsed as
        with converted as (
            select line, content, failure, {", ".join(converted)} from {relation}
        ),
        judged as (
            select
                *,
                case
                    when failure is not null then [{{'field': null::varchar, 'why': failure}}]
                    when {" or ".join(f"({p.holds})" for p in problems)}
                        then list_filter([{reasons}], lambda p: p is not null)
                end as problems
            from converted
        )
        select
            {stored},
            line as landing_line,
            problems[1].field as landing_field,
            list_aggregate(
                list_transform(problems, lambda p: concat_ws(' ', p.field, p.why)),
                'string_agg', '; '
            ) as landing_reason,
            case when problems is not null then left(content, {MAX_REJECTED_CONTENT}) end
                as landing_content
        from judged
        """,
        {"loaded_at": load.loaded_at},
    )
    landed = ", ".join(quoted(c) for c in table.columns)
    good = scalar(
        connection,
        f"insert into {load.stage} select {landed} from landing_parsed "
        "where landing_reason is null",
    )
    bad = scalar(
        connection,
        f"insert into {load.rejects} "
        f"select {literal(shown)}, landing_line, landing_field, landing_reason, landing_content "
        "from landing_parsed where landing_reason is not null",
    )
    connection.execute("drop table landing_parsed")
    return good + bad, bad


def contract_name(table: Table, name: str, position: int) -> str:
    """A header's name as the contract writes it, else as it stands; a nameless column by number."""
    trimmed = name.strip()
    lowered = trimmed.lower()
    return lowered if lowered in table.columns else trimmed or f"column_{position + 1}"


def lacks_key(table: Table, found: list[str]) -> str:
    """The sentence about a file without key columns."""
    have = {name.strip().lower() for name in found}
    lacking = ", ".join(c for c in table.primary_key if c not in have)
    return (
        f"has no column {lacking}; a file of {table.source}/{table.name} needs "
        f"{', '.join(table.primary_key)} and may bring "
        f"{', '.join(c for c in table.payload if c not in table.primary_key)}"
    )


@contextmanager
def plain_names(load: Load, paths: list[Path]) -> Iterator[str]:
    """SQL for a list of files, by names that DuckDB takes for no pattern (unlike `a [1].csv`)."""
    with tempfile.TemporaryDirectory(dir=load.workspace) as folder:
        plain = []
        for i, path in enumerate(paths):
            name = str(path.absolute())
            if any(c in name for c in "*?["):
                link = Path(folder) / f"{i}{''.join(path.suffixes[-2:])}"
                link.symlink_to(path.absolute())
                name = str(link)
            plain.append(literal(name))
        yield f"[{', '.join(plain)}]"
