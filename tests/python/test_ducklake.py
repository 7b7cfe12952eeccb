"""The copy for readers as a DuckLake: what arrives, what readers see, and that one writes."""

# No `from __future__ import annotations`: Dagster reads the types of steps as they stand.
import io
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import postgres_server
import pytest
from conftest import SHOP_END, build_models, require, run_health
from postgres_server import Server
from pydantic import SecretStr
from rich.console import Console
from test_postgres import DAY
from test_postgres import fill as fill_marts
from test_serving import execute

from orchestration.errors import HealthError
from orchestration.privacy import forget
from orchestration.publish import ducklake, ducklake_session
from orchestration.publish.assets import DUCKLAKE, make_ducklake_assets
from orchestration.publish.ducklake import Published, publish_lake
from orchestration.publish.serving import copy_marts
from orchestration.settings import Settings, settings
from orchestration.transform.build import target_path

HERE = Path(__file__).parent
READER = """
import json, sys, time
from pathlib import Path
import duckdb
from orchestration.publish.ducklake_session import extension_files

url, kind, stop = sys.argv[1:]
lake = duckdb.connect(config={"autoinstall_known_extensions": "false"})
for path in extension_files():
    lake.execute(f"load '{path}'")
lake.execute(f"attach 'ducklake:postgres:{url}' as lake (read_only)")

def look():
    names = lake.execute("select relation from lake.published order by all").fetchall()
    mark = "select count(*), sum(hash(rows))::varchar from lake.{} as rows"
    # Others compute here too.
    time.sleep(0.1)
    return {name: lake.execute(mark.format(name)).fetchone() for name, in names}

def busy():
    # Every pass is a transaction of its own.
    while not Path(stop).exists():
        lake.execute("begin")
        print(json.dumps(look()), flush=True)
        lake.execute("commit")

def patient():
    # One transaction as long as the writer writes, and one after it.
    lake.execute("begin")
    while not Path(stop).exists():
        print(json.dumps(look()), flush=True)
    lake.execute("commit")
    print(json.dumps(look()), flush=True)

{"busy": busy, "patient": patient}[kind]()
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    require(postgres_server.is_there(), postgres_server.NEEDS)
    try:
        ducklake_session.extension_files()
    except HealthError as error:
        require(False, f"DuckLake ({error})")
    with postgres_server.running() as found:
        yield found


@pytest.fixture
def url(server: Server, request: pytest.FixtureRequest) -> SecretStr:
    """An empty database of the test's own."""
    name = re.sub(r"\W+", "_", request.node.name.lower())[-50:].strip("_")
    return server.create(f"l_{name}")


@pytest.fixture
def put(url: SecretStr, tmp_path: Path) -> Callable[..., Published]:
    """`put(copy)`: publish a copy to the lake of the test."""

    def publish(copy: Path, days: int = 30) -> Published:
        return publish_lake(copy, url, tmp_path / "lake", days=days)

    return publish


def attached(url: SecretStr, options: str = "read_only") -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"autoinstall_known_extensions": "false"})
    for path in ducklake_session.extension_files():
        connection.execute(f"load '{path}'")
    text = url.get_secret_value()
    options = f" ({options})" if options else ""
    connection.execute(f"attach 'ducklake:postgres:{text}' as lake{options}")
    return connection


def rows(url: SecretStr, sql: str, options: str = "read_only") -> list[tuple[Any, ...]]:
    with attached(url, options) as connection:
        return connection.execute(sql).fetchall()


def fill(copy: Path, version: int) -> None:
    """Three tables, of which two bear the version, and a view of one of these."""
    fill_marts(copy, version)
    execute(
        copy,
        "create or replace view marts.latest as select version, count(*) as n "
        "from marts.customers group by version",
        "comment on view marts.latest is 'How many.'",
        "comment on column marts.customers.version is 'Which ''one''.'",
    )


