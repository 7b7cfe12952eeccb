"""The shape of our tables in Postgres: made, altered where a mart has changed, and left alone else.

Statements that lock readers out (AccessExclusive) are executed only for a table that is new or has
another shape; what every publish does is compatible with readers.
"""

from __future__ import annotations

from orchestration.errors import HealthError
from orchestration.publish.postgres_marts import INDEXED, SCHEMA, Mart, literal, quoted
from orchestration.publish.postgres_session import PostgresError, Session

# Our record of what was published; a table that is not in it is not ours.
RECORD = "published_marts"
RECORD_COLUMNS = {
    "mart": "Name of the table.",
    "row_count": "How many rows it has.",
    "first_day": "Days before this one were left in the warehouse; null when all of it is here.",
    "published_at": "When it was last made to agree with the warehouse (UTC); the same for all.",
}
# Longer than this nobody waits in line behind us for a table that changes its shape.
LOCK_TIMEOUT = "5s"
TABLE = f"{SCHEMA}.{RECORD}"


def relation(name: str) -> str:
    """A table of ours with its schema."""
    return f"{SCHEMA}.{quoted(name)}"


def prepare(session: Session) -> set[str]:
    """Make the schema and the record where they are missing; the tables that are ours."""
    if not session.rows(f"select 1 from pg_namespace where nspname = '{SCHEMA}'"):
        session.run(f"create schema {SCHEMA}")
    if not session.rows(f"select 1 where to_regclass('{TABLE}') is not null"):
        session.run(
            f"create table {TABLE} (mart text primary key, row_count bigint not null, "
            "first_day date, published_at timestamp not null)"
        )
        session.run(f"comment on table {TABLE} is 'What Customer health published, and when.'")
        for column, comment in RECORD_COLUMNS.items():
            session.run(f"comment on column {TABLE}.{column} is {literal(comment)}")
    return {name for (name,) in session.rows(f"select mart from {TABLE}")}


def refuse_foreign(session: Session, marts: list[Mart], ours: set[str]) -> None:
    """Raise `HealthError` where something that is not ours stands in a mart's place."""
    there = session.rows(
        "select relname::text from pg_class where relnamespace = "
        f"'{SCHEMA}'::regnamespace and relkind in ('r', 'v', 'm', 'p', 'f', 'S', 'i', 'c')"
    )
    foreign = sorted({mart.name for mart in marts if mart.name not in ours} & {n for (n,) in there})
    if foreign:
        raise HealthError(
            f"{', '.join(f'{SCHEMA}.{name}' for name in foreign)}: this database already has that, "
            "and it is not of our making. Rename it, or publish to a database of its own."
        )


def shape(session: Session, mart: Mart, *, is_new: bool, has_gaps: bool) -> bool:
    """Make a mart's table, or alter it where its columns are others; whether anything was done.

    A column whose type changed is dropped and added: rewritten in place, the table would be empty
    to readers whose snapshot is older. `has_gaps` says that a column of the key has nulls now.
    Raises `HealthError` when a reader holds the table, or something of the shop's is built on a
    column that goes.
    """
    if is_new:
        columns = ", ".join(f"{quoted(c.name)} {c.type}" for c in mart.columns)
        session.run(f"create table {relation(mart.name)} ({columns})")
    session.run(f"set local lock_timeout = '{LOCK_TIMEOUT}'")
    try:
        columns_changed = [] if is_new else _column_changes(session, mart)
        for change in columns_changed:
            session.run(change)
        # With a column, a key goes that it was part of: only now is it known what is there.
        key_changed = _key_changes(session, mart, has_gaps=has_gaps)
        for change in key_changed:
            session.run(change)
    except PostgresError as error:
        raise _explained(session, mart, error) from error
    _index(session, mart)
    return is_new or bool(columns_changed or key_changed)


