"""The warehouse in a lake: several machines read and write it, one process writes at a time."""

import datetime as dt
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import pyarrow as pa

from market_pipeline.errors import WarehouseError
from market_pipeline.storage.lake.attachment import NAME, Attachment
from market_pipeline.storage.lake.catalogue import Catalogue
from market_pipeline.storage.lake.failures import RETRIED_FOR, explained, persistently
from market_pipeline.storage.lake.tables import LakeTransaction, make_tables, upgrade_tables
from market_pipeline.storage.lake.upkeep import keep_up, sizes
from market_pipeline.storage.transaction import Transaction
from market_pipeline.storage.upgrade import SCHEMA_VERSION, refuse_newer
from market_pipeline.storage.warehouse import T, Warehouse, pieces
from market_pipeline.storage.whole_files import remember_source

ORIGIN_ROW = "select source, schema_version from origin_of_data"
COMMITTED = f"select count(*) from {NAME}.snapshots() where commit_extra_info = $token"
MESSAGE = f"call {NAME}.set_commit_message($author, $market, extra_info => $token)"
SERVER = "select current_setting('server_version'), pg_size_pretty(pg_database_size(current_database()))"

_current: set[tuple[Any, ...]] = set()
"""Lakes, sources and processes for which the version was looked at."""

_held = threading.local()
"""The snapshots that this thread has open, by lake."""


