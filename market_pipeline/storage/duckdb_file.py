"""The warehouse in one DuckDB file.

Connections are short: DuckDB lets one process write or many read, so nobody holds the file while computing.
Knows tables and SQL; knows nothing of Dagster, of the network, or of what the numbers mean.
"""

import datetime as dt
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from market_pipeline.errors import WarehouseError
from market_pipeline.storage.checkpoint import commit, put_back
from market_pipeline.storage.transaction import Transaction
from market_pipeline.storage.unusable import refuse, usable
from market_pipeline.storage.upgrade import SCHEMA_VERSION, make, refuse_newer, upgrade, version_of
from market_pipeline.storage.warehouse import T, Warehouse
from market_pipeline.storage.whole_files import remember_source

OFFLINE = {"autoinstall_known_extensions": False}
"""A file of another kind is an error, and not a reason to fetch an extension that reads it."""

FIX = "Restore it from a backup, or move it away and backfill again."
"""Of a damaged warehouse."""


@dataclass(frozen=True)
class DuckDBFile(Warehouse):
    """One DuckDB file that belongs to one source."""

    path: Path
    source: str
    config: Mapping[str, Any] = field(default_factory=dict)
    patience: float = 60.0
    """Seconds to wait for another process to let go of the file."""

    @property
    def identity(self) -> str:
        return str(self.path)

    @property
    def scratch(self) -> Path:
        """The file's own folder: what waits there is written to the same disk."""
        return self.path.parent

    def exists(self) -> bool:
        return self.path.exists()

    @contextmanager
    def connect(self, *, read_only: bool = True) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that always closes. Makes the file and its tables when there are none, upgrades older ones."""
        self._prepare()
        with self._opened(read_only=read_only) as connection:
            self._refuse_other_source(connection)
            yield connection

    @contextmanager
    def _opened(self, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        """The file as it is, with whatever tables; raises WarehouseError when it cannot be read or written."""
        with usable(self.path, FIX), closing(self._open(read_only=read_only)) as connection:
            yield connection

    def _open(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        attempts = Retrying(
            retry=retry_if_exception(_is_lock_conflict),
            stop=stop_after_delay(self.patience),
            wait=wait_random(0.02, 0.3),
            reraise=True,
        )
        try:
            connection: duckdb.DuckDBPyConnection = attempts(self._connected, read_only=read_only)
        except duckdb.Error as error:
            if isinstance(error, duckdb.IOException) and _is_lock_conflict(error):
                raise WarehouseError(
                    f"{self.path} is held by {_holder(error)}, and did not become free within {self.patience:.0f} "
                    "seconds. Close that program (a notebook should read mart.duckdb, not the warehouse), then rerun."
                ) from error
            refuse(self.path, error, FIX)
        if not read_only:
            connection.execute("pragma disable_checkpoint_on_shutdown")  # a commit makes its own
        # In Jupyter without ipywidgets it is off, and DuckDB refuses to switch it off again.
        shown = connection.execute("select current_setting('enable_progress_bar')").fetchone()
        if shown and shown[0]:
            connection.execute("set enable_progress_bar = false")
        return connection

    def _connected(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        put_back(self.path)
        return duckdb.connect(str(self.path), read_only=read_only, config={**OFFLINE, **self.config})

    def _prepare(self) -> None:
        """See once per process that the file has today's tables, and that it belongs to this source."""
        this = (self.path, self.source, os.getpid())
        if this in _current and self.path.exists():
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        version = None
        if self.path.exists():
            with self._opened(read_only=True) as connection:
                version = version_of(connection)
                refuse_newer(self.identity, version)
                if version is not None:
                    self._refuse_other_source(connection)
        if version is None:
            with usable(self.path, FIX):
                make(self.path, self.source, self.config)
            with self._opened(read_only=True) as connection:  # another process may have made it, for another source
                self._refuse_other_source(connection)
        elif version < SCHEMA_VERSION:
            with usable(self.path, FIX):
                upgrade(self.path, self.source, self.config, partial(self._open, read_only=False))
        remember_source(self.path.parent, self.source)
        _current.add(this)

    def _refuse_other_source(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Raise WarehouseError when the file holds data of another source than this one."""
        row = connection.execute("select source from origin_of_data").fetchone()
        if row is not None and row[0] != self.source:
            raise WarehouseError(
                f"{self.path} holds {row[0]} data, but the source is now {self.source}; the two never meet in one "
                f"warehouse. Set MARKET_PIPELINE_SOURCE={row[0]}, or give {self.source} another directory with "
                "MARKET_PIPELINE_HOME."
            )

    def schema_version(self) -> int | None:
        """The schema version of the file, which stays as it is; None where there is no file, or no table in it."""
        if not self.path.exists():
            return None
        with self._opened(read_only=True) as connection:
            return version_of(connection)

    @contextmanager
    def snapshot(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The file, open for reading: as long as it is open, no other process can write to it."""
        with self.connect() as connection:
            connection.execute("begin")
            yield connection

    @contextmanager
    def transaction(self, market: str) -> Iterator[Transaction]:
        """All writes inside happen together or not at all."""
        with self.connect(read_only=False) as connection:
            connection.execute("begin")
            try:
                transaction = Transaction(connection, market)
                yield transaction
                transaction.note_writes()
            except BaseException:
                with suppress(duckdb.Error):  # what a full disk has ended already
                    connection.execute("rollback")
                raise
            commit(connection, self.path)

    def write(self, market: str, do: Callable[[Transaction], T]) -> T:
        with self.transaction(market) as transaction:
            return do(transaction)

    def inspect(self) -> Iterator[tuple[str, bool, str]]:
        """Nothing: the file is all."""
        return iter(())

    def maintain(self, now: dt.datetime) -> dict[str, int]:  # noqa: ARG002  a file needs no upkeep
        """Nothing: DuckDB uses the space of replaced rows again."""
        return {}


_current: set[tuple[Path, str, int]] = set()
"""Files, sources and processes for which the version was looked at."""


def _is_lock_conflict(error: BaseException) -> bool:
    # "lock" alone is also in "block", of which a damaged file complains.
    return isinstance(error, duckdb.IOException) and "Could not set lock" in str(error)


def _holder(error: duckdb.IOException) -> str:
    found = re.search(r"held in (.+?) \(PID (\d+)\)", str(error))
    return f"process {found[2]} ({found[1]})" if found else "another process"
