"""CSV: a header, then records, with commas, semicolons, tabs or bars between fields."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from orchestration.extract.contract import Table
from orchestration.extract.landing import literal
from orchestration.extract.readers.base import (
    Columns,
    Format,
    Load,
    NotATable,
    careful,
    contract_name,
    extra,
    fast,
    lacks_key,
    plain_names,
)
from orchestration.extract.readers.lines import (
    MAX_LINE_BYTES,
    line_failure,
    open_text,
    refuse_binary,
    stage_lines,
)

DELIMITERS = ",;\t|"


@dataclass(frozen=True)
class Header:
    """A CSV file's first record: its delimiter and its names, with contract columns as theirs."""

    delimiter: str
    columns: tuple[str, ...]
    leads: bool

    def places(self, table: Table, text: Callable[[int], str]) -> Columns:
        """Where each column's text is found, `text` being SQL for the field at a position."""
        known = {c: text(i) for i, c in enumerate(self.columns) if c in table.columns}
        unknown = {
            c: f"to_json({text(i)})" for i, c in enumerate(self.columns) if c not in table.columns
        }
        return Columns(known=known, unknown=unknown)


def _header(load: Load, path: Path) -> Header:
    """The header, by the delimiter under which it holds the whole primary key.

    Files with one header are alike. Raises `NotATable` when the key is not whole.
    """
    refuse_binary(path)
    table = load.table
    with open_text(path) as stream:
        beginning = stream.read(1 << 20).decode("utf-8-sig", errors="replace")
    found: list[str] = []
    for delimiter in DELIMITERS:
        names = _first_record(beginning, delimiter)
        columns = tuple(contract_name(table, name, i) for i, name in enumerate(names))
        if set(table.primary_key) <= set(columns):
            twice = sorted({c for c in columns if columns.count(c) > 1})
            if twice:
                raise NotATable(f"names the column {twice[0]} twice in its header")
            return Header(delimiter, columns, leads=not beginning.startswith(("\r", "\n")))
        found = max(found, names, key=len)
    raise NotATable(lacks_key(table, found))


def _first_record(text: str, delimiter: str) -> list[str]:
    """The fields of the first record that is not blank; none when there is no such record."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        return next((record for record in reader if record), [])
    except csv.Error:
        return []


def _fast(load: Load, paths: list[Path], header: Header) -> int:
    """Let DuckDB read files of one header."""
    if not header.leads:
        raise duckdb.InvalidInputException("blank lines before the header")
    columns = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(header.columns)))
    with plain_names(load, paths) as names:
        relation = (
            f"read_csv({names}, columns = {{{columns}}}, header = true, "
            f"delim = {literal(header.delimiter)}, quote = '\"', escape = '\"', "
            "auto_detect = false, strict_mode = true, null_padding = false, "
            "hive_partitioning = false)"
        )
        return fast(load, header.places(load.table, lambda i: f"nullif(c{i}, '')"), relation)


def _careful(load: Load, path: Path, shown: str, header: Header) -> tuple[int, int]:
    """Split a CSV file into records and fields in SQL, so that every record's line is known."""
    connection = load.connection
    stage_lines(load, path)
    _stage_records(connection, header)
    relation = f"""(
        select
            line,
            raw as content,
            {_record_failure(header)} as failure,
            case
                when contains(raw, '"') then list_transform(fields, lambda f: case
                    when regexp_matches(f, '^ ?"')
                        then replace(regexp_extract(f, '^ ?"((?:[^"]|"")*)"', 1), '""', '"')
                    else f
                end)
                else fields
            end as f
        from landing_records
    )"""
    columns = header.places(load.table, lambda i: f"nullif(f[{i + 1}], '')")
    result = careful(load, shown, columns, relation, extra(columns))
    connection.execute("drop table landing_lines")
    connection.execute("drop table landing_records")
    return result