def _column_changes(session: Session, mart: Mart) -> list[str]:
    there = dict(
        session.rows(
            "select attname::text, format_type(atttypid, atttypmod) from pg_attribute "
            f"where attrelid = '{relation(mart.name)}'::regclass and attnum > 0 "
            "and not attisdropped order by attnum"
        )
    )
    wanted = {column.name: column.type for column in mart.columns}
    table = f"alter table {relation(mart.name)}"
    gone = [name for name, type_ in there.items() if wanted.get(name) != type_]
    new = [name for name, type_ in wanted.items() if there.get(name) != type_]
    return [
        *(f"{table} drop column {quoted(name)}" for name in gone),
        *(f"{table} add column {quoted(name)} {wanted[name]}" for name in new),
    ]


def _key_changes(session: Session, mart: Mart, *, has_gaps: bool) -> list[str]:
    """What gives the table its key: a primary key, or a unique index where the key has nulls.

    Once an index, it stays one, or a null that comes and goes would lock readers out each time.
    """
    name = f"{mart.name}_key"
    found = session.rows(
        "select i.indisprimary, array(select a.attname::text from "
        "unnest(i.indkey::int2[]) with ordinality as k (attnum, place) join pg_attribute as a "
        "on a.attrelid = i.indrelid and a.attnum = k.attnum order by k.place) "
        "from pg_index as i join pg_class as c on c.oid = i.indexrelid "
        f"where i.indrelid = to_regclass({literal(relation(mart.name))}) "
        f"and c.relname = {literal(name)}"
    )
    is_primary, columns = found[0] if found else (False, [])
    agrees = tuple(columns) == mart.key and not (is_primary and has_gaps)
    if agrees or not (found or mart.key):
        return []
    table, listed = f"alter table {relation(mart.name)}", ", ".join(map(quoted, mart.key))
    changes = []
    if is_primary:
        changes.append(f"{table} drop constraint {quoted(name)}")
        # Primary no longer, the columns may be null.
        changes += [f"{table} alter column {quoted(c)} drop not null" for c in columns]
    elif found:
        changes.append(f"drop index {SCHEMA}.{quoted(name)}")
    if not mart.key:
        return changes
    # Rows of another shape go before the key comes: those that follow have it.
    changes.append(f"delete from {relation(mart.name)}")
    if has_gaps:
        changes.append(f"create unique index {quoted(name)} on {relation(mart.name)} ({listed})")
    else:
        changes.append(f"{table} add constraint {quoted(name)} primary key ({listed})")
    return changes


def _index(session: Session, mart: Mart) -> None:
    """Indexes on what readers look rows up by, unless the key begins with it."""
    wanted = {
        f"{mart.name}_{column.name}": column.name
        for column in mart.columns
        if column.name in INDEXED and mart.key[:1] != (column.name,)
    }
    there = session.rows(
        f"select indexname::text from pg_indexes where schemaname = '{SCHEMA}' "
        f"and tablename = {literal(mart.name)}"
    )
    for name in sorted({*wanted} - {n for (n,) in there}):
        session.run(
            f"create index {quoted(name)} on {relation(mart.name)} ({quoted(wanted[name])})"
        )


def _explained(session: Session, mart: Mart, error: PostgresError) -> HealthError:
    """Who is in the way of a change of shape."""
    table = f"{SCHEMA}.{mart.name}"
    if error.sqlstate == "2BP01":
        return HealthError(
            f"{table} loses a column or has another type for it, and something of yours is built "
            f"on it: {error}"
        )
    if error.sqlstate != "55P03":
        return error
    session.rollback()
    holders = session.rows(
        "select distinct a.pid::bigint, coalesce(a.usename::text, '?'), coalesce(a.state, '?') "
        "from pg_locks as l join pg_stat_activity as a using (pid) "
        f"where l.relation = to_regclass({literal(relation(mart.name))}) and l.granted "
        "and pid <> pg_backend_pid() order by 1"
    )
    who = ", ".join(f"{pid} ({user}, {state})" for pid, user, state in holders) or "somebody"
    return HealthError(
        f"{table} has other columns than before, which waits for who reads it: {who}. Let these "
        "sessions end their transactions (or end them: pg_terminate_backend) and publish again; "
        "until then readers keep what they have."
    )


