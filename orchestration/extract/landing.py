"""Merging staged rows into a raw table: one way in, whoever brings the rows.

A reader fills a *stage*, a temporary table with exactly the columns of the contract, duplicates
allowed. `merge` then decides, set-based and in one transaction of the caller's, what is new, what
is newer and what is already there. The order in which rows were read decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import duckdb

from orchestration.extract import earlier, forgotten
from orchestration.extract.contract import Table

MAX_REJECTED_CONTENT = 65_536
"""Characters of a rejected row that are kept."""

_REJECTED_COLUMNS = """
    table_name varchar not null,
    file varchar not null,
    line bigint not null,
    field varchar,
    reason varchar not null,
    content varchar,
    _loaded_at timestamp not null
"""


@dataclass(frozen=True)
class Merged:
    """What a merge did, in rows. Staged rows that are neither new nor changed left no trace."""

    new: int = 0
    changed: int = 0


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def names(columns: Iterator[str] | list[str] | dict[str, str], prefix: str = "") -> str:
    """Column names for an SQL list, each with `prefix` (such as `s.`) before it."""
    return ", ".join(prefix + quoted(column) for column in columns)


def scalar(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    """The one integer that a query answers with; null counts as 0."""
    row = connection.execute(sql).fetchone()
    return int(row[0] or 0) if row else 0


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All of the block's changes or none of them."""
    connection.execute("begin transaction")
    try:
        yield
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")