def marks(copy: Path) -> dict[str, list[Any]]:
    """What a reader sees of a copy: rows of each relation, and the sum of their hashes."""
    with duckdb.connect(str(copy), read_only=True) as connection:
        names = [
            name
            for (name,) in connection.execute(
                "select distinct schema_name || '.' || table_name from duckdb_columns() "
                "where not internal order by all"
            ).fetchall()
        ]
        return {
            name: list(
                connection.execute(
                    f"select count(*), sum(hash(rows))::varchar from {name} as rows"
                ).fetchone()
                or ()
            )
            for name in names
        }


def differing(copy: Path, url: SecretStr) -> tuple[int, int, dict[str, int]]:
    """Relations and cells that were compared with the copy, and rows that only one side has."""
    with attached(url) as connection:
        connection.execute(f"attach '{copy}' as copy (read_only)")
        described = (
            "select schema_name, table_name, list((column_name, data_type) order by column_index) "
            "from duckdb_columns() where database_name = ? and schema_name <> 'main' group by all "
            "order by all"
        )
        shapes = connection.execute(described, ["copy"]).fetchall()
        assert connection.execute(described, ["lake"]).fetchall() == shapes
        cells, found = 0, {}
        for schema, name, columns in shapes:
            ours, theirs = (f'(from {side}.{schema}."{name}")' for side in ("copy", "lake"))
            count, apart = connection.execute(
                f"select (select count(*) from {ours}), (select count(*) from "
                f"(({ours} except all {theirs}) union all ({theirs} except all {ours})))"
            ).fetchone() or (0, 0)
            cells += count * len(columns)
            if apart:
                found[f"{schema}.{name}"] = apart
        return len(shapes), cells, found


# --- a shop --------------------------------------------------------------------------------------


def test_readers_on_two_machines_see_one_day_or_the_next_whole(
    warehouse: Path, url: SecretStr, put: Callable[..., Published], tmp_path: Path
) -> None:
    ours = tmp_path / "shop" / warehouse.name
    ours.parent.mkdir()
    shutil.copy(warehouse, ours)
    shutil.copytree(target_path(warehouse), target_path(ours))
    before = copy_marts(ours, tmp_path / "before.duckdb").path
    next_day = SHOP_END + timedelta(days=1)
    build_models(ours, next_day)
    after = copy_marts(ours, tmp_path / "after.duckdb").path
    old, new = marks(before), marks(after)
    changed = {name for name in new if new[name] != old.get(name)}
    assert {
        "marts.scored_days",
        "marts.customer_score_history",
        "history.score_intervals",
    } <= changed

    put(before)
    relations, cells, apart = differing(before, url)
    assert (relations > 35, cells > 500_000, apart) == (True, True, {})
    stop = tmp_path / "stop"
    command = [sys.executable, "-c", READER, url.get_secret_value()]
    # What they say goes to files: a pipe that nobody reads would stop them.
    said = {kind: tmp_path / kind for kind in ("busy", "patient")}
    readers = [
        subprocess.Popen([*command, kind, str(stop)], stdout=path.open("w"), cwd=HERE.parents[1])
        for kind, path in said.items()
    ]
    try:
        for path in said.values():
            await_lines(path, 1)
        for copy in (after, before, after):
            put(copy)
            await_lines(said["busy"], said["busy"].read_text().count("\n") + 2)
        await_lines(said["patient"], said["patient"].read_text().count("\n") + 1)
    finally:
        stop.touch()
        codes = [reader.wait(timeout=60) for reader in readers]
    assert codes == [0, 0]

    busy, patient = (
        [json.loads(line) for line in said[kind].read_text().splitlines()] for kind in said
    )
    assert busy[0] == old
    assert busy[-1] == new
    assert all(one in (old, new) for one in busy)
    # Who stays in a transaction keeps its day, whatever is published meanwhile.
    assert len(patient) > 2
    assert all(one == old for one in patient[:-1])
    assert patient[-1] == new
    assert differing(after, url)[2] == {}
    # The day before is there as it was, under the snapshot of its publish.
    latest = "select max(as_of_date) from lake.marts.scored_days"
    [(snapshot,)] = rows(url, "select max(snapshot_id) from ducklake_snapshots('lake')")
    assert rows(url, latest) == [(next_day,)]
    assert rows(url, latest, f"snapshot_version {snapshot - 1}") == [(SHOP_END,)]


