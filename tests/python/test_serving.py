"""The copy that readers open, and the checks that keep a bad day out of it."""

# No `from __future__ import annotations`: Dagster reads the types of steps as they stand.
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from conftest import SHOP_END, run_health
from push_warehouse import query

from orchestration.errors import HealthError
from orchestration.publish import serving
from orchestration.publish.assets import SERVING, make_serving_asset
from orchestration.publish.serving import copy_marts, held_back, publish_serving
from orchestration.settings import Settings, settings
from orchestration.transform.build import target_path

READERS, PUBLISHES = 3, 8
DAY = date(2026, 10, 31)


def execute(path: Path, *statements: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)


def fill(path: Path, version: int, rows: int) -> None:
    """Two tables whose rows all bear the version; both have as many."""
    execute(
        path,
        "create schema if not exists history",
        "create schema if not exists marts",
        *(
            f"create or replace table {table} as "
            f"select {version} as version, i as customer from range({rows}) as t (i)"
            for table in ("history.intervals", "marts.customers")
        ),
    )


@pytest.fixture
def warehouse_of_views(tmp_path: Path) -> Path:
    """Tables of all sorts, views of them, of views, and of what is not for readers."""
    path = tmp_path / "shop's warehouse.duckdb"
    fill(path, 1, 10)
    execute(
        path,
        "create schema activation",
        "create table activation.desired_state (email varchar)",
        "create table activation.outlook as select 'a:1' as customer_key",
        "create table marts.odd (amount decimal(18, 10), seen_at timestamp, "
        'tags varchar[], "group" varchar)',
        "insert into marts.odd values (1.0000000001, timestamp '2026-10-31 23:59:59', ['a'], 'x')",
        "comment on table marts.odd is 'The shop''s odds.'",
        "comment on column marts.odd.\"group\" is 'Which one; there are ''two''.'",
        # In the order of their names, each view comes before what it reads.
        "create view marts.c as select count(*) as customers from history.intervals",
        "create view marts.b as select customers * 2 as twice from marts.c",
        "create view marts.a as select twice + 1 as more from marts.b",
        "create view marts.people as select count(email) as n from activation.desired_state",
        "create view marts.more_people as select n + 1 as people from marts.people",
        "comment on view marts.a is 'One more.'",
        "comment on column marts.a.more is 'More.'",
    )
    return path


def test_tables_come_with_their_types_and_words(warehouse_of_views: Path, tmp_path: Path) -> None:
    out = tmp_path / "serving" / "customer_health.duckdb"
    assert publish_serving(warehouse_of_views, out) == out
    for described in (
        "select schema_name, table_name, column_name, data_type, comment from duckdb_columns() "
        "where schema_name in ('marts', 'history') and table_name in ('odd', 'intervals', 'a') "
        "order by all",
        "select table_name, comment from duckdb_tables() where table_name = 'odd'",
        "select view_name, comment from duckdb_views() where view_name = 'a'",
        "from marts.odd",
        "from history.intervals order by all",
    ):
        assert query(out, described) == query(warehouse_of_views, described)
    assert [p.name for p in out.parent.iterdir()] == [out.name]


def test_views_answer_and_those_of_what_is_not_copied_are_left_out(
    warehouse_of_views: Path, tmp_path: Path
) -> None:
    out = tmp_path / "customer_health.duckdb"
    made = copy_marts(warehouse_of_views, out)
    assert made.rows == {
        "activation.outlook": 1, "history.intervals": 10, "marts.customers": 10, "marts.odd": 1,
    }  # fmt: skip
    assert sorted(made.views) == ["marts.a", "marts.b", "marts.c"]
    assert made.left_out == ["marts.more_people", "marts.people"]
    # Under any name: no view names the file.
    moved = out.rename(tmp_path / "elsewhere.duckdb")
    assert query(moved, "from marts.a") == [(21,)]
    unsent = "select table_name from duckdb_tables() where schema_name = 'activation'"
    assert query(moved, unsent) == [("outlook",)]


def test_a_warehouse_without_history_has_its_marts_copied(tmp_path: Path) -> None:
    execute(tmp_path / "w.duckdb", "create schema marts", "create table marts.one as select 1 as a")
    made = copy_marts(tmp_path / "w.duckdb", tmp_path / "out.duckdb")
    assert made.rows == {"marts.one": 1}