def _patterns(delimiter: str) -> tuple[str, str, str]:
    """Regular expressions over a line: a field; a line that ends within quotes when it starts
    outside them; and one that ends within quotes when it starts there.

    As DuckDB has it: a quote opens a field at its very start or after one space; after more it is
    text like any other.
    """
    d = re.escape(delimiter)
    quoted_text = '(?:[^"]|"")*'
    single = rf' ?"{quoted_text}"[ \t]*|[^" {d}][^{d}]*| [^"{d}][^{d}]*| |'
    outside = rf'(?:(?:{single}){d})* ?"{quoted_text}'
    within = rf'{quoted_text}|{quoted_text}"[ \t]*{d}{outside}'
    return single, outside, within


def _stage_records(connection: duckdb.DuckDBPyConnection, header: Header) -> None:
    """From `landing_lines` to `landing_records`, with their fields: no header, no blank lines.

    Whether a line starts within quotes depends on all lines before it. But each line maps that
    state to the next, and such maps compose: after the last line that forces a state, only those
    that swap it count. So windows find it for all lines at once. (Sums over rows: DuckDB streams
    those, while a filtered count over a running window takes it minutes.)

    A quote that is never closed would swallow what follows; where a record of several lines does
    not come out right, each of its lines is taken for a record of its own.
    """
    _, outside, within = _patterns(header.delimiter)
    connection.execute(f"""
        create or replace temp table landing_records as
        with mapped as (
            select
                line,
                raw,
                overlong,
                damaged,
                not overlong and contains(raw, '"')
                    and regexp_full_match(raw, {literal(outside)}) as from_outside,
                not overlong and (not contains(raw, '"')
                    or regexp_full_match(raw, {literal(within)})) as from_within
            from landing_lines
        ),
        forced as (
            select
                *,
                sum((from_outside = from_within)::int)
                    over (order by line rows unbounded preceding) as run
            from mapped
        ),
        ended as (
            select
                *,
                (
                    coalesce(max(case when from_outside = from_within then from_outside::int end)
                        over (partition by run), 0)
                    + sum((from_outside and not from_within)::int)
                        over (partition by run order by line rows unbounded preceding)
                ) % 2 = 1 as ends_within
            from forced
        ),
        started as (
            select *, coalesce(lag(ends_within) over (order by line), false) as starts_within
            from ended
        )
        select
            line,
            raw,
            overlong,
            damaged,
            sum((not starts_within)::int) over (order by line rows unbounded preceding) as record
        from started
    """)
    connection.execute(f"""
        create or replace temp table landing_records as
        with sized as (
            select *, sum(strlen(raw)) over (partition by record) as bytes from landing_records
        ),
        grouped as (
            select
                min(line) as line,
                string_agg(raw, chr(10) order by line) as raw,
                bool_or(overlong) as overlong,
                bool_or(damaged) as damaged,
                count(*) as lines,
                record
            from sized
            where bytes <= {MAX_LINE_BYTES}
            group by record
        ),
        whole as (
            select *
            from (select *, {_fields(header.delimiter)} as fields from grouped where lines > 1)
            where {_record_failure(header)} is null
        )
        select line, raw, overlong, damaged, fields from whole
        union all
        select line, raw, overlong, damaged, {_fields(header.delimiter)} as fields
        from sized
        where record not in (select record from whole)
            and trim(raw, chr(32) || chr(9) || chr(13)) <> ''
    """)
    connection.execute(
        "delete from landing_records where line = (select min(line) from landing_records)"
    )


def _fields(delimiter: str) -> str:
    """SQL: the fields of the record `raw`, quotes still on."""
    single, _, _ = _patterns(delimiter)
    pattern = f"{re.escape(delimiter)}({single})"
    record = "rtrim(raw, chr(13))"
    return f"""case
        when contains(raw, '"')
            then regexp_extract_all({literal(delimiter)} || {record}, {literal(pattern)}, 1)
        else string_split({record}, {literal(delimiter)})
    end"""


def _record_failure(header: Header) -> str:
    """SQL: why the record `raw` cannot be taken apart into `fields`, or null."""
    width = len(header.columns)
    return f"""case
        {line_failure()}
        when contains(raw, '"') and list_sum(list_transform(fields, lambda f: length(f) + 1))
            <> length(rtrim(raw, chr(13))) + 1
            then 'the quotes in the row do not match up'
        when len(fields) <> {width}
            then 'the row has ' || len(fields) || ' fields, the header has {width}'
    end"""


FORMAT = Format(_header, _fast, _careful)
