"""People who were forgotten on request, known by digests alone, and how their rows are kept out.

`privacy.forgotten` holds a digest of each identifier of a person: salted SHA-256, so that it says
nothing to who does not bring the identifier along. What takes a person out of the raw tables is
what keeps them out: `health forget` and every load run `take_out` over the same columns.
"""

from __future__ import annotations

import csv
import secrets
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import cache

import duckdb
import yaml

from orchestration.extract.contract import Table
from orchestration.settings import PROJECT_DIR

KINDS = (
    "customer", "email", "phone", "profile", "subscriber", "participant", "order", "refund",
    "return",
)  # fmt: skip

_DDL = """
create schema if not exists privacy;
create table if not exists privacy.salt (salt varchar not null);
create table if not exists privacy.forgotten (
    shop_id varchar not null,
    kind varchar not null,
    digest varchar not null,
    forgotten_at timestamp not null
)
"""


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def normal(kind: str, expression: str) -> str:
    """SQL: an identifier as it is compared; null when it says nothing. As staging has it."""
    if kind == "email":
        return f"nullif(lower(trim({expression})), '')"
    if kind == "phone":
        return f"nullif(regexp_replace({expression}, '[ ().-]', '', 'g'), '')"
    return f"nullif(trim({expression}), '')"


def digest(kind: str, value: str) -> str:
    """SQL: the digest of a normal identifier of the column `shop_id`."""
    return (
        "sha256((select salt from privacy.salt) || chr(31) || shop_id || chr(31) || "
        f"{literal(kind)} || chr(31) || {value})"
    )


