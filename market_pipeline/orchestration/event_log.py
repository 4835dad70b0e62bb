"""Dagster's event log in SQLite, with the events of a range run written a thousand to a transaction.

Dagster's own class opens a database, compiles a statement and commits for each event, and a range of ten years has ten
thousand; it also records a planned check once for each partition. Files and tables are the same: either class reads
what the other wrote.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as sa

# Dagster has no public interface for a storage of one's own; the version is pinned below 1.14.
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS, EVENT_TYPE_TO_PIPELINE_RUN_STATUS
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy.pool import NullPool

from market_pipeline.compute.range_checks import planned_once
from market_pipeline.orchestration.history_digests import OpenHistory

BATCH = 1000
"""Events that Dagster collects before it stores them."""

KEPT = 8
"""Databases of runs whose compiled statements are kept."""

STATUS_EVENTS = [kind.value for kind in EVENT_TYPE_TO_PIPELINE_RUN_STATUS]
"""What the index has of a run beside the events of assets and checks."""


def gather_events() -> None:
    """Let this process, and those that it starts, store events in batches; Dagster reads the size from a variable."""
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", str(BATCH))


class BatchedEventLog(SqliteEventLogStorage):
    """The event log below DAGSTER_HOME, in the place of Dagster's own."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engine_of = lru_cache(KEPT)(partial(self._new_engine, poolclass=NullPool))
        self._open = OpenHistory(Path(base_dir))
        super().__init__(str(Path(base_dir, "history", "runs")), inst_data)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> "BatchedEventLog":
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sa.Connection]:
        with self._db_lock:
            engine = self._index_engine if shard == INDEX_SHARD_NAME else self._engine_of(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    @cached_property
    def _index_engine(self) -> sa.Engine:
        """The only database that stays open: closing a run's file is how the web server notices its new events."""
        return self._new_engine(INDEX_SHARD_NAME, pool_size=1, max_overflow=0)

    def _new_engine(self, shard: str, **pool: Any) -> sa.Engine:
        """An engine of a database; it keeps the statements that it has compiled."""
        waits = {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False}
        return sa.create_engine(self.conn_string_for_shard(shard), connect_args=waits, **pool)

    def store_event_batch(self, events: Sequence[dg.EventLogEntry]) -> None:
        """Store the events of one run in one transaction of its database and one of the index."""
        mirrored = [event for event in events if event.dagster_event and event.dagster_event_type in ASSET_EVENTS]
        checks = [event for event in events if event.dagster_event and event.dagster_event_type in ASSET_CHECK_EVENTS]
        if len({event.run_id for event in events}) > 1 or len(mirrored) + len(checks) < len(events):
            super().store_event_batch(events)
            return
        rows = [self._event_to_row(event) for event in events]
        with self.run_connection(events[0].run_id) as connection:
            connection.execute(SqlEventLogStorageTable.insert(), rows)
        with self.index_transaction() as connection:
            insert = SqlEventLogStorageTable.insert()
            ids = [connection.execute(insert, row).lastrowid for row in rows]
            number = dict(zip(map(id, events), ids, strict=True))
            self._store_asset_event_tags(connection, mirrored, [number[id(event)] for event in mirrored])
            # Only the newest event of an asset counts; one kind may update other columns than the next.
            newest = {(event.get_dagster_event().asset_key, event.dagster_event_type): event for event in mirrored}
            for event in newest.values():
                self._store_asset_event(connection, event, number[id(event)])
        for event in checks:
            self.store_asset_check_event(event, number[id(event)])

    def _store_asset_check_evaluation_planned(self, event: dg.EventLogEntry, event_id: int | None) -> None:
        super()._store_asset_check_evaluation_planned(planned_once(event), event_id)

    def remove_run(self, run_id: str) -> int:
        """Remove the events of a run, but not those of assets and checks, which the index has as well; bytes freed."""
        table = SqlEventLogStorageTable
        with self.index_connection() as connection:
            connection.execute(
                table.delete().where(table.c.run_id == run_id, table.c.dagster_event_type.in_(STATUS_EVENTS))
            )
        self._initialized_dbs.discard(run_id)
        database = Path(self.path_for_shard(run_id))
        files = [path for end in ("", "-wal", "-shm") if (path := database.with_name(f"{database.name}{end}")).exists()]
        freed = sum(path.stat().st_size for path in files)
        for path in files:
            path.unlink(missing_ok=True)
        return freed

    def wipe(self) -> None:
        self._index_engine.dispose()
        super().wipe()

    def dispose(self) -> None:
        super().dispose()
        self._index_engine.dispose()
        self._open.close()
