"""From the text of a field to the value the contract asks for, as SQL.

Files say the same thing in many ways: an id as `123`, `"123"`, `123.0` or
`gid://shopify/Customer/123`, a moment with an offset or without, a list as a JSON array or with
commas. Every reader hands over text, and the expressions here turn it into the contract's types.
Each yields null where the text cannot be that type, so that one expression serves both ways of
reading: the fast one, which stops at the first such value, and the careful one, which says why.

Sources of the rules: the raw contract (`models/staging`), and `docs/inputs.md`, which tells
merchants the same in words.
"""

from __future__ import annotations

import duckdb

from orchestration.extract.contract import Table

# DuckDB reads neither "10:00Z" nor the basic format nor a comma before the fraction, all of which
# ISO 8601 allows; these are taken apart and put together again.
_ISO_PARTS = (
    r"^\s*([0-9]{4})-?([0-9]{2})-?([0-9]{2})"
    r"(?:[Tt ]\s*([0-9]{2})(?::?([0-9]{2})(?::?([0-9]{2})(?:[.,]([0-9]+))?)?)?"
    r"\s*(?:[Zz]|([+-][0-9]{2}):?([0-9]{2})?)?)?\s*$"
)

_MACROS = rf"""
create or replace temp macro landed_iso_parts(t) as regexp_extract(
    t, '{_ISO_PARTS}', ['y', 'm', 'd', 'h', 'mi', 's', 'f', 'oh', 'om']
);
create or replace temp macro landed_iso(p) as
    p.y || '-' || p.m || '-' || p.d || ' ' || coalesce(nullif(p.h, ''), '00')
    || ':' || coalesce(nullif(p.mi, ''), '00') || ':' || coalesce(nullif(p.s, ''), '00')
    || case when p.f <> '' then '.' || p.f else '' end
    || case
        when p.oh <> '' then p.oh || ':' || coalesce(nullif(p.om, ''), '00') else '+00:00'
    end;
-- Nulls go first, for the regular expression takes its time over them.
-- A plain cast of '...-05:00' to timestamp drops the offset: by way of timestamptz it counts.
-- The first comparison keeps out the words DuckDB knows, such as 'epoch' and 'infinity'.
create or replace temp macro landed_timestamp(t) as make_timestamp(epoch_us(case
    when t is null then null
    when t >= '0' and t < ':' then coalesce(
        try_cast(t as timestamptz), try_cast(landed_iso(landed_iso_parts(t)) as timestamptz)
    )
    else try_cast(landed_iso(landed_iso_parts(t)) as timestamptz)
end));
-- A moment stands for the date it is written with, whatever its offset.
create or replace temp macro landed_date(t) as case
    when regexp_full_match(t, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}') then try_cast(t as date)
    when landed_timestamp(t) is not null then try_cast(
        landed_iso_parts(t).y || '-' || landed_iso_parts(t).m || '-' || landed_iso_parts(t).d
        as date
    )
end;
-- DuckDB rounds '5.7' into an integer without a word; text that comes back unchanged was whole.
create or replace temp macro landed_bigint(t) as case
    when try_cast(t as bigint)::varchar = t then try_cast(t as bigint)
    when regexp_full_match(t, '\s*[+-]?[0-9]+(\.0*)?\s*')
        then try_cast(regexp_replace(trim(t), '\.0*$', '') as bigint)
    when regexp_full_match(t, '\s*[+-]?[0-9]+(\.[0-9]+)?[eE][+]?[0-9]+\s*')
        and abs(try_cast(t as double)) < 9007199254740992
        and try_cast(t as double) = trunc(try_cast(t as double))
        then try_cast(try_cast(t as double) as bigint)
end;
create or replace temp macro landed_double(t) as case
    when isfinite(try_cast(t as double)) then try_cast(t as double)
end;
create or replace temp macro landed_boolean(t) as case lower(t)
    when 'true' then true when 'false' then false when '1' then true when '0' then false
    when '1.0' then true when '0.0' then false
end;
-- Nearly every id passes by the cheap tests alone: comparisons look at four bytes at most. Fifteen
-- digits are what a spreadsheet's or JSON's floating-point number keeps; an id beyond that, or one
-- such as 1.23E+12, has lost digits.
create or replace temp macro landed_id(t) as case
    when contains(t, '.') or contains(t, '+') or t = '' or t >= '{{'
        or (t >= 'gid:' and t < 'gid;') or (t >= '[' and t < '\')
        then case
            when t = '' or starts_with(t, '{{') or starts_with(t, '[') then null
            when starts_with(t, 'gid://')
                then nullif(regexp_extract(t, '^gid://[^?]*/([^/?]+)', 1), '')
            when regexp_full_match(t, '[0-9]+\.0+')
                then case when strpos(t, '.') <= 16 then split_part(t, '.', 1) end
            when regexp_full_match(t, '[0-9]+(\.[0-9]+)?[eE]\+[0-9]+') then null
            else t
        end
    else t
end;
create or replace temp macro landed_list(t) as case
    when starts_with(ltrim(t), '[') and json_valid(t) then from_json(t, '["VARCHAR"]')
    when starts_with(ltrim(t), '{{') and json_valid(t) then null
    else list_filter(
        list_transform(string_split(t, ','), lambda x: trim(x)), lambda x: x <> ''
    )
end;
create or replace temp macro landed_json(t) as case
    when json_valid(t) and json_type(t) = 'OBJECT' then json(t)
end;
"""

_EXPECTED = {
    "timestamp": "is not an ISO 8601 time such as 2026-05-01T14:30:00-05:00",
    "date": "is not a date such as 2026-05-01",
    "bigint": "is not a whole number",
    "double": "is not a number",
    "boolean": "is not true or false",
    "varchar[]": "is not a list: write a JSON array or words with commas between them",
    "json": "is not a JSON object",
}


def create_macros(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the `landed_*` macros known to this connection; they are temporary."""
    connection.execute(_MACROS)


def is_id(column: str) -> bool:
    """Whether a column holds an id: text, without `.0` and without the front of a gid."""
    return column.endswith("_id")


def is_time_zone(table: Table, column: str) -> bool:
    """Whether a column names a time zone that days are reckoned in, so that it must exist."""
    return (table.schema, table.name, column) == ("raw_shopify", "shops", "iana_timezone")


def value(table: Table, column: str, text: str) -> str:
    """The SQL expression for a column's value, null where `text` cannot be read as one.

    `text` is an SQL expression of type VARCHAR.
    """
    kind = table.columns[column]
    if is_time_zone(table, column):
        return f"case when {text} in (select name from pg_timezone_names()) then {text} end"
    if kind == "varchar":
        if is_id(column):
            return f"landed_id({text})"
        return f"nullif({text}, '')" if column in table.primary_key else text
    if kind.startswith("decimal"):
        return f"try_cast({text} as {kind})"
    macro = {"varchar[]": "list"}.get(kind, kind)
    return f"landed_{macro}({text})"


def can_fail(table: Table, column: str) -> bool:
    """Whether some text cannot be a value of this column."""
    return table.columns[column] != "varchar" or is_id(column) or is_time_zone(table, column)


def expectation(table: Table, column: str) -> str:
    """How a sentence about a wrong value of this column goes on, after the value itself."""
    kind = table.columns[column]
    if is_time_zone(table, column):
        return "is not a time zone such as America/New_York"
    if kind == "varchar":
        return "is not an id: digits were lost, or it is no text; write it as text in quotes"
    if kind.startswith("decimal"):
        return "is not an amount such as 1234.50"
    return _EXPECTED[kind]