def ensure(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the tables where they are missing, and the salt with them."""
    connection.execute(_DDL)
    connection.execute(
        "insert into privacy.salt select $salt where not exists (from privacy.salt)",
        {"salt": secrets.token_hex(16)},
    )


def is_kept(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether anybody was ever forgotten here."""
    there = connection.execute(
        "select 1 from duckdb_tables() where database_name = current_database() "
        "and schema_name = 'privacy' and table_name = 'forgotten'"
    ).fetchone()
    return bool(there and connection.execute("from privacy.forgotten limit 1").fetchone())


def remember(
    connection: duckdb.DuckDBPyConnection,
    shop_id: str,
    ids: Mapping[str, Collection[str]],
    moment: datetime,
) -> None:
    """Keep the digests of a person's normal identifiers by kind; `moment` is naive UTC."""
    ensure(connection)
    for kind in KINDS:
        connection.execute(
            f"""
            insert into privacy.forgotten
            select shop_id, {literal(kind)}, digest, $moment::timestamp
            from (
                select shop_id, {digest(kind, "value")} as digest
                from (select $shop as shop_id, unnest($values::varchar[]) as value)
            )
            where digest not in (select digest from privacy.forgotten)
            """,
            {"moment": moment, "shop": shop_id, "values": sorted(ids.get(kind, ()))},
        )


def recognise(connection: duckdb.DuckDBPyConnection, text: str) -> tuple[str, datetime] | None:
    """The shop and the moment when the bearer of an identifier was forgotten; None if never.

    `text` is an address or an id, with or without its shop before it.
    """
    if not is_kept(connection):
        return None
    found = connection.execute(
        f"""
        with asked as (
            select distinct
                shop_id,
                case when starts_with($text, shop_id || ':')
                    then substr($text, length(shop_id) + 2) else $text end as said
            from privacy.forgotten
        )
        select f.shop_id, min(f.forgotten_at)
        from privacy.forgotten as f
        inner join (
            {
            " union all ".join(
                f"select {digest(kind, normal(kind, 'said'))} as digest from asked"
                for kind in KINDS
                if kind not in ("order", "refund", "return")
            )
        }
        ) as asked on f.digest = asked.digest
        group by f.shop_id order by f.shop_id limit 1
        """,
        {"text": text.strip()},
    ).fetchone()
    return (str(found[0]), found[1]) if found else None


def is_weak(table: Table, kind: str) -> bool:
    """Whether a column does not say of itself whose a row is: the customer's id goes before it."""
    column = table.forget.ids[kind]
    return kind != "customer" and "customer" in table.forget.ids and column not in table.primary_key


def take_out(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    relation: str,
    *,
    whenever: bool = False,
) -> int:
    """Delete the rows of people who were forgotten, or blank them where they stay for the books.

    `relation` has the columns of `table`. A row known by an address alone that is dated after the
    erasure is of somebody who came back, and stays; not so with `whenever`. Returns how many rows
    were touched.
    """
    if not table.forget.ids or not is_kept(connection):
        return 0
    connection.execute(
        f"create or replace temp table forgotten_rows as {_found(table, relation, whenever)}"
    )
    if table.forget.blank:
        values = {column: _what_stays(table, column) for column in table.forget.blank}
        changed = connection.execute(
            f"update {relation} as t "
            f"set {', '.join(f'{quoted(c)} = {value}' for c, value in values.items())} "
            "where t.rowid in (from forgotten_rows) and ("
            + " or ".join(f"t.{quoted(c)} is distinct from {v}" for c, v in values.items())
            + ")"
        ).fetchone()
    else:
        changed = connection.execute(
            f"delete from {relation} where rowid in (from forgotten_rows)"
        ).fetchone()
    connection.execute("drop table forgotten_rows")
    return int(changed[0]) if changed else 0


def _found(table: Table, relation: str, whenever: bool) -> str:
    """SQL: the rowids of a relation's rows of people who were forgotten."""
    ids = table.forget.ids
    matches = []
    for kind, column in ids.items():
        value = normal(kind, quoted(column))
        rest = ""
        if is_weak(table, kind):
            customer = quoted(ids["customer"])
            rest += (
                f" and ({normal('customer', f't.{customer}')} is null or t.rowid in "
                f"({_by(relation, 'customer', customer, '')}))"
            )
        if kind in ("email", "phone") and table.forget.since and not whenever:
            dated = f"t.{quoted(table.forget.since)}"
            rest += f" and ({dated} is null or {dated} <= f.forgotten_at)"
        matches.append(_by(relation, kind, quoted(column), rest, value))
    return " union ".join(matches)


def _by(relation: str, kind: str, column: str, rest: str, value: str = "") -> str:
    """SQL: the rowids found by one kind. Every value is hashed once, however many rows bear it."""
    value = value or normal(kind, column)
    return f"""
        select t.rowid as row_id
        from {relation} as t
        inner join (
            select shop_id, value, {digest(kind, "value")} as digest
            from (select distinct shop_id, {value} as value from {relation})
            where value is not null
        ) as said
            on t.shop_id = said.shop_id and {normal(kind, f"t.{column}")} = said.value
        inner join privacy.forgotten as f on f.digest = said.digest
        where true{rest}
    """


def _what_stays(table: Table, column: str) -> str:
    """SQL: what a blanked column keeps, which is what scores are made of and names nobody."""
    resent = f"lower(trim(tag)) in ({_listed(_resend_tags())})"
    stays = {
        "tags": f"list_filter(t.tags, lambda tag : {resent})",
        "reason": f"case when lower(trim(t.reason)) in ({_listed(_return_reasons())}) "
        "then t.reason end",
    }
    return stays.get(column, "null") if column in table.columns else "null"


def _listed(words: Collection[str]) -> str:
    return ", ".join(literal(word) for word in sorted(words))


@cache
def _resend_tags() -> frozenset[str]:
    project = yaml.safe_load((PROJECT_DIR / "dbt_project.yml").read_text())
    return frozenset(str(tag).lower() for tag in project["vars"]["resend_order_tags"])


@cache
def _return_reasons() -> frozenset[str]:
    path = PROJECT_DIR / "seeds" / "reference" / "return_reason_map.csv"
    with path.open(newline="") as file:
        return frozenset(row["return_reason"].strip().lower() for row in csv.DictReader(file))


def silence(connection: duckdb.DuckDBPyConnection, rejects: str) -> int:
    """Blank what refused rows quote of people who were forgotten; returns how many there were.

    `rejects` has the columns reason and content. A row that could not be read says nowhere who it
    is of: every word in it that may be an identifier is held against the digests.
    """
    if not is_kept(connection):
        return 0
    kinds = ("customer", "email", "phone", "profile", "subscriber")
    asked = " union all ".join(
        f"select row_id, {digest(kind, normal(kind, 'word'))} as digest from asked"
        for kind in kinds
    )
    changed = connection.execute(f"""
        update {rejects} set content = null, reason = 'was of somebody who was forgotten'
        where rowid in (
            with words as (
                select distinct rowid as row_id, unnest(regexp_extract_all(
                    concat_ws(' ', content, reason), '[+A-Za-z0-9._%@-]{{4,}}'
                )) as word
                from {rejects}
            ),
            asked as (
                select words.*, shops.shop_id
                from words cross join (select distinct shop_id from privacy.forgotten) as shops
            )
            select row_id from ({asked}) semi join privacy.forgotten using (digest)
        )
    """).fetchone()
    return int(changed[0]) if changed else 0
