"""Dagster's event log in SQLite, written as a range run needs it: thousands of events in one transaction.

Dagster's own opens a database, compiles a statement and commits for each event, of which a range of ten years has ten
thousand, and notes what each check is about to see once for each partition. The files and tables are the same, so
either class reads what the other wrote.
"""

import datetime as dt
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS, DagsterEventType
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData, serialize_value
from sqlalchemy.pool import NullPool, QueuePool

BATCH = 1000
"""Events that Dagster gathers before it hands them over."""

KEPT = 8
"""Databases whose compiled statements are kept."""


def gather_events() -> None:
    """Have this process, and those that it starts, hand events over in batches; Dagster asks the environment."""
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", str(BATCH))


class BatchedEventLog(SqliteEventLogStorage):
    """The event log below DAGSTER_HOME, where Dagster's own would put it."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, sa.Engine] = OrderedDict()
        self._engines_lock = threading.Lock()
        super().__init__(str(Path(base_dir, "history", "runs")), inst_data)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> "BatchedEventLog":
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sa.Connection]:
        with self._db_lock:
            engine = self._engine_of(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def _engine_of(self, shard: str) -> sa.Engine:
        """The engine of a database, with the statements it has compiled.

        Only the index stays open: the web server notices a run's new events by the file that closing brings up to date.
        """
        with self._engines_lock:
            engine = self._engines.pop(shard, None)
            if engine is None:
                pool: dict[str, Any] = {"poolclass": NullPool}
                if shard == INDEX_SHARD_NAME:
                    pool = {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 0}
                engine = sa.create_engine(
                    self.conn_string_for_shard(shard),
                    connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
                    **pool,
                )
            self._engines[shard] = engine
            for stale in [name for name in self._engines if name != INDEX_SHARD_NAME][:-KEPT]:
                self._engines.pop(stale).dispose()
            return engine

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store the events of one run in one transaction of its database and one of the index."""
        mirrored = [event for event in events if event.is_dagster_event and event.dagster_event_type in ASSET_EVENTS]
        checks = [
            event for event in events if event.is_dagster_event and event.dagster_event_type in ASSET_CHECK_EVENTS
        ]
        if len({event.run_id for event in events}) > 1 or len(mirrored) + len(checks) < len(events):
            super().store_event_batch(events)
            return
        rows = [self._event_to_row(event) for event in events]
        with self.run_connection(events[0].run_id) as connection:
            connection.execute(SqlEventLogStorageTable.insert(), rows)
        with self.index_transaction() as connection:
            insert = SqlEventLogStorageTable.insert()
            ids = [_key_of(connection.execute(insert, row)) for row in rows]
            number = dict(zip(map(id, events), ids, strict=True))
            self._store_asset_event_tags(connection, mirrored, [number[id(event)] for event in mirrored])
            # Of each asset the newest event counts, and one kind may touch other columns than the next.
            newest = {(event.get_dagster_event().asset_key, event.dagster_event_type): event for event in mirrored}
            for event in newest.values():
                self._store_asset_event(connection, event, number[id(event)])
        for event in checks:
            self.store_asset_check_event(event, number[id(event)])

    def _store_asset_check_evaluation_planned(self, event: EventLogEntry, event_id: int | None) -> None:
        """Note that a check is about to run, once: it looks at the range as a whole, and says so once."""
        planned: Any = event.get_dagster_event().event_specific_data
        assert event.dagster_event_type == DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED
        with self.index_connection() as connection:
            connection.execute(
                AssetCheckExecutionsTable.insert().values(
                    asset_key=planned.asset_key.to_string(),
                    check_name=planned.check_name,
                    partition=None,
                    run_id=event.run_id,
                    execution_status=AssetCheckExecutionRecordStatus.PLANNED.value,
                    evaluation_event=serialize_value(event),
                    evaluation_event_timestamp=dt.datetime.fromtimestamp(event.timestamp, dt.UTC).replace(tzinfo=None),
                    evaluation_event_storage_id=event_id,
                )
            )

    def wipe(self) -> None:
        self._close()
        super().wipe()

    def dispose(self) -> None:
        self._close()
        super().dispose()

    def _close(self) -> None:
        with self._engines_lock:
            for engine in self._engines.values():
                engine.dispose()
            self._engines.clear()


def _key_of(inserted: sa.CursorResult[Any]) -> int:
    """The primary key that a row was given."""
    key = inserted.inserted_primary_key
    assert key is not None
    return int(key[0])