@dataclass(frozen=True)
class Lake(Warehouse):
    """A DuckLake that belongs to one source."""

    catalogue: Catalogue
    store: str
    source: str
    folder: Path
    """Of this host, for files that wait to be stored."""
    config: Mapping[str, Any] = field(default_factory=dict)
    patience: float = 600.0
    """Seconds to wait for another process that writes."""
    retried_for: float = RETRIED_FOR

    @property
    def identity(self) -> str:
        return f"{self.catalogue}, data in {self.store}"

    @property
    def scratch(self) -> Path:
        return self.folder

    def exists(self) -> bool:
        return persistently(self._was_made, seconds=self.retried_for)

    def schema_version(self) -> int | None:
        if not self.exists():
            return None
        with self._cursor() as connection:
            return _origin(connection)[1]

    @contextmanager
    def snapshot(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The lake's newest snapshot: writers do not wait for its readers, and change nothing that they see."""
        reading = self._reading
        if reading:
            reading.refuse_while_streaming()
            yield reading.connection
            return
        with self._begun() as connection:
            _held.by_lake = {**getattr(_held, "by_lake", {}), self.identity: Reading(connection)}
            try:
                yield connection
            finally:
                del _held.by_lake[self.identity]

    def read(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        return self._asked(lambda: super(Lake, self).read(sql, parameters))

    def digest(self, sql: str, parameters: Mapping[str, Any] | None = None) -> tuple[int, int]:
        return self._asked(lambda: super(Lake, self).digest(sql, parameters))

    def stream(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Iterator[pa.Table]:
        reading = self._reading
        if reading is None:  # on a connection of its own: what reads it may ask the lake something else meanwhile
            with self._begun() as connection:
                yield from pieces(connection, sql, parameters)
            return
        reading.refuse_while_streaming()
        reading.streaming = True
        try:
            yield from pieces(reading.connection, sql, parameters)
        finally:
            reading.streaming = False

    def write(self, market: str, do: Callable[[Transaction], T]) -> T:
        """Call `do` in a transaction, under the lock of writers, and again when the transaction was lost.

        Where the answer to the commit was lost, what is stored decides whether it has to be done again.
        """
        self._prepare()
        token, results = uuid4().hex, list[T]()

        def attempt() -> T:
            with explained(self.catalogue), self.catalogue.locked(self.patience) as lock:
                if results and self._was_committed(token):
                    return results[0]
                results.clear()
                with self._cursor() as connection:
                    result = self._done(connection, market, do)
                    connection.execute(
                        MESSAGE, {"author": self.catalogue.application, "market": market, "token": token}
                    )
                    lock.verify()
                    results.append(result)
                    self._commit(connection)
                return result

        return persistently(attempt, seconds=self.retried_for)

    def maintain(self, now: dt.datetime) -> dict[str, int]:
        self._prepare()

        def attempt() -> dict[str, int]:
            with explained(self.catalogue), self.catalogue.locked(self.patience), self._cursor() as connection:
                return keep_up(connection, now)

        return persistently(attempt, seconds=self.retried_for)

    def inspect(self) -> Iterator[tuple[str, bool, str]]:
        try:
            with explained(self.catalogue):
                [(version, size)] = self.catalogue.ask(SERVER)
                yield "catalogue", True, f"{self.catalogue}, Postgres {version}, {size}"
        except WarehouseError as error:
            yield "catalogue", False, str(error)
            return
        try:
            with explained(self.catalogue):
                self._attachment.reach_store()
                found = f"data in {self._attachment.data}"
                if self.catalogue.has_lake():
                    with self._cursor() as connection:
                        counted = sizes(connection)
                    found += f": {counted['files']:,} files, {counted['bytes'] / 1e6:,.1f} MB, "
                    found += f"{counted['snapshots']:,} snapshots"
                yield "lake", True, found
        except WarehouseError as error:
            yield "lake", False, str(error)

    @property
    def _attachment(self) -> Attachment:
        return Attachment(self.catalogue, self.store, self.config)

    @property
    def _reading(self) -> "Reading | None":
        """The snapshot that this thread has open."""
        found: Reading | None = getattr(_held, "by_lake", {}).get(self.identity)
        return found

    def _asked(self, question: Callable[[], T]) -> T:
        """The answer to a question; a snapshot that is lost cannot be asked again."""
        return question() if self._reading else persistently(question, seconds=self.retried_for)

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that always closes; what was not committed is undone."""
        try:
            with closing(self._attachment.cursor()) as connection:
                try:
                    yield connection
                finally:
                    with suppress(duckdb.Error):  # closing alone would end the process when Postgres is gone
                        connection.execute("rollback")
        except (duckdb.FatalException, duckdb.InternalException):
            self._attachment.forget()
            raise

    @contextmanager
    def _begun(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection in a transaction that reads one snapshot."""
        self._prepare()
        with explained(self.catalogue), ExitStack() as stack:
            yield persistently(lambda: self._begin(stack), seconds=self.retried_for)

    def _begin(self, stack: ExitStack) -> duckdb.DuckDBPyConnection:
        """A transaction that `stack` ends; one that could not begin has ended already."""
        with explained(self.catalogue), ExitStack() as beginning:
            connection = beginning.enter_context(self._cursor())
            connection.execute("begin")
            self._refuse_another(*_origin(connection))  # the first question decides which snapshot it is
            stack.enter_context(beginning.pop_all())
            return connection

    def _done(self, connection: duckdb.DuckDBPyConnection, market: str, do: Callable[[Transaction], T]) -> T:
        """What `do` returns, in a transaction that is not committed yet."""
        connection.execute("begin")
        self._refuse_another(*_origin(connection))
        transaction = LakeTransaction(connection, market)
        result = do(transaction)
        transaction.refuse_repeated_keys()
        transaction.note_writes()
        return result

    def _commit(self, connection: duckdb.DuckDBPyConnection) -> None:
        """From here until its answer nobody knows whether the transaction is stored."""
        connection.execute("commit")

    def _was_made(self) -> bool:
        with explained(self.catalogue):
            return self.catalogue.has_lake()

    def _was_committed(self, token: str) -> bool:
        """Whether the commit with this token is stored; no other that it may have is under way any more."""
        self.catalogue.end_connections()
        with self._cursor() as connection:
            found = connection.execute(COMMITTED, {"token": token}).fetchone()
        return bool(found and found[0])

    def _prepare(self) -> None:
        """See once per process that the lake has today's tables, and that it belongs to this source."""
        this = (self.identity, self.source, os.getpid())
        if this not in _current:
            persistently(self._make_or_upgrade, seconds=self.retried_for)
            remember_source(self.scratch, self.source)
            _current.add(this)

    def _make_or_upgrade(self) -> None:
        with explained(self.catalogue):
            if not self.catalogue.has_lake():
                with self.catalogue.locked(self.patience):
                    if not self.catalogue.has_lake():  # another host may have made it while this one waited
                        with self._cursor() as connection:
                            make_tables(connection, self.source)
            with self._cursor() as connection:
                source, version = _origin(connection)
            self._refuse_another(source, version)
            if version < SCHEMA_VERSION:
                with self.catalogue.locked(self.patience), self._cursor() as connection:
                    source, version = _origin(connection)
                    if version < SCHEMA_VERSION:
                        upgrade_tables(connection, version)

    def _refuse_another(self, source: str, version: int) -> None:
        """Raise WarehouseError when the lake holds data of another source, or a later program has upgraded it."""
        refuse_newer(self.identity, version)
        if source != self.source:
            raise WarehouseError(
                f"{self.identity} holds {source} data, but the source is now {self.source}; the two never meet in one "
                f"warehouse. Set MARKET_PIPELINE_SOURCE={source}, or give {self.source} another database and store "
                "with MARKET_PIPELINE_WAREHOUSE and MARKET_PIPELINE_STORE."
            )


@dataclass
class Reading:
    """A snapshot that a thread has open."""

    connection: duckdb.DuckDBPyConnection
    streaming: bool = False

    def refuse_while_streaming(self) -> None:
        """DuckDB ends a stream without a word when its connection is asked something else."""
        if self.streaming:
            raise RuntimeError("A stream of this snapshot has not been read to its end; read it first.")


def _origin(connection: duckdb.DuckDBPyConnection) -> tuple[str, int]:
    """The source and the schema version of the lake."""
    found = connection.execute(ORIGIN_ROW).fetchone()
    if found is None:
        raise WarehouseError("The lake's table origin_of_data has no row: it was changed by hand. Restore a backup.")
    return str(found[0]), int(found[1])