def await_lines(path: Path, count: int) -> None:
    """Wait for a reader to have said so many lines whole."""
    deadline = time.monotonic() + 120
    while path.read_text().count("\n") < count:
        assert time.monotonic() < deadline, path
        time.sleep(0.02)


# --- what is written -----------------------------------------------------------------------------


def test_only_what_changed_is_written_and_what_is_gone_goes(
    url: SecretStr, put: Callable[..., Published], tmp_path: Path
) -> None:
    copy = tmp_path / "copy.duckdb"
    fill(copy, 1)
    first = put(copy)
    assert first.written == list(first.rows) == [
        "marts.customers", "marts.history", "marts.scored_days"
    ]  # fmt: skip
    assert (first.views, sum(first.rows.values())) == (["marts.latest"], 83)
    assert put(copy).written == []

    fill(copy, 2)
    execute(copy, "alter table marts.history add column more varchar[]")
    assert put(copy).written == ["marts.customers", "marts.history"]
    assert rows(url, "from lake.marts.latest") == [(2, 20)]
    assert rows(url, "select distinct version, more from lake.marts.history") == [(2, None)]
    words = "select comment from duckdb_{}() where comment is not null and database_name = 'lake'"
    assert rows(url, f"{words.format('columns')} and table_name = 'customers'") == [
        ("Which 'one'.",)
    ]
    assert rows(url, words.format("views")) == [("How many.",)]

    execute(
        copy,
        "drop view marts.latest",
        "create table marts.latest as select 3 as version",
        "drop table marts.history",
        "comment on column marts.customers.version is 'Another word.'",
    )
    last = put(copy)
    assert (last.written, last.gone) == (["marts.customers", "marts.latest"], ["marts.history"])
    assert last.sentence == "DuckLake: 2 of 3 tables written, marts.history removed."
    assert rows(url, "from lake.marts.latest") == [(3,)]
    published = rows(url, "select relation, row_count from lake.published order by all")
    assert published == [("marts.customers", 20), ("marts.latest", 1), ("marts.scored_days", 3)]


def test_views_come_in_whatever_order_they_read_one_another(
    url: SecretStr, put: Callable[..., Published], tmp_path: Path
) -> None:
    copy = tmp_path / "copy.duckdb"
    fill(copy, 1)
    execute(
        copy,
        "create view marts.z as select n + 1 as n from marts.latest",
        "create view marts.a as select n + 1 as n from marts.z",
    )
    put(copy)
    assert rows(url, "from lake.marts.a") == [(22,)]
    execute(copy, "create or replace view marts.latest as select 40 as n")
    assert put(copy).written == []
    assert rows(url, "from lake.marts.a") == [(42,)]


def test_who_was_forgotten_is_in_no_file_no_snapshot_and_no_word_of_the_catalogue(
    url: SecretStr, put: Callable[..., Published], tmp_path: Path
) -> None:
    copy, person = tmp_path / "copy.duckdb", "aaa:person-who-goes"
    fill(copy, 1)
    execute(copy, f"update marts.customers set customer_key = '{person}' where rowid = 0")
    put(copy)
    assert person in everything(url, tmp_path / "lake")
    execute(copy, f"delete from marts.customers where customer_key = '{person}'")
    put(copy)
    # Without a purge earlier snapshots stay for their days.
    assert person in everything(url, tmp_path / "lake")
    put(copy, days=0)
    assert person not in everything(url, tmp_path / "lake")
    assert len(rows(url, "from ducklake_snapshots('lake')")) == 1
    assert len(list((tmp_path / "lake").rglob("*.parquet"))) == len(rows(url, PUBLISHED))
    assert rows(url, "select count(*) from lake.marts.customers") == [(19,)]