READER = """
import json, os, sys
import duckdb
path, stop = sys.argv[1:]
seen, wrong, reads = set(), [], 0
print(flush=True)
while not os.path.exists(stop):
    try:
        with duckdb.connect(path, read_only=True) as connection:
            both = [
                connection.execute(
                    f"select min(version), max(version), count(*) from {table}"
                ).fetchone()
                for table in ("history.intervals", "marts.customers")
            ]
    except Exception as error:
        wrong.append(repr(error))
        continue
    reads += 1
    low, high, rows = both[0]
    if both[0] != both[1] or low != high or rows != 1000 * low:
        wrong.append(both)
    seen.add(low)
print(json.dumps({"reads": reads, "seen": sorted(seen), "wrong": wrong[:5]}))
"""


def test_readers_see_the_old_copy_or_the_new_one_whole(tmp_path: Path) -> None:
    warehouse, out, stop = tmp_path / "w.duckdb", tmp_path / "out.duckdb", tmp_path / "stop"
    fill(warehouse, 1, 1000)
    publish_serving(warehouse, out)
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READER, str(out), str(stop)],
            stdout=subprocess.PIPE, text=True,
        )
        for _ in range(READERS)
    ]  # fmt: skip
    try:
        for reader in readers:
            assert reader.stdout
            reader.stdout.readline()
        for version in range(2, PUBLISHES + 2):
            fill(warehouse, version, 1000 * version)
            publish_serving(warehouse, out)
    finally:
        stop.touch()
        told = [json.loads(reader.communicate(timeout=60)[0]) for reader in readers]
    assert [one["wrong"] for one in told] == [[]] * READERS
    assert min(one["reads"] for one in told) > PUBLISHES
    assert {version for one in told for version in one["seen"]} >= {1, PUBLISHES}


def test_who_has_the_old_copy_open_keeps_it(tmp_path: Path) -> None:
    warehouse, out = tmp_path / "w.duckdb", tmp_path / "out.duckdb"
    fill(warehouse, 1, 1000)
    publish_serving(warehouse, out)
    with duckdb.connect(str(out), read_only=True) as reader:
        fill(warehouse, 2, 2000)
        publish_serving(warehouse, out)
        assert reader.execute("select count(*) from marts.customers").fetchone() == (1000,)
    assert query(out, "select count(*) from marts.customers") == [(2000,)]


def test_a_copy_that_fails_half_way_leaves_the_old_one_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse, out = tmp_path / "w.duckdb", tmp_path / "serving" / "out.duckdb"
    fill(warehouse, 1, 1000)
    publish_serving(warehouse, out)
    fill(warehouse, 2, 2000)

    def full(connection: duckdb.DuckDBPyConnection) -> Any:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(serving, "_make_views", full)
        with pytest.raises(OSError, match="No space left"):
            publish_serving(warehouse, out)
    assert [p.name for p in out.parent.iterdir()] == [out.name]
    assert query(out, "select max(version) from marts.customers") == [(1,)]
    # What a publisher left that was killed stands in nobody's way.
    (out.parent / f".{out.name}.new").write_text("half a file")
    (out.parent / f".{out.name}.new.wal").write_text("half a log")
    publish_serving(warehouse, out)
    assert [p.name for p in out.parent.iterdir()] == [out.name]
    assert query(out, "select max(version) from marts.customers") == [(2,)]


def test_what_the_user_can_put_right_is_said_in_a_sentence(tmp_path: Path) -> None:
    warehouse, out = tmp_path / "w.duckdb", tmp_path / "out.duckdb"
    with pytest.raises(HealthError, match="There is no warehouse"):
        publish_serving(warehouse, out)
    execute(warehouse, "create schema marts")
    with pytest.raises(HealthError, match="Nothing has been scored yet"):
        publish_serving(warehouse, out)
    with pytest.raises(HealthError, match="name of a schema"):
        publish_serving(warehouse, tmp_path / "marts.duckdb")
    execute(warehouse, "create table marts.customers (customer_key varchar, Email varchar)")
    with pytest.raises(HealthError, match=r"marts\.customers\.Email: personal data stays"):
        publish_serving(warehouse, out)
    assert [p.name for p in tmp_path.iterdir()] == [warehouse.name]


