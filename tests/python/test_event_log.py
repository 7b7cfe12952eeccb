"""Dagster's event log in batches: the same events as one by one, and all of a batch or none."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from uuid import uuid4

import pytest
from dagster import AssetKey, AssetMaterialization, AssetRecordsFilter, EventLogEntry
from dagster._core.events import DagsterEvent, DagsterEventType, StepMaterializationData
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

from orchestration.operate.event_log import OPEN, EventLog

ASSETS = ("marts/customers", "marts/orders")


def events(run: str, count: int) -> list[EventLogEntry]:
    return [
        EventLogEntry(
            error_info=None,
            user_message=f"message {number}",
            level=20,
            run_id=run,
            timestamp=1_790_000_000.0 + number,
            step_key="scored",
            job_name="replay",
            dagster_event=DagsterEvent(
                DagsterEventType.ASSET_MATERIALIZATION.value,
                "replay",
                step_key="scored",
                event_specific_data=StepMaterializationData(
                    AssetMaterialization(
                        AssetKey(ASSETS[number % 2].split("/")),
                        partition=f"2026-10-{number % 28 + 1:02d}",
                        metadata={"rows": number},
                    )
                ),
            ),
        )
        for number in range(count)
    ]


def kept(log: SqliteEventLogStorage, run: str) -> list[object]:
    """All that the log answers about a run and its assets."""
    days = [sorted(log.get_materialized_partitions(AssetKey(asset.split("/")))) for asset in ASSETS]
    latest = [
        log.get_latest_materialization_events([AssetKey(asset.split("/"))]) for asset in ASSETS
    ]
    records = [
        [r.event_log_entry for r in log.fetch_materializations(
            AssetRecordsFilter(AssetKey(asset.split("/"))), limit=1000
        ).records]
        for asset in ASSETS
    ]  # fmt: skip
    return [log.get_logs_for_run(run), days, latest, records]


def test_a_batch_is_what_its_events_would_be_one_by_one(tmp_path: Path) -> None:
    run = str(uuid4())
    given = events(run, 120)
    batches, singly = EventLog(str(tmp_path / "a")), SqliteEventLogStorage(str(tmp_path / "b"))
    batches.store_event_batch(given[:100])
    batches.store_event_batch(given[100:])
    for event in given:
        singly.store_event(event)
    assert kept(batches, run) == kept(singly, run)
    assert len(batches.get_logs_for_run(run)) == 120


def test_of_a_batch_that_fails_nothing_stays(tmp_path: Path) -> None:
    run = str(uuid4())
    log = EventLog(str(tmp_path))
    given = events(run, 10)
    with pytest.MonkeyPatch.context() as patch:
        stored = iter(range(6))
        patch.setattr(log, "_store_asset_event", lambda *_: next(stored))
        with pytest.raises(StopIteration):
            log.store_event_batch(given)
    assert log.get_logs_for_run(run) == []
    # The log goes on.
    log.store_event(given[0])
    assert log.get_logs_for_run(run) == given[:1]


def test_two_threads_and_another_log_write_at_once(tmp_path: Path) -> None:
    logs = [EventLog(str(tmp_path)), EventLog(str(tmp_path))]
    runs = [str(uuid4()) for _ in range(4)]

    def write(log: EventLog, run: str) -> None:
        for start in range(0, 100, 20):
            log.store_event_batch(events(run, 100)[start : start + 20])

    threads = [
        threading.Thread(target=write, args=(logs[n % 2], run)) for n, run in enumerate(runs)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(logs[0].get_logs_for_run(run)) for run in runs] == [100] * 4
    with sqlite3.connect(tmp_path / "index.db") as index:
        assert index.execute("select count(*) from event_logs").fetchone() == (400,)


def test_few_files_stay_open_and_none_once_the_log_is_closed(tmp_path: Path) -> None:
    log = EventLog(str(tmp_path))
    runs = [str(uuid4()) for _ in range(OPEN + 3)]
    for run in runs:
        log.store_event(events(run, 1)[0])

    def opened() -> set[str]:
        # SQLite removes this one when a database is closed.
        return {path.name.removesuffix(".db-wal") for path in tmp_path.glob("*.db-wal")}

    assert opened() == {"index", *runs[-OPEN + 1 :]}
    # What was closed is opened again.
    assert [len(log.get_logs_for_run(run)) for run in runs] == [1] * len(runs)
    log.dispose()
    assert opened() == set()
    log.store_event(events(runs[0], 1)[0])
    assert len(log.get_logs_for_run(runs[0])) == 2
    log.wipe()
    assert [path.name for path in tmp_path.glob("*.db")] == ["index.db"]
    assert log.get_logs_for_run(runs[0]) == []
