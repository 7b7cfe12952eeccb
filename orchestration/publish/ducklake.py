"""What readers get, in a DuckLake: a catalogue in Postgres, rows as parquet files in a folder.

Any number of machines read it while one publishes. The serving copy is the source: complete,
checked, and free of personal data. A publish is one transaction of the lake, so one snapshot:
readers see all of it or what was there before, and for some days what was there then. Tables that
did not change are not written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from pydantic import SecretStr

from orchestration.errors import HealthError
from orchestration.publish.ducklake_session import VARIABLE, lake
from orchestration.publish.postgres_marts import literal, quoted
from orchestration.publish.postgres_session import opened
from orchestration.publish.serving import held_back, refuse_personal_data
from orchestration.settings import Settings

# Who publishes holds this advisory lock of the catalogue's database.
TURN = 4_807_130_903
# Our record of what was published; a relation that is not in it is not ours.
RECORD = "lake.main.published"
RECORD_COLUMNS = {
    "relation": "Schema and name.",
    "row_count": "How many rows it has; null for a view.",
    "published_at": "When it was last made to agree with the warehouse (UTC); the same for all.",
}
# A reader that is at work on a snapshot which has gone keeps its files for so long.
GRACE = "1 day"


@dataclass(frozen=True)
class _Relation:
    """A table or view as it is described: what two of them share, they have in common.

    `columns` are name, type and description of a table's, `body` is the query of a view.
    """

    kind: str
    comment: str | None
    columns: tuple[tuple[str, str, str | None], ...] = ()
    body: str = ""


@dataclass
class Published:
    """What a publish did: rows by table, which of them were written, views, and what went."""

    rows: dict[str, int] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)
    views: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)

    @property
    def sentence(self) -> str:
        """What was done, for people."""
        said = f"DuckLake: {len(self.written)} of {len(self.rows)} tables written"
        return f"{said}, {', '.join(self.gone)} removed." if self.gone else f"{said}."


def publish_configured(now: Settings, *, purge: bool = False) -> Published | None:
    """Publish the serving copy to `HEALTH_DUCKLAKE_URL`; None when that is not set.

    With `purge`, after somebody was forgotten, earlier snapshots go at once. Raises `HealthError`
    when a test of the last build holds the scores back, and as `publish_lake` does.
    """
    if now.ducklake_url is None:
        return None
    # A purge brings no other scores: the copy is the one that was judged, without a person.
    if not purge and (problems := held_back(now.warehouse_path)):
        raise HealthError("The lake keeps what it has. " + " ".join(problems))
    return publish_lake(
        now.serving_path,
        now.ducklake_url,
        now.ducklake_folder,
        days=0 if purge else now.ducklake_days,
    )


def publish_lake(copy: Path, url: SecretStr, folder: Path, *, days: int) -> Published:
    """Make the lake of the catalogue at `url` agree with a serving copy, in one transaction.

    Its files are in `folder`. Snapshots older than `days` go; with 0 all but the one that was made
    go at once, their files too. Raises `HealthError` when DuckLake is not installed, there is no
    copy, somebody else publishes, or the lake refuses something; readers then keep what they have.
    """
    if not copy.exists():
        raise HealthError(f"There is no copy for readers at {copy} yet. Run `health publish`.")
    with opened(url, VARIABLE) as session, lake(url, folder) as connection:
        session.run("set local idle_in_transaction_session_timeout = 0")
        if session.rows(f"select pg_try_advisory_xact_lock({TURN})") != [(True,)]:
            raise HealthError(
                "Another process is publishing to this lake, which has one writer at a time: let "
                "it end, then publish again. Readers keep what they have."
            )
        connection.execute(f"attach {literal(str(copy))} as copy (read_only)")
        refuse_personal_data(connection, "copy")
        connection.execute("begin")
        published = _publish(connection)
        connection.execute("commit")
        _expire(connection, days)
    return published


def _publish(connection: duckdb.DuckDBPyConnection) -> Published:
    """Make what the lake has agree with the copy, inside a transaction."""
    copy, there = _relations(connection, "copy"), _relations(connection, "lake")
    if not any(name.startswith('"marts".') for name in copy):
        raise HealthError("Nothing has been scored yet. Run `health load` and `health build`.")
    ours = _recorded(connection, there)
    if foreign := sorted((there.keys() & copy.keys()) - ours):
        raise HealthError(
            f"{', '.join(map(_plain, foreign))}: this lake already has that, and it is not of our "
            "making. Rename it, or publish to a lake of its own."
        )
    published = Published()
    for name in sorted(ours & there.keys()):
        if name not in copy:
            published.gone.append(_plain(name))
        if name not in copy or copy[name].kind != there[name].kind:
            connection.execute(f"drop {there[name].kind} lake.{name}")
    for name, one in copy.items():
        if one.kind == "table":
            _table(connection, name, one, there.get(name), published)
    views = {name: one for name, one in copy.items() if one.kind == "view"}
    published.views = [_plain(name) for name in views]
    changed = {name: one for name, one in views.items() if one != there.get(name)}
    _make_views(connection, changed)
    _record(connection, published)
    said = f"{len(published.written)} tables written"
    connection.execute(f"call lake.set_commit_message('customer health', '{said}')")
    return published


def _relations(connection: duckdb.DuckDBPyConnection, database: str) -> dict[str, _Relation]:
    """The tables and views of a database by quoted schema and name; not our record."""
    columns: dict[str, list[tuple[str, str, str | None]]] = {}
    for schema, table, *column in connection.execute(
        "select schema_name, table_name, column_name, data_type, comment from duckdb_columns() "
        "where database_name = ? order by schema_name, table_name, column_index",
        [database],
    ).fetchall():
        columns.setdefault(_name(schema, table), []).append((column[0], column[1], column[2]))
    found = {
        _name(schema, table): _Relation("table", comment, tuple(columns[_name(schema, table)]))
        for schema, table, comment in connection.execute(
            "select schema_name, table_name, comment from duckdb_tables() "
            "where database_name = ? order by all",
            [database],
        ).fetchall()
    }
    for schema, view, comment, sql in connection.execute(
        "select schema_name, view_name, comment, sql from duckdb_views() "
        "where database_name = ? and not internal order by all",
        [database],
    ).fetchall():
        # DuckLake gives a view back without its schema, and knows no descriptions of its columns.
        body = re.sub(r"^CREATE VIEW \S+ AS ", "", sql.strip(" \n;"))
        found[_name(schema, view)] = _Relation("view", comment, body=body)
    found.pop(_name(*RECORD.split(".")[1:]), None)
    return found


def _recorded(connection: duckdb.DuckDBPyConnection, there: dict[str, _Relation]) -> set[str]:
    """The relations of the lake that are ours; the record is made where it is missing."""
    _, schema, name = RECORD.split(".")
    if connection.execute(
        "select 1 from duckdb_tables() where (database_name, schema_name, table_name) = "
        "('lake', ?, ?)",
        [schema, name],
    ).fetchone():
        named = {n for (n,) in connection.execute(f"select relation from {RECORD}").fetchall()}
        return {name for name in there if _plain(name) in named}
    connection.execute(
        f"create table {RECORD} (relation varchar, row_count bigint, published_at timestamp)"
    )
    connection.execute(f"comment on table {RECORD} is 'What Customer health published, and when.'")
    for column, comment in RECORD_COLUMNS.items():
        connection.execute(f"comment on column {RECORD}.{column} is {literal(comment)}")
    return set()


def _table(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    one: _Relation,
    there: _Relation | None,
    published: Published,
) -> None:
    """Write a table anew, unless the lake has it with these rows and these words."""
    mark = _mark(connection, f"copy.{name}")
    published.rows[_plain(name)] = mark[0]
    if one == there and mark == _mark(connection, f"lake.{name}"):
        return
    # A new table each time: the least and greatest values that the catalogue keeps of a column
    # would else outlive the rows, and with them a person who was forgotten.
    connection.execute(f"create schema if not exists lake.{name.partition('.')[0]}")
    connection.execute(f"create or replace table lake.{name} as from copy.{name}")
    if one.comment:
        connection.execute(f"comment on table lake.{name} is {literal(one.comment)}")
    for column, _, comment in one.columns:
        if comment:
            connection.execute(
                f"comment on column lake.{name}.{quoted(column)} is {literal(comment)}"
            )
    published.written.append(_plain(name))


def _mark(connection: duckdb.DuckDBPyConnection, relation: str) -> tuple[int, Any]:
    """What tells one state of a table from the next: its rows, and the sum of their hashes."""
    found = connection.execute(
        f"select count(*), sum(hash(rows)) from {relation} as rows"
    ).fetchone()
    assert found is not None
    return found[0], found[1]


def _make_views(connection: duckdb.DuckDBPyConnection, views: dict[str, _Relation]) -> None:
    """Make each view once what it reads is there, in whatever order that takes."""
    # Views name schema and table alone (macros/dialect/views.sql).
    connection.execute("use lake")
    waiting = dict(views)
    while waiting:
        before = len(waiting)
        for name, one in list(waiting.items()):
            try:
                connection.execute(f"create or replace view {name} as {one.body}")
            except duckdb.CatalogException:
                if len(waiting) == 1:
                    raise
                continue
            if one.comment:
                connection.execute(f"comment on view {name} is {literal(one.comment)}")
            del waiting[name]
        if len(waiting) == before:
            raise HealthError(f"{', '.join(map(_plain, waiting))}: what they read is not there.")


def _record(connection: duckdb.DuckDBPyConnection, published: Published) -> None:
    """Write down what stands there now."""
    now = f"timestamp '{datetime.now(UTC).replace(tzinfo=None).isoformat()}'"
    counts = [*published.rows.items(), *((name, "null") for name in published.views)]
    listed = ", ".join(f"({literal(name)}, {rows}, {now})" for name, rows in counts)
    connection.execute(f"delete from {RECORD}")
    connection.execute(f"insert into {RECORD} values {listed}")


def _expire(connection: duckdb.DuckDBPyConnection, days: int) -> None:
    """Let snapshots go that are older than `days`, and later the files that only they had."""
    before = f"now() - interval '{days} days'"
    connection.execute(f"call ducklake_expire_snapshots('lake', older_than => {before})")
    which = f"older_than => now() - interval '{GRACE}'" if days else "cleanup_all => true"
    connection.execute(f"call ducklake_cleanup_old_files('lake', {which})")


def _name(schema: str, table: str) -> str:
    return f"{quoted(schema)}.{quoted(table)}"


def _plain(name: str) -> str:
    """A quoted name as people write it: `marts.orders`."""
    return name.strip('"').replace('"."', ".").replace('""', '"')