def test_the_copy_stands_beside_the_warehouse_unless_it_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HEALTH_SERVING_PATH", raising=False)
    monkeypatch.setenv("DUCKDB_PATH", str(tmp_path / "w.duckdb"))
    assert Settings().serving_path == tmp_path / "serving" / "customer_health.duckdb"
    monkeypatch.setenv("HEALTH_SERVING_PATH", str(tmp_path / "bi.duckdb"))
    assert Settings().serving_path == tmp_path / "bi.duckdb"


def test_the_marts_of_a_shop_are_for_readers(warehouse: Path, tmp_path: Path) -> None:
    made = copy_marts(warehouse, tmp_path / "customer_health.duckdb")
    known = f"select count(*) from marts.customer_score_history where as_of_date = '{SHOP_END}'"
    assert query(made.path, known) == query(warehouse, known)
    # What these tell is read from tables before the marts; alerts themselves are there.
    assert made.left_out == [
        "marts.alert_facts",
        "marts.behaviour_falls",
        "marts.customer_facts",
        "marts.score_stream",
    ]
    assert "marts.alerts" in made.rows
    text = query(
        made.path,
        "select schema_name, table_name, column_name from duckdb_columns() "
        "where not internal and data_type = 'VARCHAR'",
    )
    with duckdb.connect(str(made.path), read_only=True) as connection:
        for schema, table, column in text:
            found = connection.execute(
                f'select "{column}" from {schema}.{table} '
                f"where regexp_matches(\"{column}\", '\\S+@\\S+[.][a-z]') limit 1"
            ).fetchall()
            assert found == [], (table, column)


# --- the days that are held against each other -----------------------------------------------


class Days:
    """A warehouse of scored days, and what the two tests say of it, by their compiled SQL."""

    def __init__(self, path: Path, compiled: Path) -> None:
        self.path, self.compiled = path, compiled
        execute(
            path,
            "create schema intermediate",
            "create schema history",
            "create schema marts",
            "create table intermediate.int_as_of_days (shop_id varchar, as_of_date date)",
            "create table marts.scored_days (shop_id varchar, as_of_date date)",
            "create table history.score_intervals (shop_id varchar, customer_key varchar, "
            "valid_from date, valid_to date, health_bucket varchar, behaviour_band varchar, "
            "trust_rating varchar)",
        )

    def score(self, day: date, customers: int, high: int = 0, shop: str = "acme") -> None:
        """A day on which the first `high` of the customers are in the bucket `high`."""
        execute(
            self.path,
            f"insert into marts.scored_days values ('{shop}', '{day}')",
            f"insert into history.score_intervals select '{shop}', '{shop}:' || i, '{day}', "
            f"date '{day}' + 1, case when i < {high} then 'high' else 'low' end, 'engaged', "
            f"case when i % 3 = 0 then 'good' end from range({customers}) as t (i)",
        )

    def said(self, first: date, last: date | None = None, *, allow: str | None = None) -> list[str]:
        """The sentences of both tests after a run over these days."""
        execute(
            self.path,
            "delete from intermediate.int_as_of_days",
            "insert into intermediate.int_as_of_days select 'acme', unnest(generate_series("
            f"date '{first}', date '{last or first}', interval '1 day'))",
        )
        with duckdb.connect(str(self.path)) as connection:
            if allow:
                connection.execute("set variable health_allow_shift = ?", [allow])
            return [
                str(problem)
                for name in sorted(serving.GUARDS)
                for (problem,) in connection.execute(
                    f"select problem from ({(self.compiled / f'{name}.sql').read_text()}\n)"
                ).fetchall()
            ]


@pytest.fixture
def days(tmp_path: Path, warehouse: Path) -> Days:
    compiled = target_path(warehouse) / "compiled" / "customer_health" / "tests" / "invariants"
    return Days(tmp_path / warehouse.name, compiled)


def ago(days: int) -> date:
    return DAY - timedelta(days=days)


def test_a_first_day_and_one_after_a_long_gap_have_nothing_to_be_held_against(days: Days) -> None:
    days.score(DAY, 1000)
    assert days.said(DAY) == []
    days.score(ago(8), 2000, high=2000)
    assert days.said(DAY) == []


def test_a_day_that_lost_customers_is_told_with_its_numbers(days: Days) -> None:
    days.score(ago(1), 1000)
    days.score(DAY, 949)
    [problem] = days.said(DAY)
    assert problem == (
        "acme: 949 customers are scored on 2026-10-31, 1000 were on 2026-10-30, and no more than "
        "5% may go. If that is right, build the day again with HEALTH_ALLOW_SHIFT=2026-10-31."
    )


