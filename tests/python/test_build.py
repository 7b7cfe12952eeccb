"""Builds: the same in two deliveries, in any window, for one shop, with sources missing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import date
from pathlib import Path

import duckdb
import pytest
from conftest import DBT, ROOT, SHOP_END, WINDOW_START, build_models

from orchestration.errors import HealthError
from orchestration.transform.build import BuildRequest, dbt_arguments

DAY = SHOP_END.isoformat()
HISTORY = ("customer_score_history", "score_contributions", "customer_signals", "postal_trust")
# What they are opened from.
STORED = (
    "score_intervals",
    "behaviour_intervals",
    "contribution_intervals",
    "signal_intervals",
    "postal_trust_intervals",
)


def fingerprint(warehouse: Path, condition: str = "true", *tables: str) -> dict[str, tuple]:
    """Number and order-free hash of the rows of marts; all of them, or those named.

    Not of `readiness` and `scored_days`, which tell when things were loaded.
    """
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        names = tables or [
            row[0]
            for row in connection.execute(
                "select table_name from information_schema.tables "
                "where table_schema = 'marts' "
                "and table_name not in ('readiness', 'scored_days') order by 1"
            ).fetchall()
        ]
        return {
            name: connection.execute(
                f"select count(*), sum(hash(cast(t as varchar))::hugeint) from marts.{name} t "
                f"where {condition}"
            ).fetchone()
            for name in names
        }


def part_of(drop: Path, folder: Path) -> Path:
    """A first delivery: two thirds of each fast-moving table, chosen by key, shuffled days."""
    for path in sorted(drop.glob("*/*/*.parquet")):
        target = folder / path.relative_to(drop)
        target.parent.mkdir(parents=True, exist_ok=True)
        key = {"events": "event_id", "orders": "order_id", "order_lines": "order_line_id",
               "responses": "response_id", "refunds": "refund_id", "profiles": "profile_id",
               "customers": "customer_id"}.get(path.parent.name)  # fmt: skip
        where = f"hash({key}) % 3 != 0" if key else "true"
        duckdb.sql(f"copy (from '{path}' where {where}) to '{target}' (format parquet)")
    return folder


def test_two_deliveries_and_two_builds_come_to_what_one_does(
    health, drop: Path, warehouse: Path, tmp_path: Path
) -> None:
    ours = tmp_path / "warehouse.duckdb"
    health("load", str(part_of(drop, tmp_path / "part")), "--loaded-at", "2026-11-01T09:00:00Z",
           warehouse=ours)  # fmt: skip
    build_models(ours, date(2026, 10, 29))
    with duckdb.connect(str(ours), read_only=True) as connection:
        first = connection.execute("select count(*) from intermediate.int_activity_days").fetchone()
    health("load", str(drop), "--loaded-at", "2026-11-02T12:00:00Z", warehouse=ours)
    window = ("--from", WINDOW_START.isoformat(), "--to", DAY)
    health("build", *window, warehouse=ours)
    assert fingerprint(ours) == fingerprint(warehouse)
    with duckdb.connect(str(ours), read_only=True) as connection:
        last = connection.execute("select count(*) from intermediate.int_activity_days").fetchone()
    assert first < last


def test_a_load_rebuilds_only_the_days_it_touches(warehouse: Path, tmp_path: Path) -> None:
    ours = tmp_path / "warehouse.duckdb"
    shutil.copy(warehouse, ours)
    with duckdb.connect(str(ours)) as connection:
        # Mark what is built: a rebuilt day loses the mark.
        connection.execute(
            "update intermediate.int_activity_days set metric_name = metric_name || ' marked'"
        )
        marked = connection.execute(
            "select count(distinct (shop_id, activity_date)) from intermediate.int_activity_days"
        ).fetchone()[0]
        connection.execute(
            """
            insert into raw_klaviyo.events
            select shop_id, 'late one', profile_id, metric_name, null, timestamp '2026-09-09 16:00',
                value, properties, timestamp '2026-11-03 00:00', null
            from raw_klaviyo.events where shop_id = 'aurelia' order by event_id limit 1
            """
        )
    build_models(ours, SHOP_END)
    with duckdb.connect(str(ours), read_only=True) as connection:
        rebuilt = connection.execute(
            """
            select activity_date from intermediate.int_activity_days where shop_id = 'aurelia'
            group by activity_date having count(*) filter (where metric_name like '% marked') = 0
            """
        ).fetchall()
        still = connection.execute(
            "select count(distinct (shop_id, activity_date)) from intermediate.int_activity_days "
            "where metric_name like '% marked'"
        ).fetchone()[0]
    assert (date(2026, 9, 9),) in rebuilt
    # Days that hold another sending of an event of that day are rebuilt with it, and no others.
    assert len(rebuilt) <= 10
    assert still >= marked - 10


def test_a_day_is_the_same_alone_in_a_window_and_for_one_shop(
    warehouse: Path, tmp_path: Path
) -> None:
    ours = tmp_path / "warehouse.duckdb"
    shutil.copy(warehouse, ours)
    with duckdb.connect(str(ours)) as connection:
        connection.execute("update history.score_intervals set style = 'marked'")
        connection.execute("delete from history.behaviour_intervals where shop_id = 'aurelia'")
        connection.execute("update history.contribution_intervals set label = 'marked'")
    build_models(ours, date(2026, 10, 28), shop="aurelia")
    same_day = "as_of_date = '2026-10-28' and shop_id = 'aurelia'"
    assert fingerprint(ours, same_day, *HISTORY) == fingerprint(warehouse, same_day, *HISTORY)
    # What was marked is of days, and of a shop, that nobody asked for: it stands.
    with duckdb.connect(str(ours), read_only=True) as connection:
        [(marked, others)] = connection.execute(
            f"select count(*) filter ({same_day}), count(*) from marts.customer_score_history "
            "where style = 'marked'"
        ).fetchall()
        [(kept,)] = connection.execute(
            f"select count(*) from marts.customer_score_history where not ({same_day})"
        ).fetchall()
        latest = connection.execute("select distinct as_of_date from marts.customer_scores")
        # A replay of an earlier day leaves the latest one in customer_scores.
        assert latest.fetchall() == [(SHOP_END,)]
    assert (marked, others) == (0, kept)


def test_dbt_alone_builds_the_latest_complete_day_and_every_unit_test_passes(
    drop: Path, warehouse: Path, tmp_path: Path
) -> None:
    ours = tmp_path / "warehouse.duckdb"
    shutil.copy(warehouse, ours)
    with duckdb.connect(str(ours)) as connection:
        for table in STORED:
            connection.execute(f"delete from history.{table}")
        connection.execute("delete from marts.scored_days")
    done = subprocess.run(
        [str(DBT), "build", "--target-path", str(tmp_path / "target")],
        cwd=ROOT,
        env={**os.environ, "DUCKDB_PATH": str(ours), "DBT_LOG_PATH": str(tmp_path / "logs")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    results = json.loads((tmp_path / "target" / "run_results.json").read_text())["results"]
    units = [one["status"] for one in results if one["unique_id"].startswith("unit_test.")]
    assert units == ["pass"] * len(units)
    assert len(units) > 200
    with duckdb.connect(str(ours), read_only=True) as connection:
        days = connection.execute(
            "select distinct shop_id, as_of_date from marts.customer_scores order by 1"
        ).fetchall()
        clock = connection.execute(
            "select shop_id, latest_complete_date from intermediate.int_shop_clock order by 1"
        ).fetchall()
    # Loaded at noon UTC on 2 November: 1 November had ended in both shops, and a few facts of
    # clocks that run ahead may lie on it.
    assert days == clock
    assert dict(days)["aurelia"] in {date(2026, 10, 31), date(2026, 11, 1)}


def test_a_shop_without_klaviyo_surveys_or_returns_builds(
    health, drop: Path, tmp_path: Path
) -> None:
    ours, bare = tmp_path / "warehouse.duckdb", tmp_path / "bare"
    for table in ("shops", "customers", "orders", "order_lines"):
        shutil.copytree(drop / "shopify" / table, bare / "shopify" / table)
    health("load", str(bare), warehouse=ours)
    health("build", "--as-of", DAY, warehouse=ours)
    with duckdb.connect(str(ours), read_only=True) as connection:
        customers, scored = connection.execute(
            "select count(*), count(*) filter (where trust_score = 100) from marts.customer_scores"
        ).fetchone()
        signals = {
            row[0]
            for row in connection.execute(
                "select distinct signal from marts.customer_signals"
            ).fetchall()
        }
    assert customers > 400
    assert scored > 100
    assert "bridal_views_30d" not in signals, "unknown is not zero"
    assert "previous_aov" in signals


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--as-of", "31.10.2026"), "--as-of wants a date like 2026-05-31"),
        (("--from", "2026-10-01"), "A window has two ends"),
        (("--from", "2026-10-02", "--to", "2026-10-01"), "swap the two"),
        (("--as-of", DAY, "--from", DAY), "not both"),
        (("--shop", "nobody"), "There is no shop 'nobody'. Shops that have landed: aurelia, hoshi"),
    ],
)
def test_a_request_that_cannot_be_is_refused_in_a_sentence(
    health, warehouse: Path, tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    ours = tmp_path / "warehouse.duckdb"
    shutil.copy(warehouse, ours)
    done = health("build", *arguments, warehouse=ours, expect=1)
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_a_warehouse_that_somebody_holds_is_named_with_its_holder(
    health, warehouse: Path, tmp_path: Path
) -> None:
    ours = tmp_path / "warehouse.duckdb"
    shutil.copy(warehouse, ours)
    with duckdb.connect(str(ours)):
        done = health("build", warehouse=ours, expect=1)
    assert f"is held by process {os.getpid()}" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_window_travels_as_event_time_flags(tmp_path: Path) -> None:
    request = BuildRequest(date(2026, 3, 7), date(2026, 3, 9))
    arguments = dbt_arguments(request, tmp_path)
    assert arguments[arguments.index("--event-time-start") + 1] == "2026-03-07"
    assert arguments[arguments.index("--event-time-end") + 1] == "2026-03-10"
    assert "--vars" not in arguments
    assert "--event-time-start" not in dbt_arguments(BuildRequest(), tmp_path)
    with pytest.raises(HealthError, match="two ends"):
        BuildRequest(first_day=date(2026, 3, 7))


def test_a_copy_under_another_name_answers(warehouse: Path, tmp_path: Path) -> None:
    """DuckDB calls a database by its file's name, so no view may name its database."""
    copy = tmp_path / "somebody's backup.duckdb"
    shutil.copy(warehouse, copy)
    with duckdb.connect(str(copy), read_only=True) as connection:
        views = connection.execute(
            "select schema_name, view_name from duckdb_views() where not internal"
        ).fetchall()
        assert len(views) > 20
        for schema, view in views:
            connection.execute(f"select * from {schema}.{view} limit 1")
