"""JSON Lines: one object a line."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb

from orchestration.extract.landing import literal, quoted, scalar
from orchestration.extract.readers.base import (
    EXTRA,
    Columns,
    Format,
    Load,
    NotATable,
    careful,
    fast,
    merged_extra,
    plain_names,
)
from orchestration.extract.readers.lines import (
    MAX_LINE_BYTES,
    line_failure,
    refuse_binary,
    stage_lines,
)

SAMPLED_ROWS = 2_048
MAX_UNKNOWN_COLUMNS = 200
# The value of the first key column in the two rows of the schema file.
_SCHEMA_ROW = "\u0001schema\u0001"
_NOT_JSON = "the line is not whole and valid JSON"
_NOT_OBJECT = "the line is not a JSON object"
_NOT_BLANK = "trim(raw, chr(32) || chr(9) || chr(13)) <> ''"
_POINTER = "'/' || replace(replace(k, '~', '~0'), '/', '~1')"


def _likeness(load: Load, path: Path) -> None:
    """All JSON Lines are alike. Raises `NotATable` for what is no text."""
    refuse_binary(path)


def _fast(load: Load, paths: list[Path], likeness: None) -> int:
    """Let DuckDB read files by a schema that errs on any key it does not know.

    DuckDB passes over unknown keys when columns are given, and objects to them only when it found
    the columns by itself. So it finds them in a file of two rows, written here, that stands before
    the real ones and says which columns are text and which are JSON. It costs nothing on the real
    files, and a key that appears on the last line alone is not lost.
    """
    table = load.table
    lists = {c for c, kind in table.columns.items() if kind == "varchar[]"}
    nested = {c for c, kind in table.columns.items() if kind == "json"}
    with plain_names(load, paths) as names:
        unknown = _sampled_keys(load, names)
        schema: dict[str, object] = {c: ["x"] if c in lists else "x" for c in table.columns}
        # A column that is a number in one row and text in the other is JSON to DuckDB.
        first = {**schema, **dict.fromkeys([*nested, *unknown], 1)}
        second = dict.fromkeys([*nested, *unknown], "x")
        marker = table.primary_key[0]
        path_of_schema = load.workspace / "schema.jsonl"
        path_of_schema.write_text(
            json.dumps({**first, marker: _SCHEMA_ROW})
            + "\n"
            + json.dumps({**second, marker: _SCHEMA_ROW})
            + "\n"
        )
        relation = (
            f"read_json(list_concat([{literal(str(path_of_schema))}], {names}), "
            "format = 'newline_delimited', records = 'true', auto_detect = true, "
            "maximum_sample_files = 1, map_inference_threshold = -1, "
            f"maximum_object_size = {MAX_LINE_BYTES}, hive_partitioning = false) "
            f"where {quoted(marker)} is distinct from {literal(_SCHEMA_ROW)}"
        )
        columns = Columns(
            known={c: quoted(c) for c in table.columns if c not in lists | nested},
            native={c: quoted(c) for c in lists} | {c: _object_or_error(quoted(c)) for c in nested},
            unknown={key: quoted(key) for key in unknown},
        )
        return fast(load, columns, relation)


def _object_or_error(value: str) -> str:
    """SQL: a JSON value that is an object or null; DuckDB has parsed it, so one look suffices."""
    return (
        f"case when {value} is null then null "
        f"when starts_with({value}::varchar, '{{') then {value} else error('unsure') end"
    )


def _sampled_keys(load: Load, names: str) -> list[str]:
    """The keys outside the contract in the files' first rows.

    Raises `duckdb.Error` when they cannot be columns, which leaves the file to the careful way.
    """
    found = [
        row[0]
        for row in load.connection.execute(
            f"describe select * from read_json({names}, format = 'newline_delimited', "
            f"records = 'true', auto_detect = true, sample_size = {SAMPLED_ROWS}, "
            "maximum_depth = 1, map_inference_threshold = -1, "
            f"maximum_object_size = {MAX_LINE_BYTES}, hive_partitioning = false)"
        ).fetchall()
    ]
    unknown = [key for key in found if key not in load.table.columns]
    lowered = {name.lower() for name in [*load.table.columns, *unknown]}
    if len(lowered) < len(load.table.columns) + len(unknown) or len(unknown) > MAX_UNKNOWN_COLUMNS:
        raise duckdb.InvalidInputException("keys that differ in case alone, or too many of them")
    return unknown


def _careful(load: Load, path: Path, shown: str, likeness: None) -> tuple[int, int]:
    """Take lines one by one. Raises `NotATable` when no line is an object."""
    connection, table = load.connection, load.table
    stage_lines(load, path)
    schema = json.dumps(dict.fromkeys(table.columns, "VARCHAR"))
    known = ", ".join(literal(c) for c in table.columns)
    gathered = (
        "case when len(strange) > 0 then to_json(map(strange, "
        f"list_transform(strange, lambda k: json_extract(content, {_POINTER})))) end"
    )
    relation = f"""(
        with checked as (
            select *, not overlong and json_valid(raw) as is_json
            from landing_lines
            where {_NOT_BLANK}
        ),
        keyed as (
            select *, case when is_json then json_keys(raw) end as keys
            from checked
        ),
        judged as (
            select
                *,
                keys = {_usual_keys(load)} as is_usual,
                case
                    {line_failure()}
                    when not is_json then {literal(_NOT_JSON)}
                    when not starts_with(ltrim(raw, chr(32) || chr(9)), '{{')
                        then {literal(_NOT_OBJECT)}
                    when not is_usual and len(keys) <> len(list_distinct(keys))
                        then 'a key stands twice in the row'
                end as failure
            from keyed
        )
        select
            line,
            failure,
            raw as content,
            case when failure is null then json_transform(raw, {literal(schema)}) end as j,
            case when failure is null and not is_usual then list_sort(list_filter(
                list_filter(keys, lambda k: k not in ({known})),
                lambda k: json_type(raw, {_POINTER}) <> 'NULL'
            )) end as strange
        from judged
    )"""
    read, refused = careful(
        load,
        shown,
        Columns(known={c: f"j.{quoted(c)}" for c in table.columns}),
        relation,
        merged_extra(f"landed_json(j.{quoted(EXTRA)})", gathered),
    )
    connection.execute("drop table landing_lines")
    if read == refused and _is_no_table(load, shown, read):
        connection.execute(f"delete from {load.rejects} where file = {literal(shown)}")
        raise NotATable(
            "is not JSON Lines: none of its lines is a JSON object; write one object a line, "
            "without brackets around them or commas between them"
        )
    return read, refused


def _usual_keys(load: Load) -> str:
    """SQL: the keys of the first line, if the contract knows them all; nearly all lines have these
    and need no closer look. An empty list otherwise."""
    row = load.connection.execute(
        f"select json_keys(raw) from (select raw from landing_lines where {_NOT_BLANK} "
        "and not overlong order by line limit 1) where json_valid(raw)"
    ).fetchone()
    keys: list[str] = (row and row[0]) or []
    usual = len(set(keys)) == len(keys) and set(keys) <= set(load.table.columns)
    return f"[{', '.join(literal(key) for key in keys)}]" if keys and usual else "[]::varchar[]"


def _is_no_table(load: Load, shown: str, rows: int) -> bool:
    """Whether no line of a file was an object; a single one that begins as one was cut off."""
    others = scalar(
        load.connection,
        f"select count(*) from {load.rejects} where file = {literal(shown)} "
        f"and reason in ({literal(_NOT_JSON)}, {literal(_NOT_OBJECT)}) "
        f"and not ({rows} = 1 and starts_with(ltrim(content), '{{'))",
    )
    return 0 < rows == others


FORMAT = Format(_likeness, _fast, _careful)