def test_a_day_on_which_nobody_was_scored_is_told(days: Days) -> None:
    days.score(ago(1), 1000)
    days.score(DAY, 0)
    assert "acme: 0 customers are scored" in days.said(DAY)[0]


def test_a_few_who_go_and_many_who_come_are_no_alarm(days: Days) -> None:
    days.score(ago(1), 1000)
    days.score(DAY, 950)
    assert days.said(DAY) == []
    days.score(DAY + timedelta(days=1), 5000)
    assert days.said(DAY + timedelta(days=1)) == []


def test_a_bucket_that_turns_over_night_is_told_with_its_numbers(days: Days) -> None:
    days.score(ago(1), 400, high=40)
    days.score(DAY, 400, high=200)
    [problem] = days.said(DAY)
    assert problem == (
        "acme: health_bucket shifted by 0.879 (population stability index, 0.25 is the limit) from "
        "2026-10-30 (high 10%, low 90%) to 2026-10-31 (high 50%, low 50%). If that is right, build "
        "the day again with HEALTH_ALLOW_SHIFT=2026-10-31."
    )


@pytest.mark.parametrize(
    ("customers", "before", "after", "alarms"),
    [
        (1000, 100, 150, 0),
        (199, 0, 199, 0),
        (200, 0, 200, 1),
        # Bands that are empty on one side: many are an alarm, a handful is none.
        (1000, 0, 100, 1),
        (1000, 100, 0, 1),
        (1000, 0, 5, 0),
        (1000, 5, 0, 0),
    ],
)
def test_what_is_a_shift(days: Days, customers: int, before: int, after: int, alarms: int) -> None:
    days.score(ago(1), customers, high=before)
    days.score(DAY, customers, high=after)
    assert len(days.said(DAY)) == alarms


def test_a_shift_that_is_meant_is_allowed_for_its_day_alone(days: Days) -> None:
    days.score(ago(1), 400)
    days.score(DAY, 300, high=300)
    assert len(days.said(DAY)) == 2
    assert len(days.said(DAY, allow="2026-10-30")) == 2
    assert days.said(DAY, allow="2026-10-31") == []
    assert days.said(DAY, allow="2026-10-30,2026-10-31") == []


def test_days_that_are_caught_up_are_held_against_the_last_good_one(days: Days) -> None:
    days.score(ago(3), 400)
    for number in (2, 1, 0):
        days.score(ago(number), 400, high=400)
    [problem] = days.said(ago(2), DAY)
    assert "from 2026-10-28 (high 0%, low 100%) to 2026-10-31 (high 100%, low 0%)" in problem
    # Nothing moved within the run; were it built alone, the last day would pass.
    assert days.said(DAY) == []


def test_a_run_of_older_days_releases_no_later_day(days: Days) -> None:
    days.score(ago(20), 400)
    days.score(ago(1), 400)
    days.score(DAY, 400, high=400)
    [problem] = days.said(ago(20))
    assert problem.startswith("acme: health_bucket shifted")


def test_a_run_of_another_shop_releases_none(days: Days) -> None:
    days.score(ago(1), 400)
    days.score(ago(1), 400, shop="other")
    days.score(DAY, 400)
    days.score(DAY, 400, high=400, shop="other")
    [problem] = days.said(DAY)
    assert problem.startswith("other: health_bucket shifted")