def ensure_table(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Create the raw table and its source's `_rejected`, or add columns the contract gained.

    There is no primary key: DuckDB's index costs more than the whole load, and `merge` keeps keys
    unique by itself.
    """
    columns = ", ".join(f"{quoted(name)} {kind}" for name, kind in table.columns.items())
    connection.execute(f"create schema if not exists {table.schema}")
    connection.execute(
        f"create table if not exists {table.schema}.{quoted(table.name)} ({columns})"
    )
    present = {
        row[0]
        for row in connection.execute(f"describe {table.schema}.{quoted(table.name)}").fetchall()
    }
    for name, kind in table.columns.items():
        if name not in present:
            connection.execute(
                f"alter table {table.schema}.{quoted(table.name)} add column {quoted(name)} {kind}"
            )
    connection.execute(f"create table if not exists {table.schema}._rejected ({_REJECTED_COLUMNS})")


@dataclass(frozen=True)
class Stage:
    """A table of the contract's columns that rows gather in; `relation` is its name in SQL.

    `becomes_table` tells that the raw table was empty when the stage was made. The stage is then
    an ordinary table beside it that takes its place, so that a first load is written once.
    """

    relation: str
    becomes_table: bool


def _relation(table: Table) -> str:
    """The raw table's name in SQL."""
    return f"{table.schema}.{quoted(table.name)}"


@contextmanager
def staged(connection: duckdb.DuckDBPyConnection, table: Table) -> Iterator[Stage]:
    """An empty stage for a table, gone afterwards whatever happens. Creates the raw table."""
    ensure_table(connection, table)
    empty = not scalar(connection, f"select count(*) from (from {_relation(table)} limit 1)")
    name = quoted(f"_landing_{table.name}")
    stage = Stage(f"{table.schema}.{name}" if empty else name, empty)
    kind_of = "table" if empty else "temp table"
    columns = ", ".join(f"{quoted(name)} {kind}" for name, kind in table.columns.items())
    connection.execute(f"create or replace {kind_of} {stage.relation} ({columns})")
    try:
        yield stage
    finally:
        connection.execute(f"drop table if exists {stage.relation}")


def _content(table: Table) -> list[str]:
    """The columns that make two rows the same or not: all but the key and the load time."""
    return [c for c in table.columns if c not in (*table.primary_key, "_loaded_at")]


def _as_row(table: Table, alias: str) -> str:
    """The content of a row as one comparable struct; nulls compare as the greatest."""
    return f"row({names(_content(table), f'{alias}.')})"


def _keep_winners(connection: duckdb.DuckDBPyConnection, table: Table, stage: str) -> None:
    """Delete from the stage all but the winning row of each key."""
    key = names(list(table.primary_key))
    repeated = f"select {key} from {stage} group by {key} having count(*) > 1"
    version = f"s.{quoted(table.version_column)} desc nulls last, " if table.version_column else ""
    connection.execute(f"""
        delete from {stage} where rowid in (
            select stage_row from (
                select
                    s.rowid as stage_row,
                    row_number() over (
                        partition by {names(list(table.primary_key), "s.")}
                        order by {version} s._loaded_at desc, {_as_row(table, "s")} desc
                    ) as place
                from {stage} as s
                semi join ({repeated}) as r
                    on {" and ".join(f"s.{quoted(c)} = r.{quoted(c)}" for c in table.primary_key)}
            )
            where place > 1
        )
    """)


def _on_key(table: Table) -> str:
    """SQL: whether staged row `s` and stored row `t` have the same key."""
    return " and ".join(f"s.{quoted(c)} = t.{quoted(c)}" for c in table.primary_key)


def _carry_within(connection: duckdb.DuckDBPyConnection, table: Table, stage: str) -> None:
    """Give all staged rows of a key what the latest of them says in the lasting columns."""
    if not table.lasting:
        return
    key = names(list(table.primary_key))
    version = f"s.{quoted(table.version_column)} desc nulls last, " if table.version_column else ""
    said = ", ".join(
        f"first(s.{c} order by {version}s._loaded_at desc, s.{c} desc) "
        f"filter (where s.{c} is not null) as {c}"
        for c in map(quoted, table.lasting)
    )
    connection.execute(f"""
        update {stage} as s
        set {", ".join(f"{c} = coalesce(s.{c}, t.{c})" for c in map(quoted, table.lasting))}
        from (select {key}, {said} from {stage} as s group by {key} having count(*) > 1) as t
        where {_on_key(table)}
    """)


def _inherit(connection: duckdb.DuckDBPyConnection, table: Table, stage: str) -> None:
    """Fill the stage's lasting columns from the raw table where the stage says nothing."""
    if not table.lasting:
        return
    columns = [quoted(c) for c in table.lasting]
    connection.execute(f"""
        update {stage} as s
        set {", ".join(f"{c} = coalesce(s.{c}, t.{c})" for c in columns)}
        from {_relation(table)} as t
        where {_on_key(table)}
            and ({" or ".join(f"(s.{c} is null and t.{c} is not null)" for c in columns)})
    """)


def _complete(connection: duckdb.DuckDBPyConnection, table: Table, stage: str) -> int:
    """Fill the raw table's lasting columns from the stage where a row that stays says nothing.
    Yields how many rows that were.
    """
    if not table.lasting:
        return 0
    columns = [quoted(c) for c in table.lasting]
    says_more = (
        f"{_on_key(table)} "
        f"and ({' or '.join(f'(t.{c} is null and s.{c} is not null)' for c in columns)})"
    )
    earlier.keep(
        connection,
        table,
        f"select t.rowid as old_row, s._loaded_at as at "
        f"from {_relation(table)} as t, {stage} as s where {says_more}",
    )
    completed = scalar(
        connection,
        f"""
        update {_relation(table)} as t
        set {", ".join(f"{c} = coalesce(t.{c}, s.{c})" for c in columns)},
            _loaded_at = greatest(t._loaded_at, s._loaded_at)
        from {stage} as s
        where {says_more}
        """,
    )
    if completed:
        _erase(connection, table, _relation(table))
    return completed


def _erase(connection: duckdb.DuckDBPyConnection, table: Table, relation: str) -> None:
    """Blank the personal columns of rows that were erased."""
    if not table.erased_by:
        return
    columns = [quoted(c) for c in table.personal]
    connection.execute(
        f"update {relation} set {', '.join(f'{c} = null' for c in columns)} "
        f"where {quoted(table.erased_by)} is not null "
        f"and ({' or '.join(f'{c} is not null' for c in columns)})"
    )


def _stay_erased(connection: duckdb.DuckDBPyConnection, table: Table, stage: str) -> None:
    """Blank the personal columns of staged customers whose erasure Shopify has asked for."""
    if not table.erased_by:
        return
    asked = connection.execute(
        "select count(*) from duckdb_tables() where database_name = current_database() "
        "and schema_name = 'raw_shopify' and table_name = '_privacy_requests'"
    ).fetchone()
    if not asked or not asked[0]:
        return
    blank = ", ".join(f"{quoted(c)} = null" for c in table.personal)
    erased_by = quoted(table.erased_by)
    connection.execute(f"""
        update {stage} as s
        set {blank}, {erased_by} = coalesce(s.{erased_by}, r.requested_at)
        from raw_shopify._privacy_requests as r
        where r.kind = 'customers/redact'
            and s.shop_id = r.shop_id and s.customer_id = r.customer_id
    """)


def _is_newer(table: Table) -> str:
    """SQL: whether staged row `s` beats stored row `t` of the same key."""
    later_load = (
        "when s._loaded_at <> t._loaded_at then s._loaded_at > t._loaded_at "
        f"else {_as_row(table, 's')} > {_as_row(table, 't')}"
    )
    if not table.version_column:
        return f"case {later_load} end"
    version = quoted(table.version_column)
    return (
        f"case when s.{version} is distinct from t.{version} "
        f"then t.{version} is null or coalesce(s.{version} > t.{version}, false) {later_load} end"
    )


def merge(
    connection: duckdb.DuckDBPyConnection, table: Table, stage: Stage, *, forgets: bool = False
) -> Merged:
    """Upsert the stage into the raw table by primary key; call it inside `transaction`.

    Of several rows with one key the later `version_column` wins (null is the earliest), then the
    later `_loaded_at`, then the greater content. A staged row whose content is already stored
    changes nothing, not even `_loaded_at`. A row that is replaced is kept as an earlier version
    (`earlier`). The stage is spent afterwards.

    A source that `forgets` cannot tell the `lasting` columns in every row, as an API that shows
    merged customers no more: where the winner says nothing in one, what the loser says stands. A
    row with only its key and such a column tells that and changes nothing else. A file is taken at
    its word, but who was erased on request stays erased. Rows of people who were forgotten are out
    before anything else (`forgotten`).

    Keys of staged rows must not be null.
    """
    target = _relation(table)
    columns = names(table.columns)
    key = names(list(table.primary_key))
    rows = stage.relation
    forgotten.take_out(connection, table, rows)
    total = scalar(connection, f"select count(*) from {rows}")
    if not total:
        return Merged()
    if total > scalar(connection, f"select count(*) from (select 1 from {rows} group by {key})"):
        if forgets:
            _carry_within(connection, table, rows)
        _keep_winners(connection, table, rows)
    if forgets:
        if not stage.becomes_table:
            _inherit(connection, table, rows)
        _erase(connection, table, rows)
    else:
        _stay_erased(connection, table, rows)
    if stage.becomes_table:
        new = scalar(connection, f"select count(*) from {rows}")
        connection.execute(f"drop table {target}")
        connection.execute(f"alter table {rows} rename to {quoted(table.name)}")
        return Merged(new=new)

    same = " and ".join(
        f"s.{quoted(c)} is not distinct from t.{quoted(c)}" for c in _content(table)
    )
    connection.execute(f"""
        create or replace temp table landing_verdict as
        select s.rowid as stage_row, t.rowid as target_row
        from {rows} as s
        left join {target} as t
            on {" and ".join(f"s.{quoted(c)} = t.{quoted(c)}" for c in table.primary_key)}
        where t.rowid is null or (not ({same}) and {_is_newer(table)})
    """)
    changed = scalar(connection, "select count(target_row) from landing_verdict")
    new = scalar(connection, "select count(*) from landing_verdict") - changed
    if changed:
        earlier.keep(
            connection,
            table,
            "select v.target_row as old_row, s._loaded_at as at "
            f"from landing_verdict as v inner join {rows} as s on v.stage_row = s.rowid "
            "where v.target_row is not null",
        )
        connection.execute(
            f"delete from {target} where rowid in "
            "(select target_row from landing_verdict where target_row is not null)"
        )
    if new or changed:
        connection.execute(
            f"insert into {target} ({columns}) select {columns} from {rows} "
            "where rowid in (select stage_row from landing_verdict)"
        )
    connection.execute("drop table landing_verdict")
    completed = _complete(connection, table, rows) if forgets else 0
    if forgets and (changed or completed):
        earlier.erase(connection, table)
    return Merged(new=new, changed=changed + completed)


def create_rejects(connection: duckdb.DuckDBPyConnection, rejects: str) -> None:
    """Create the empty temporary table that readers write refused rows to.

    Columns: file, line (from 1), field (null when the whole row is at fault), reason, content.
    """
    connection.execute(
        f"create or replace temp table {rejects} "
        "(file varchar, line bigint, field varchar, reason varchar, content varchar)"
    )


def record_rejects(
    connection: duckdb.DuckDBPyConnection, table: Table, rejects: str, loaded_at: datetime
) -> None:
    """Append refused rows to the source's `_rejected`, but none that already stands there."""
    forgotten.silence(connection, rejects)
    connection.execute(
        f"""
        insert into {table.schema}._rejected
        select {literal(table.name)}, r.file, r.line, r.field, r.reason, r.content, $loaded_at
        from {rejects} as r
        where not exists (
            select 1 from {table.schema}._rejected as known
            where known.table_name = {literal(table.name)}
                and known.file = r.file
                and known.line = r.line
                and known.field is not distinct from r.field
                and known.reason = r.reason
                and known.content is not distinct from r.content
        )
        order by r.file, r.line
        """,
        {"loaded_at": loaded_at},
    )