def describe(session: Session, marts: list[Mart]) -> None:
    """Give tables and columns the descriptions of dbt where they have others."""
    there = {
        (table, column): comment
        for table, column, comment in session.rows(
            "select c.relname::text, coalesce(a.attname::text, ''), d.description "
            "from pg_class as c join pg_description as d on d.objoid = c.oid "
            "and d.classoid = 'pg_class'::regclass left join pg_attribute as a "
            "on a.attrelid = c.oid and a.attnum = d.objsubid and d.objsubid > 0 "
            f"where c.relnamespace = '{SCHEMA}'::regnamespace and c.relkind = 'r'"
        )
    }
    for mart in marts:
        wanted = {"": mart.comment, **{c.name: c.comment for c in mart.columns}}
        for column, comment in wanted.items():
            if comment == there.get((mart.name, column)):
                continue
            kind, of = ("column", f".{quoted(column)}") if column else ("table", "")
            text = literal(comment) if comment else "null"
            session.run(f"comment on {kind} {relation(mart.name)}{of} is {text}")


def grant(session: Session, reader: str) -> None:
    """Let the role `reader` read all of the schema, now and later, and PUBLIC nothing."""
    role, text = quoted(reader), literal(reader)
    if not session.rows(f"select 1 from pg_roles where rolname = {text}"):
        try:
            session.run(f"create role {role} nologin")
        except PostgresError as error:
            raise HealthError(
                f"The role {reader} is missing and we may not create it: {error} As an "
                f"administrator: create role {role} nologin; or name one that is there in "
                "HEALTH_POSTGRES_READER."
            ) from error
    for who, verb in ((role, "grant"), ("public", "revoke")):
        for statement in _grants(session, who, verb):
            session.run(statement)


def _grants(session: Session, role: str, verb: str) -> list[str]:
    """The statements that are needed for `role` to have its rights, or (revoke) to have none."""
    wants = "not " if verb == "grant" else ""
    name = literal(role[1:-1].replace('""', '"')) if verb == "grant" else "'public'"
    word, usage, select = (
        ("to", "usage", "select") if verb == "grant" else ("from", "all", "all privileges")
    )
    some = "select" if verb == "grant" else "select, insert, update, delete, truncate"
    statements = [
        f"{verb} {usage} on schema {SCHEMA} {word} {role}"
        for _ in session.rows(
            f"select 1 where {wants}has_schema_privilege({name}, '{SCHEMA}', 'usage')"
        )
    ]
    statements += [
        f"{verb} {select} on {relation(table)} {word} {role}"
        for (table,) in session.rows(
            f"select r.mart from {TABLE} as r where {wants}has_table_privilege({name}, "
            f"'{SCHEMA}.' || quote_ident(r.mart), '{some}') union all select '{RECORD}' "
            f"where {wants}has_table_privilege({name}, '{TABLE}', '{some}')"
        )
    ]
    if verb == "grant" and not session.rows(
        "select 1 from pg_default_acl as d, aclexplode(d.defaclacl) as a where d.defaclnamespace = "
        f"'{SCHEMA}'::regnamespace and d.defaclobjtype = 'r' and a.privilege_type = 'SELECT' "
        f"and d.defaclrole = current_user::regrole and a.grantee = {literal(role)}::regrole"
    ):
        statements.append(
            f"alter default privileges in schema {SCHEMA} grant select on tables to {role}"
        )
    return statements


def empty(session: Session, gone: set[str]) -> None:
    """Empty the tables of marts that are no more; somebody's view may still stand on them."""
    for name in sorted(gone):
        if session.rows(f"select 1 where to_regclass({literal(relation(name))}) is not null"):
            session.run(f"delete from {relation(name)}")
