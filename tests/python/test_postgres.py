"""The marts in Postgres: what arrives, who may read it, and that nobody is locked out or fooled."""

# No `from __future__ import annotations`: Dagster reads the types of steps as they stand.
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import postgres_server
import pytest
from conftest import SHOP_END, require, run_health
from postgres_server import Server
from push_warehouse import query
from pydantic import SecretStr
from test_serving import execute

from orchestration.errors import HealthError
from orchestration.publish import postgres, postgres_tables
from orchestration.publish.assets import POSTGRES, make_postgres_assets
from orchestration.publish.postgres import Published, publish_postgres
from orchestration.publish.postgres_marts import keys_of
from orchestration.publish.postgres_run import manifest_of, publish_configured
from orchestration.publish.postgres_session import opened
from orchestration.publish.serving import copy_marts
from orchestration.settings import Settings, settings

READER = "health_reader"
DAY = date(2026, 10, 31)
KEYS = {
    "customers": ("customer_key",),
    "history": ("customer_key", "as_of_date"),
    "scored_days": ("shop_id", "as_of_date"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    require(postgres_server.is_there(), postgres_server.NEEDS)
    with postgres_server.running() as found:
        yield found


@pytest.fixture
def url(server: Server, request: pytest.FixtureRequest) -> SecretStr:
    """An empty database of the test's own."""
    name = re.sub(r"\W+", "_", request.node.name.lower())[-50:].strip("_")
    return server.create(f"t_{name}")


def fill(copy: Path, version: int, customers: int = 20, days: int = 3) -> None:
    """A copy whose customers and days all bear a version; the money of both is the same."""
    money = f"cast(i * 0.01 + {version} as decimal(18, 2))"
    execute(
        copy,
        "create schema if not exists marts",
        "create or replace table marts.customers as select 'shop' as shop_id, "
        f"'shop:' || i as customer_key, {version} as version, {money} as monetary "
        f"from range({customers}) as t (i)",
        "create or replace table marts.history as select 'shop' as shop_id, "
        "'shop:' || i as customer_key, "
        f"cast(date '{DAY}' - cast(d as integer) as date) as as_of_date, {version} as version, "
        f"{money} as monetary from range({customers}) as t (i), range({days}) as u (d)",
        "create or replace table marts.scored_days as "
        "select distinct shop_id, as_of_date from marts.history",
    )


def put(copy: Path, url: SecretStr, days: int = 35, **options: Any) -> Published:
    keys = options.pop("keys", KEYS)
    return publish_postgres(copy, url, reader=READER, days=days, keys=keys, **options)


def rows(url: SecretStr, sql: str) -> list[tuple[Any, ...]]:
    with opened(url) as session:
        return session.rows(sql)


def touched(published: Published) -> tuple[int, int]:
    """Rows deleted and inserted in all tables."""
    return (
        sum(table.deleted for table in published.tables),
        sum(table.inserted for table in published.tables),
    )


# --- what arrives -----------------------------------------------------------------------------

TYPES = {
    "BIGINT": "bigint", "BOOLEAN": "boolean", "DATE": "date", "DOUBLE": "double precision",
    "HUGEINT": "numeric(38,0)", "INTEGER": "integer", "VARCHAR": "text", "VARCHAR[]": "text[]",
    "TIMESTAMP": "timestamp without time zone",
}  # fmt: skip
CATALOGUE = (
    "select c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod) "
    "from pg_attribute as a join pg_class as c on c.oid = a.attrelid where c.relkind = 'r' "
    "and c.relnamespace = 'marts'::regnamespace and a.attnum > 0 and not a.attisdropped "
    "and c.relname <> 'published_marts' order by c.relname::text collate \"C\", a.attnum"
)
WORDS = (
    "select c.relname::text, coalesce(a.attname::text, ''), d.description from pg_description as d "
    "join pg_class as c on c.oid = d.objoid and d.classoid = 'pg_class'::regclass "
    "left join pg_attribute as a on a.attrelid = c.oid and a.attnum = d.objsubid and a.attnum > 0 "
    "where c.relnamespace = 'marts'::regnamespace and c.relname <> 'published_marts'"
)


def test_every_mart_of_a_shop_arrives_whole_typed_keyed_and_described(
    warehouse: Path, url: SecretStr, tmp_path: Path
) -> None:
    copy = copy_marts(warehouse, tmp_path / "copy.duckdb").path
    keys = keys_of(manifest_of(warehouse))
    begin = SHOP_END - timedelta(days=2)
    first = put(copy, url, days=3, keys=keys)
    columns = query(
        copy,
        "select table_name, column_name, data_type from duckdb_columns() "
        "where schema_name = 'marts' order by table_name, column_index",
    )
    expected = [
        (t, c, TYPES.get(kind) or kind.lower().replace("decimal", "numeric").replace(" ", ""))
        for t, c, kind in columns
    ]
    assert rows(url, CATALOGUE) == expected
    assert {kind for _, _, kind in expected} >= {"date", "numeric(18,2)", "numeric(38,10)"}

    by_table: dict[str, list[tuple[str, str]]] = {}
    for table, column, kind in expected:
        by_table.setdefault(table, []).append((column, kind))
    assert [table.name for table in first.tables] == list(by_table)
    for table, its in by_table.items():
        window = f" where as_of_date >= date '{begin}'" if ("as_of_date", "date") in its else ""
        sums = ["count(*)"] + [
            f'sum("{column}")' for column, kind in its if kind.startswith("numeric")
        ]
        mine = f"select {', '.join(f'cast({one} as varchar)' for one in sums)} from marts.{table}"
        [theirs] = rows(url, mine)
        [ours] = query(copy, mine + window)
        assert [v and Decimal(v) for v in theirs] == [v and Decimal(v) for v in ours], table
    assert "customer_score_history begins on 2026-10-29" in first.left_out

    described = {
        (table, column): comment
        for table, column, comment in query(
            copy,
            "select table_name, column_name, comment from duckdb_columns() "
            "where schema_name = 'marts' and comment is not null union all "
            "select table_name, '', comment from duckdb_tables() where schema_name = 'marts' "
            "and comment is not null union all select view_name, '', comment from duckdb_views() "
            "where schema_name = 'marts' and comment is not null",
        )
    }
    assert {(t, c): words for t, c, words in rows(url, WORDS)} == described
    assert len(described) > len(expected)
    found = dict(
        rows(
            url,
            "select c.relname::text, (select string_agg(a.attname, ',' order by k.place) "
            "from unnest(i.indkey::int2[]) with ordinality as k (attnum, place) "
            "join pg_attribute as a on a.attrelid = c.oid and a.attnum = k.attnum) "
            "from pg_index as i join pg_class as c on c.oid = i.indrelid where i.indisprimary "
            "and c.relnamespace = 'marts'::regnamespace and c.relname <> 'published_marts'",
        )
    )
    assert found == {name: ",".join(key) for name, key in keys.items() if name in by_table}
    assert set(found) == set(by_table)
    # Twice published is the same, and writes nothing.
    before = rows(
        url, "select md5(string_agg(s::text, '' order by s)) from marts.customer_scores s"
    )
    assert touched(put(copy, url, days=3, keys=keys)) == (0, 0)
    assert before == rows(
        url, "select md5(string_agg(s::text, '' order by s)) from marts.customer_scores s"
    )


def test_odd_types_names_and_nulls_arrive_as_they_are(url: SecretStr, tmp_path: Path) -> None:
    copy = tmp_path / "copy.duckdb"
    execute(
        copy,
        "create schema marts",
        'create table marts."Odd one" (k varchar, "a ""b" varchar[], seen timestamp, tiny tinyint, '
        "huge hugeint, unsigned ubigint, said json, mood enum ('good', 'bad'), r float, "
        "amount decimal(38, 10), z timestamptz, b blob)",
        "insert into marts.\"Odd one\" values ('', ['x', null, 'ü''\"'], "
        "timestamp '2026-10-31 23:59:59.123456', -128, 12345678901234567890123, "
        "18446744073709551615, '{\"a\": 1}', 'bad', 0.1, 1234567890.0123456789, "
        "timestamptz '2026-10-31 00:00:00+02', '\\x00\\xaba'::blob), "
        "(null, null, null, null, null, null, null, null, null, null, null, null)",
        "create table marts.twice as select 1 as a, null::varchar as b from range(2)",
    )
    keys = {"Odd one": ("k",), "twice": ("b_is_gone",)}
    put(copy, url, keys=keys)
    assert [(c, kind) for t, c, kind in rows(url, CATALOGUE) if t == "Odd one"] == [
        ("k", "text"), ('a "b', "text[]"), ("seen", "timestamp without time zone"),
        ("tiny", "smallint"), ("huge", "numeric(38,0)"), ("unsigned", "numeric(38,0)"),
        ("said", "text"), ("mood", "text"), ("r", "real"), ("amount", "numeric(38,10)"),
        ("z", "timestamp with time zone"), ("b", "bytea"),
    ]  # fmt: skip
    [row] = rows(
        url,
        'select k, "a ""b"[3], seen::text, tiny, huge::text, unsigned::text, '
        "said::jsonb ->> 'a', mood, r::text, amount::text, (z at time zone 'UTC')::text, "
        "encode(b, 'hex') from marts.\"Odd one\" where k is not null",
    )
    assert row == (
        "", "ü'\"", "2026-10-31 23:59:59.123456", -128, "12345678901234567890123",
        "18446744073709551615", "1", "bad", "0.1", "1234567890.0123456789",
        "2026-10-30 22:00:00", "00ab61",
    )  # fmt: skip
    # Neither a null in a key nor two rows that are the same are written anew.
    assert touched(put(copy, url, keys=keys)) == (0, 0)
    assert rows(url, "select count(*) from marts.twice") == [(2,)]
    execute(copy, "insert into marts.twice values (2, 'x')", 'delete from marts."Odd one"')
    assert touched(put(copy, url, keys=keys)) == (4, 3)


def test_only_what_changed_is_written_and_what_is_gone_goes(url: SecretStr, tmp_path: Path) -> None:
    copy = tmp_path / "copy.duckdb"
    fill(copy, 1)
    assert touched(put(copy, url)) == (0, 20 + 60 + 3)
    execute(
        copy,
        "update marts.customers set version = 2 where customer_key = 'shop:1'",
        "delete from marts.customers where customer_key = 'shop:2'",
        "insert into marts.customers values ('shop', 'shop:new', 2, 0)",
        "drop table marts.history",
    )
    published = put(copy, url)
    assert touched(published) == (2, 2)
    assert published.gone == ["history"]
    assert rows(url, "select count(*) from marts.history") == [(0,)]
    said = rows(url, "select mart, row_count, first_day from marts.published_marts order by mart")
    assert said == [("customers", 20, None), ("history", 0, None), ("scored_days", 3, None)]
    [(moments,)] = rows(url, "select count(distinct published_at) from marts.published_marts")
    assert moments == 1


def test_a_smaller_window_takes_days_away_and_writes_none(url: SecretStr, tmp_path: Path) -> None:
    copy = tmp_path / "copy.duckdb"
    fill(copy, 1)
    put(copy, url)
    assert touched(put(copy, url, days=2)) == (20 + 1, 0)
    begin = [(DAY - timedelta(days=1),)]
    assert rows(url, "select min(as_of_date) from marts.history") == begin
    assert rows(url, "select first_day from marts.published_marts where mart = 'history'") == begin


def test_each_shop_has_its_own_last_days(url: SecretStr, tmp_path: Path) -> None:
    copy = tmp_path / "copy.duckdb"
    fill(copy, 1, customers=1, days=9)
    execute(
        copy,
        "insert into marts.history select 'ot''her', 'other:1', as_of_date - 100, 1, 0 "
        "from marts.history",
        "insert into marts.scored_days select distinct shop_id, as_of_date from marts.history "
        "where shop_id <> 'shop'",
    )
    published = put(copy, url, days=2)
    assert rows(
        url, "select shop_id, min(as_of_date), count(*) from marts.history group by 1 order by 1"
    ) == [("ot'her", DAY - timedelta(days=101), 2), ("shop", DAY - timedelta(days=1), 2)]
    assert published.left_out == [
        "history begins on 2026-07-22", "scored_days begins on 2026-07-22",
    ]  # fmt: skip


def test_more_rows_than_a_slice_arrive_once_each(
    url: SecretStr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "SLICE", 7)
    copy, told = tmp_path / "copy.duckdb", []
    fill(copy, 1)
    put(copy, url, report=lambda *said: told.append(said))
    assert told[:3] == [("customers", 7, 20), ("customers", 14, 20), ("customers", 20, 20)]
    counts = "select count(*), count(distinct customer_key) from marts.customers"
    assert rows(url, counts) == [(20, 20)]


# --- readers ----------------------------------------------------------------------------------


def test_readers_may_read_and_nothing_else_and_the_public_nothing(
    server: Server, url: SecretStr, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.duckdb"
    fill(copy, 1)
    put(copy, url)
    name = url.get_secret_value().split("?")[0].rpartition("/")[2]
    server.execute(
        "create role looker login in role health_reader", "create role stranger login",
        database=name,
    )  # fmt: skip
    execute(copy, "create table marts.later as select 1 as a")
    put(copy, url)
    looker, stranger = server.url(name, "looker"), server.url(name, "stranger")
    for table in ("customers", "later", "published_marts"):
        assert rows(looker, f"select count(*) > 0 from marts.{table}") == [(True,)]
    for who, statement in (
        (looker, "delete from marts.customers"),
        (looker, "insert into marts.later values (2)"),
        (looker, "create table marts.mine (a int)"),
        (stranger, "select * from marts.customers"),
    ):
        with opened(who) as session, pytest.raises(HealthError, match="permission denied"):
            session.run(statement)
    [(login,)] = rows(url, "select rolcanlogin from pg_roles where rolname = 'health_reader'")
    assert login is False


def test_a_reader_who_is_open_all_day_keeps_what_they_saw_and_blocks_nobody(
    url: SecretStr, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.duckdb"
    fill(copy, 1)
    put(copy, url)
    both = "select (select max(version) from marts.customers), max(version) from marts.history"
    with opened(url) as all_day:
        all_day.run("set transaction isolation level repeatable read")
        assert all_day.rows("select min(version) from marts.customers") == [(1,)]
        for version in (2, 3):
            fill(copy, version)
            # Were a lock in the way, this would end after its timeout with an error.
            put(copy, url)
            assert rows(url, both) == [(version, version)]
            # Of `history` nothing had been read before: it is neither empty nor of today.
            assert all_day.rows(both) == [(1, 1)]
            assert all_day.rows("select count(*) from marts.history") == [(60,)]


def test_a_new_column_waits_for_nobody_for_long_and_says_for_whom(
    url: SecretStr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_tables, "LOCK_TIMEOUT", "100ms")
    copy = tmp_path / "copy.duckdb"
    fill(copy, 1)
    put(copy, url)
    with opened(url) as session:
        session.run("create view public.top as select customer_key, version from marts.customers")
        session.commit()
    execute(
        copy,
        "alter table marts.customers add column tags varchar[]",
        "update marts.customers set tags = ['a'], version = 2",
    )
    with opened(url) as all_day:
        all_day.rows("select count(*) from marts.customers")
        [(pid,)] = all_day.rows("select pg_backend_pid()")
        with pytest.raises(HealthError, match=rf"waits for who reads it: {pid} \(publisher, idle"):
            put(copy, url)
    assert rows(url, "select max(version) from marts.customers") == [(1,)]
    put(copy, url)
    # The shop's own view is there, and shows what is new.
    assert rows(url, "select distinct version from public.top") == [(2,)]
    assert rows(url, "select distinct tags[1] from marts.customers") == [("a",)]


def test_columns_that_go_or_change_their_type_do_so_unless_something_stands_on_them(
    url: SecretStr, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.duckdb"
    fill(copy, 1)
    put(copy, url)
    with opened(url) as session:
        session.run("create view public.top as select customer_key, monetary from marts.customers")
        session.commit()
    execute(
        copy,
        "alter table marts.customers alter monetary type decimal(18, 4)",
        "alter table marts.history drop column version",
        # Part of the key, of another type.
        "alter table marts.history alter as_of_date type timestamp",
    )
    with pytest.raises(HealthError, match=r"something of yours is built on it: .*view top depends"):
        put(copy, url)
    assert rows(url, "select max(version) from marts.history") == [(1,)]
    with opened(url) as session:
        session.run("drop view public.top")
        session.commit()
    put(copy, url)
    now = {(t, c): kind for t, c, kind in rows(url, CATALOGUE)}
    assert now["customers", "monetary"] == "numeric(18,4)"
    assert now["history", "as_of_date"] == "timestamp without time zone"
    assert ("history", "version") not in now
    assert rows(url, "select count(*), count(as_of_date) from marts.history") == [(60, 60)]
    assert touched(put(copy, url)) == (0, 0)


# --- what goes wrong --------------------------------------------------------------------------

KILLED = """
import sys
from pathlib import Path
from pydantic import SecretStr
from test_postgres import put

def report(mart, done, total):
    print(mart, flush=True)
    if mart == sys.argv[3]:
        sys.stdin.read()

put(Path(sys.argv[1]), SecretStr(sys.argv[2]), report=report)
"""


def test_a_killed_publisher_leaves_the_old_state_and_stands_in_nobodys_way(
    url: SecretStr, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.duckdb"
    fill(copy, 1)
    put(copy, url)
    fill(copy, 2)
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(copy), url.get_secret_value(), "history"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent,
    ) as killed:  # fmt: skip
        assert killed.stdout
        assert [killed.stdout.readline() for _ in range(2)] == ["customers\n", "history\n"]
        killed.kill()
    assert rows(url, "select distinct version from marts.history") == [(1,)]
    assert touched(put(copy, url)) == (80, 80)
    assert rows(url, "select distinct version from marts.customers") == [(2,)]


def test_what_postgres_refuses_is_said_in_a_sentence_and_changes_nothing(
    server: Server, url: SecretStr, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.duckdb"
    name = url.get_secret_value().split("?")[0].rpartition("/")[2]
    with pytest.raises(HealthError, match="There is no copy for readers"):
        put(copy, url)
    fill(copy, 1)
    server.execute("create role nobody_special login", database=name)
    with pytest.raises(HealthError, match=r"does not let the user .*permission denied for databas"):
        put(copy, server.url(name, "nobody_special"))
    server.execute("create schema marts; create view marts.customers as select 1", database=name)
    with pytest.raises(HealthError, match=r"marts\.customers: this database already has that"):
        put(copy, url)
    server.execute(
        "drop view marts.customers; "
        f"alter schema marts owner to nobody_special; grant temp on database {name} to public; "
        "alter role nobody_special nocreaterole",
        database=name,
    )
    with pytest.raises(HealthError, match="The role unheard_of is missing and we may not create"):
        publish_postgres(
            copy, server.url(name, "nobody_special"), reader="unheard_of", days=9, keys=KEYS
        )
    put(copy, url)
    fill(copy, 2)
    # What a full disk looks like to us; a real one is not to be had in a test.
    server.execute(
        "create function public.no_room() returns trigger language plpgsql as $$ begin "
        "raise exception using errcode = '53100', "
        "message = 'could not extend file: No space left'; end $$",
        "create trigger no_room before insert on marts.history execute function public.no_room()",
        database=name,
    )
    with pytest.raises(HealthError, match="no room left: could not extend file: No space left"):
        put(copy, url)
    assert rows(url, "select distinct version from marts.customers") == [(1,)]
    server.execute("drop trigger no_room on marts.history", database=name)
    execute(copy, "insert into marts.customers from marts.customers limit 1")
    with pytest.raises(HealthError, match=r"Two rows bear one key: .*\(shop:0\) already exists"):
        put(copy, url)
    server.execute(f"alter database {name} set default_transaction_read_only = on")
    with pytest.raises(HealthError, match="takes no writes: cannot execute"):
        put(copy, url)


def test_personal_data_stays(url: SecretStr, tmp_path: Path) -> None:
    copy = tmp_path / "copy.duckdb"
    fill(copy, 1)
    execute(copy, "alter table marts.customers add column Email varchar")
    with pytest.raises(HealthError, match=r"marts\.customers\.Email: personal data stays"):
        put(copy, url)
    assert rows(url, "select 1 from pg_namespace where nspname = 'marts'") == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("postgresql://me:s3cret@127.0.0.1:1/shop", "127.0.0.1/shop cannot be reached"),
        ("postgresql://me:s3cret@127.0.0.1:x/shop", "cannot be reached: .*invalid"),
        ("postgresql://me@127.0.0.1:1/shop?password=s3cret", "cannot be reached"),
        ("postgresql://me:s3%63ret@[::1/shop", "cannot be reached"),
        ("postgresql://me:s3cret/@x@127.0.0.1/shop", "characters that a URL escapes"),
        ("host=localhost password=s3cret", "wants a URL like"),
    ],
)
def test_a_server_that_cannot_be_reached_is_named_without_the_password(
    text: str, sentence: str, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.duckdb"
    fill(copy, 1)
    with pytest.raises(HealthError, match=sentence) as told:
        put(copy, SecretStr(text))
    assert "s3cret" not in str(told.value)
    assert "s3%63ret" not in str(told.value)
    assert "\n" not in str(told.value)


# --- the command and the asset ----------------------------------------------------------------


def test_settings_say_where_to_and_show_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALTH_POSTGRES_URL", "")
    assert Settings().postgres_url is None
    monkeypatch.setenv("HEALTH_POSTGRES_URL", "postgresql://me:s3cret@x/y")
    monkeypatch.setenv("HEALTH_POSTGRES_DAYS", "7")
    now = Settings()
    assert (now.postgres_days, now.postgres_reader) == (7, READER)
    assert "s3cret" not in repr(now)
    monkeypatch.setenv("HEALTH_POSTGRES_DAYS", "0")
    with pytest.raises(HealthError, match="HEALTH_POSTGRES_DAYS wants a whole number of days"):
        Settings()


def test_publish_says_rows_and_seconds_of_each_mart(
    warehouse: Path, url: SecretStr, tmp_path: Path
) -> None:
    done = run_health(
        "publish", "--out", str(tmp_path / "report.html"), warehouse=warehouse,
        HEALTH_SERVING_PATH=str(tmp_path / "copy.duckdb"), HEALTH_POSTGRES_DAYS="2",
        HEALTH_POSTGRES_URL=url.get_secret_value(),
    )  # fmt: skip
    [(there,)] = rows(url, "select count(*) from marts.customer_scores")
    line = next(part for part in done.stdout.splitlines() if "customer_scores" in part)
    assert re.search(rf"customer_scores\s*│\s*{there}\s*│\s*{there}\s*│\s*0\s*│\s*\d+\.\d", line)
    assert "2026-10-30" in done.stdout
    assert postgres_server.PASSWORD not in done.stdout + done.stderr


@pytest.fixture
def configured(
    url: SecretStr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], dg.ExecuteInProcessResult]]:
    """`configured()`: make the asset of Postgres, with a copy beside a warehouse."""
    monkeypatch.setenv("DUCKDB_PATH", str(tmp_path / "w.duckdb"))
    monkeypatch.setenv("HEALTH_SERVING_PATH", str(tmp_path / "copy.duckdb"))
    monkeypatch.setenv("HEALTH_POSTGRES_URL", url.get_secret_value())
    settings.cache_clear()
    fill(tmp_path / "w.duckdb", 1)
    copy_marts(tmp_path / "w.duckdb", tmp_path / "copy.duckdb")
    folder = tmp_path / ".w.dbt"
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps({"nodes": {}}))

    def run() -> dg.ExecuteInProcessResult:
        days = dg.DailyPartitionsDefinition("2026-10-01", end_date="2026-11-01")
        return dg.materialize(
            make_postgres_assets(days), partition_key=str(DAY), raise_on_error=False
        )

    yield run
    settings.cache_clear()


def test_the_asset_publishes_the_copy_unless_the_scores_are_held_back(
    configured: Callable[[], dg.ExecuteInProcessResult], url: SecretStr, tmp_path: Path
) -> None:
    done = configured()
    assert done.success
    [made] = [e for e in done.get_asset_materialization_events() if e.asset_key == POSTGRES]
    said = {name: value.value for name, value in made.materialization.metadata.items()}
    assert (said["rows"], said["written"], said["left out"]) == (83, 83, "nothing")
    execute(
        tmp_path / "w.duckdb",
        "create schema quality",
        "create table quality.score_shift as select 'shop: it shifted.' as problem",
    )
    fill(tmp_path / "copy.duckdb", 2)
    [failure] = [e for e in configured().all_events if e.is_step_failure]
    assert failure.step_failure_data.user_failure_data.description == (
        "Postgres keeps what it has. shop: it shifted."
    )
    assert rows(url, "select distinct version from marts.customers") == [(1,)]


def test_without_a_url_there_is_nothing_to_publish_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEALTH_POSTGRES_URL", raising=False)
    settings.cache_clear()
    assert publish_configured(settings()) is None
    assert make_postgres_assets(dg.DailyPartitionsDefinition("2026-10-01")) == []


def test_a_session_gives_back_what_was_not_committed(url: SecretStr) -> None:
    with opened(url) as session:
        session.run("create table public.gone (a int)")
    assert rows(url, "select 1 where to_regclass('public.gone') is not null") == []
