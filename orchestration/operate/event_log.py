"""Dagster's event log on SQLite, many events in one transaction.

A run over a year of days plans and reports each asset on each day: tens of thousands of events.
Dagster hands them over in batches when `DAGSTER_EVENT_BATCH_SIZE` is set, but its SQLite log stores
a batch event by event, and opens and commits two files for each: 13 ms an event, here 1.4.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from dagster import EventLogEntry
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import create_engine
from sqlalchemy.engine import Connection
from sqlalchemy.pool import NullPool

BATCH = 200
"""Events that a run keeps back at most before it stores them; the graph moves on in such steps."""

INDEX = "index"
PATIENCE = 60
"""Seconds to wait for another process that writes."""


class EventLog(SqliteEventLogStorage):
    """Dagster's own log, a batch in one transaction a file."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        # Of this thread alone: SQLite's connections are not shared.
        self._batch = threading.local()
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
        else:
            with super()._connect(shard) as connection:
                yield connection

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store them all or none."""
        shards = sorted({INDEX, *(event.run_id for event in events)})
        for shard in shards:
            # Makes the file where it is missing.
            with super()._connect(shard):
                pass
        with self._db_lock, ExitStack() as stack:
            opened = {}
            for shard in shards:
                engine = create_engine(
                    self.conn_string_for_shard(shard),
                    poolclass=NullPool,
                    connect_args={"timeout": PATIENCE},
                )
                opened[shard] = stack.enter_context(engine.begin())
            self._batch.opened = opened
            stack.callback(setattr, self._batch, "opened", {})
            for event in events:
                self.store_event(event)