PUBLISHED = "from lake.published where row_count is not null union all values ('', 0, null)"


def everything(url: SecretStr, folder: Path) -> str:
    """All that the catalogue's database and the files hold, as text."""
    dump = subprocess.run(
        [str(postgres_server.binary("pg_dump")), "--dbname", url.get_secret_value()],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    files = [str(path) for path in folder.rglob("*.parquet")]
    return dump + "".join(str(duckdb.sql(f"from '{file}'").fetchall()) for file in files)


# --- one writer ----------------------------------------------------------------------------------

WRITER = """
import sys
from pathlib import Path
from pydantic import SecretStr
from orchestration.publish import ducklake

record = ducklake._record
def slow(*arguments):
    print("at work", flush=True)
    sys.stdin.readline()
    record(*arguments)

ducklake._record = slow
copy, url, folder = sys.argv[1:]
ducklake.publish_lake(Path(copy), SecretStr(url), Path(folder), days=30)
"""


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_second_writer_is_refused_in_a_sentence(
    url: SecretStr, put: Callable[..., Published], tmp_path: Path, is_killed: bool
) -> None:
    copy, other = tmp_path / "copy.duckdb", tmp_path / "other.duckdb"
    fill(copy, 1)
    put(copy)
    fill(copy, 2)
    fill(other, 3)
    command = [sys.executable, "-c", WRITER, str(copy), url.get_secret_value()]
    with subprocess.Popen(
        [*command, str(tmp_path / "lake")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True, cwd=HERE.parents[1],
    ) as first:  # fmt: skip
        assert first.stdout
        assert first.stdin
        assert first.stdout.readline() == "at work\n"
        with pytest.raises(HealthError) as told:
            put(other)
        assert str(told.value) == (
            "Another process is publishing to this lake, which has one writer at a time: let it "
            "end, then publish again. Readers keep what they have."
        )
        assert rows(url, "from lake.marts.latest") == [(1, 20)]
        if is_killed:
            first.kill()
        else:
            first.stdin.write("\n")
            first.stdin.flush()
            assert first.wait(timeout=60) == 0
    assert rows(url, "from lake.marts.latest") == [(1 if is_killed else 2, 20)]
    put(other)
    assert rows(url, "from lake.marts.latest") == [(3, 20)]


def test_who_writes_past_us_is_told_of_and_nothing_of_ours_is_seen(
    url: SecretStr, put: Callable[..., Published], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy.duckdb"
    fill(copy, 1)
    put(copy)
    fill(copy, 2)
    record = ducklake._record

    def meanwhile(*arguments: Any) -> None:
        rows(url, "create or replace table lake.marts.customers as select 9 as version", "")
        record(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(ducklake, "_record", meanwhile)
        with pytest.raises(HealthError, match="Somebody else wrote to the lake meanwhile: let one"):
            put(copy)
    assert rows(url, "from lake.marts.latest") == [(9, 1)]
    put(copy)
    assert rows(url, "from lake.marts.latest") == [(2, 20)]


def test_a_reader_needs_no_right_but_to_select(
    server: Server, url: SecretStr, put: Callable[..., Published], tmp_path: Path
) -> None:
    name = url.get_secret_value().split("?")[0].rpartition("/")[2]
    server.execute("create role analyst login")
    server.execute(
        "grant usage on schema public to analyst",
        "alter default privileges in schema public grant select on tables to analyst",
        database=name,
    )
    copy = tmp_path / "copy.duckdb"
    for version in (1, 2):
        fill(copy, version)
        put(copy)
    analyst = server.url(name, "analyst")
    assert rows(analyst, "from lake.marts.latest") == [(2, 20)]
    with pytest.raises(duckdb.Error, match="permission denied"):
        rows(analyst, "delete from lake.marts.customers", "")
    fill(copy, 3)
    with pytest.raises(HealthError, match="The lake could not be written: permission denied for"):
        publish_lake(copy, analyst, tmp_path / "lake", days=30)
    assert rows(url, "from lake.marts.latest") == [(2, 20)]


# --- sentences -----------------------------------------------------------------------------------


def test_what_can_be_put_right_is_said_in_a_sentence(
    url: SecretStr, put: Callable[..., Published], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy.duckdb"
    with pytest.raises(HealthError, match="There is no copy for readers"):
        put(copy)
    execute(copy, "create schema marts")
    with pytest.raises(HealthError, match="Nothing has been scored yet"):
        put(copy)
    fill(copy, 1)
    put(copy)
    with pytest.raises(HealthError, match=r"keeps its files in .*/lake/, not in .*/elsewhere: set"):
        publish_lake(copy, url, tmp_path / "elsewhere", days=30)
    rows(url, "create table lake.marts.mine as select 1 as a", "")
    execute(copy, "create table marts.mine as select 2 as a")
    with pytest.raises(HealthError, match=r"^marts\.mine: this lake already has that, and it is"):
        put(copy)
    rows(url, "drop table lake.marts.mine", "")
    execute(copy, "alter table marts.mine add column email varchar")
    with pytest.raises(HealthError, match=r"marts\.mine\.email: personal data stays"):
        put(copy)
    monkeypatch.setattr(ducklake_session, "EXTENSIONS", ("unheard_of",))
    with pytest.raises(HealthError, match=r"is not installed: run `make setup-ducklake`"):
        put(copy)


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("mysql://me:s3cret@x/y", "HEALTH_DUCKLAKE_URL wants a URL like postgresql://"),
        ("postgresql://me:s3cret@/nope?host=/nowhere", "HEALTH_DUCKLAKE_URL says where it is"),
    ],
)
def test_an_address_that_is_none_is_told_without_its_password(
    address: str, sentence: str, tmp_path: Path
) -> None:
    fill(tmp_path / "copy.duckdb", 1)
    with pytest.raises(HealthError, match=sentence) as told:
        publish_lake(tmp_path / "copy.duckdb", SecretStr(address), tmp_path / "lake", days=30)
    assert "s3cret" not in str(told.value)
    assert not (tmp_path / "lake").exists()


def test_what_the_lake_refuses_shows_no_password(
    server: Server, url: SecretStr, tmp_path: Path
) -> None:
    name = url.get_secret_value().split("?")[0].rpartition("/")[2]
    server.execute(f"alter database {name} set default_transaction_read_only = on")
    fill(tmp_path / "copy.duckdb", 1)
    with pytest.raises(HealthError, match="The lake could not be written: ") as told:
        publish_lake(tmp_path / "copy.duckdb", url, tmp_path / "lake", days=30)
    assert postgres_server.PASSWORD not in str(told.value)
    assert "never to be shown" not in str(told.value)


def test_settings_say_where_to_and_show_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUCKDB_PATH", "/somewhere/w.duckdb")
    monkeypatch.setenv("HEALTH_DUCKLAKE_URL", "")
    monkeypatch.setenv("HEALTH_DUCKLAKE_PATH", "")
    assert (Settings().ducklake_url, Settings().ducklake_folder) == (None, Path("/somewhere/lake"))
    monkeypatch.setenv("HEALTH_DUCKLAKE_URL", "postgresql://me:s3cret@x/y")
    monkeypatch.setenv("HEALTH_DUCKLAKE_PATH", "/mnt/lake")
    now = Settings()
    assert (now.ducklake_folder, now.ducklake_days) == (Path("/mnt/lake"), 30)
    assert "s3cret" not in repr(now)
    assert "postgresql://me:s3cret@x/y" in now.secrets()
    monkeypatch.setenv("HEALTH_DUCKLAKE_PATH", "s3://bucket/lake")
    with pytest.raises(HealthError, match=r"wants a folder .*: object stores have not been tried"):
        _ = Settings().ducklake_folder
    monkeypatch.setenv("HEALTH_DUCKLAKE_DAYS", "0")
    with pytest.raises(HealthError, match="HEALTH_DUCKLAKE_DAYS wants a whole number of days"):
        Settings()


# --- the command and the asset -------------------------------------------------------------------


@pytest.fixture
def configured(
    url: SecretStr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], dg.ExecuteInProcessResult]]:
    """`configured()`: make the asset of the lake, with a copy beside a warehouse."""
    monkeypatch.setenv("DUCKDB_PATH", str(tmp_path / "w.duckdb"))
    monkeypatch.setenv("HEALTH_SERVING_PATH", str(tmp_path / "copy.duckdb"))
    monkeypatch.setenv("HEALTH_DUCKLAKE_URL", url.get_secret_value())
    settings.cache_clear()
    fill(tmp_path / "w.duckdb", 1)
    copy_marts(tmp_path / "w.duckdb", tmp_path / "copy.duckdb")

    def run() -> dg.ExecuteInProcessResult:
        days = dg.DailyPartitionsDefinition("2026-10-01", end_date="2026-11-01")
        return dg.materialize(
            make_ducklake_assets(days), partition_key=str(DAY), raise_on_error=False
        )

    yield run
    settings.cache_clear()


def test_the_asset_publishes_the_copy_unless_the_scores_are_held_back(
    configured: Callable[[], dg.ExecuteInProcessResult], url: SecretStr, tmp_path: Path
) -> None:
    done = configured()
    assert done.success
    [made] = [e for e in done.get_asset_materialization_events() if e.asset_key == DUCKLAKE]
    said = {name: value.value for name, value in made.materialization.metadata.items()}
    assert (said["rows"], said["tables"], said["written"], said["views"]) == (83, 3, 3, 1)
    execute(
        tmp_path / "w.duckdb",
        "create schema quality",
        "create table quality.score_shift as select 'shop: it shifted.' as problem",
    )
    fill(tmp_path / "copy.duckdb", 2)
    [failure] = [e for e in configured().all_events if e.is_step_failure]
    assert failure.step_failure_data.user_failure_data.description == (
        "The lake keeps what it has. shop: it shifted."
    )
    assert rows(url, "from lake.marts.latest") == [(1, 20)]


def test_forgetting_takes_earlier_snapshots_away_even_where_scores_are_held_back(
    configured: Callable[[], dg.ExecuteInProcessResult], url: SecretStr, tmp_path: Path
) -> None:
    assert configured().success
    execute(
        tmp_path / "w.duckdb",
        "create schema quality",
        "create table quality.score_shift as select 'shop: it shifted.' as problem",
    )
    execute(tmp_path / "copy.duckdb", "delete from marts.customers where customer_key = 'shop:1'")
    said = Console(record=True, file=io.StringIO())
    forget._republish(settings(), said)
    assert said.export_text() == (
        "DuckLake: 1 of 3 tables written. Its earlier snapshots are gone.\n"
    )
    assert rows(url, "from lake.marts.latest") == [(1, 19)]
    assert len(rows(url, "from ducklake_snapshots('lake')")) == 1


def test_without_an_address_there_is_no_lake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEALTH_DUCKLAKE_URL", raising=False)
    settings.cache_clear()
    assert ducklake.publish_configured(settings()) is None
    assert make_ducklake_assets(dg.DailyPartitionsDefinition("2026-10-01")) == []


def test_publish_says_what_was_written(warehouse: Path, url: SecretStr, tmp_path: Path) -> None:
    done = run_health(
        "publish", "--out", str(tmp_path / "report.html"), warehouse=warehouse,
        HEALTH_SERVING_PATH=str(tmp_path / "copy.duckdb"),
        HEALTH_DUCKLAKE_URL=url.get_secret_value(), HEALTH_DUCKLAKE_PATH=str(tmp_path / "lake"),
    )  # fmt: skip
    assert re.search(r"^DuckLake: (\d+) of \1 tables written\.$", done.stdout, re.MULTILINE)
    assert postgres_server.PASSWORD not in done.stdout + done.stderr