@pytest.fixture(scope="module")
def turned(warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The shared shop, whose buckets of the last day but one were others."""
    copy = Path(shutil.copy(warehouse, tmp_path_factory.mktemp("turned")))
    # With what dbt has parsed, it need not parse again.
    shutil.copytree(target_path(warehouse), target_path(copy))
    execute(
        copy,
        "update history.score_intervals set health_bucket = 'high' "
        f"where shop_id = 'aurelia' and valid_from <= date '{SHOP_END - timedelta(days=1)}'",
    )
    yield copy
    shutil.rmtree(target_path(copy), ignore_errors=True)


def test_a_build_that_turns_a_bucket_says_so_and_holds_back(turned: Path, tmp_path: Path) -> None:
    done = run_health("build", "--as-of", str(SHOP_END), warehouse=turned)
    [problem] = held_back(turned)
    assert problem in " ".join(done.stdout.split())
    assert problem.startswith("aurelia: health_bucket shifted by ")
    assert "HEALTH_ALLOW_SHIFT=2026-10-31" in problem
    with pytest.raises(HealthError, match=r"^Readers keep the copy they have\. aurelia: health"):
        publish_serving(turned, tmp_path / "out.duckdb")
    refused = run_health("push", "--apply", warehouse=turned, expect=1)
    assert "Nothing was sent." in refused.stderr
    assert problem in " ".join(refused.stderr.split())
    page = tmp_path / "report.html"
    refused = run_health("publish", "--out", str(page), warehouse=turned, expect=1)
    assert "Readers keep the copy they have." in refused.stderr
    assert not page.exists()
    # All of the day stands, down to what would be sent.
    for table in ("marts.scored_days", "marts.customer_scores", "activation.desired_state"):
        assert query(turned, f"select max(as_of_date) from {table}") == [(SHOP_END,)]
    results = json.loads((target_path(turned) / "run_results.json").read_text())["results"]
    statuses = {one["unique_id"]: one["status"] for one in results}
    assert "skipped" not in statuses.values()


# --- the asset -------------------------------------------------------------------------------

DAYS = dg.DailyPartitionsDefinition("2026-10-01", end_date="2026-11-01")


def checked_asset(
    key: str, check: str, passed: Callable[[], bool], **options: Any
) -> dg.AssetsDefinition:
    """An asset with one blocking check."""
    spec = dg.AssetCheckSpec(check, asset=key, blocking=True)

    @dg.multi_asset(
        name=key.replace("/", "_"),
        specs=[dg.AssetSpec(dg.AssetKey(key.split("/")), **options)],
        check_specs=[dg.AssetCheckSpec(check, asset=dg.AssetKey(key.split("/")), blocking=True)],
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def made() -> Iterator[Any]:
        yield dg.MaterializeResult(
            check_results=[dg.AssetCheckResult(check_name=spec.name, passed=passed())]
        )

    return made


@pytest.fixture
def published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., dg.ExecuteInProcessResult]]:
    """`published(passed=True)`: score the last two days of a month, and publish."""
    warehouse = tmp_path / "w.duckdb"
    monkeypatch.setenv("DUCKDB_PATH", str(warehouse))
    monkeypatch.delenv("HEALTH_SERVING_PATH", raising=False)
    settings.cache_clear()
    state = {"passed": True}
    plain = checked_asset("marts/orders", "orders_add_up", lambda: True)
    scored = checked_asset(
        "marts/customer_scores", "nothing_shifts", lambda: state["passed"], partitions_def=DAYS
    )
    both = [scored, make_serving_asset(plain, scored, DAYS)]
    fill(warehouse, 1, 10)

    with dg.DagsterInstance.ephemeral() as instance:

        def run(*, passed: bool = True, assets: Any = both) -> dg.ExecuteInProcessResult:
            state["passed"] = passed
            return dg.materialize(
                [plain, *both],
                instance=instance,
                selection=list(assets),
                tags={
                    "dagster/asset_partition_range_start": "2026-10-30",
                    "dagster/asset_partition_range_end": "2026-10-31",
                },
                raise_on_error=False,
            )

        yield run
    settings.cache_clear()


def test_readers_get_a_copy_when_the_checks_have_passed_and_not_before(
    published: Callable[..., dg.ExecuteInProcessResult], tmp_path: Path
) -> None:
    out = tmp_path / "serving" / "customer_health.duckdb"
    assert published().success
    assert query(out, "select max(version) from marts.customers") == [(1,)]

    fill(tmp_path / "w.duckdb", 2, 20)
    assert not published(passed=False).success
    alone = published(assets=[SERVING])
    [failure] = [e for e in alone.all_events if e.is_step_failure]
    assert failure.step_failure_data.user_failure_data.description == (
        "Readers keep the copy they have. 1 blocking checks have not passed, "
        "marts/customer_scores:nothing_shifts first."
    )
    assert query(out, "select max(version) from marts.customers") == [(1,)]

    done = published()
    assert done.success
    assert query(out, "select max(version) from marts.customers") == [(2,)]
    copies = [e for e in done.get_asset_materialization_events() if e.asset_key == SERVING]
    assert [c.partition for c in copies] == ["2026-10-30", "2026-10-31"]
    said = {name: value.value for name, value in copies[-1].materialization.metadata.items()}
    assert (said["rows"], said["tables"], said["left out"]) == (40, 2, "nothing")
    assert said["seconds"] > 0
    assert os.fspath(out) == said["file"]
