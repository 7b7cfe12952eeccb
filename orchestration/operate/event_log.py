"""Dagster's event log on SQLite, its files kept open, many events in one transaction.

A run over a year of days plans and reports each asset on each day: tens of thousands of events.
Dagster's SQLite log opens, commits and closes one or two files for each. Here a process keeps open
what it used last. Dagster hands events over in batches when `DAGSTER_EVENT_BATCH_SIZE` is set; a
batch is one transaction a file.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from dagster import EventLogEntry
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import create_engine
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import StaticPool

BATCH = 200
"""Events that a run keeps back at most before it stores them; the graph moves on in such steps."""

INDEX = "index"
PATIENCE = 60
"""Seconds to wait for another process that writes."""
OPEN = 8
"""Files that a process keeps open: that of all runs and those of the runs it looked at last."""


class EventLog(SqliteEventLogStorage):
    """Dagster's own log with kept connections, a batch in one transaction a file."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        # The connections of a batch under way, of its thread alone.
        self._batch = threading.local()
        # What was used last is last.
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        super().__init__(base_dir, inst_data)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> Any:
        """What dagster.yaml asks for; Dagster's own would make its own class."""
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        opened = getattr(self._batch, "opened", {})
        if shard in opened:
            yield opened[shard]
            return
        self._make(shard)
        with self._db_lock, self._engine(shard).begin() as connection:
            yield connection

    def _make(self, shard: str) -> None:
        """Make the file where it is missing, as Dagster does."""
        if shard not in self._initialized_dbs:
            with super()._connect(shard):
                pass

    def _engine(self, shard: str) -> Engine:
        """The engine of a file, which has one connection; whoever holds `_db_lock` may use it."""
        if shard not in self._engines:
            self._engines[shard] = create_engine(
                self.conn_string_for_shard(shard),
                poolclass=StaticPool,
                connect_args={"timeout": PATIENCE, "check_same_thread": False},
            )
        self._engines.move_to_end(shard)
        while len(self._engines) > OPEN:
            self._engines.popitem(last=False)[1].dispose()
        return self._engines[shard]

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store them all or none."""
        shards = sorted({INDEX, *(event.run_id for event in events)})
        for shard in shards:
            self._make(shard)
        with self._db_lock, ExitStack() as stack:
            self._batch.opened = {
                shard: stack.enter_context(self._engine(shard).begin()) for shard in shards
            }
            stack.callback(setattr, self._batch, "opened", {})
            for event in events:
                self.store_event(event)

    def wipe(self) -> None:
        """Remove all events, and the files of all runs."""
        self._close()
        super().wipe()

    def dispose(self) -> None:
        """Close all files."""
        self._close()
        super().dispose()

    def _close(self) -> None:
        with self._db_lock:
            for engine in self._engines.values():
                engine.dispose()
            self._engines.clear()
