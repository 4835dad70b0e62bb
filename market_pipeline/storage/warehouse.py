"""EDGE: the warehouse, one DuckDB file: read, and replace partitions in one transaction.

Connections are short: DuckDB lets one process write or many read, so nobody holds the file while computing.
Knows tables and SQL; knows nothing of Dagster, of the network, or of what the numbers mean.
"""

import datetime as dt
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from market_pipeline.errors import WarehouseError
from market_pipeline.storage.catalog import WAREHOUSE
from market_pipeline.storage.unusable import refuse, usable
from market_pipeline.storage.upgrade import SCHEMA_VERSION, make, refuse_newer, upgrade, version_of
from market_pipeline.storage.whole_files import remember_source

PIECE = 500_000
"""Rows of a piece of a streamed answer."""

DIGEST = "select count(*) as n, sum(hash(t))::varchar as digest from ({}) t"

FIX = "Restore it from a backup, or move it away and backfill again."
"""Of a damaged warehouse."""


@dataclass(frozen=True)
class Warehouse:
    """One DuckDB file that belongs to one source. Cheap to make; opens nothing until asked."""

    path: Path
    source: str
    config: Mapping[str, Any] = field(default_factory=dict)
    patience: float = 60.0
    """Seconds to wait for another process to let go of the file."""

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
            connection: duckdb.DuckDBPyConnection = attempts(
                duckdb.connect, str(self.path), read_only=read_only, config=dict(self.config)
            )
        except duckdb.Error as error:
            if isinstance(error, duckdb.IOException) and _is_lock_conflict(error):
                raise WarehouseError(
                    f"{self.path} is held by {_holder(error)}, and did not become free within {self.patience:.0f} "
                    "seconds. Close that program (a notebook should read mart.duckdb, not the warehouse), then rerun."
                ) from error
            refuse(self.path, error, FIX)
        # In Jupyter without ipywidgets it is off, and DuckDB refuses to switch it off again.
        shown = connection.execute("select current_setting('enable_progress_bar')").fetchone()
        if shown and shown[0]:
            connection.execute("set enable_progress_bar = false")
        return connection

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
                refuse_newer(self.path, version)
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

    def read(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        """The answer to a query, as an Arrow table."""
        with self.connect() as connection:
            return connection.execute(sql, dict(parameters or {})).to_arrow_table()

    def digest(self, sql: str, parameters: Mapping[str, Any] | None = None) -> tuple[int, int]:
        """The number of rows of an answer and a digest of all their values, whatever their order."""
        return _digest(self.read(DIGEST.format(sql), parameters))

    def schema_version(self) -> int | None:
        """The schema version of the file, which stays as it is; None where there is no file, or no table in it."""
        if not self.path.exists():
            return None
        with self._opened(read_only=True) as connection:
            return version_of(connection)

    def stream(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Iterator[pa.Table]:
        """The answer to a query, piece by piece: what is larger than its grids is never there as a whole."""
        with self.connect() as connection:
            for piece in connection.execute(sql, dict(parameters or {})).to_arrow_reader(PIECE):
                yield pa.Table.from_batches([piece])

    @contextmanager
    def transaction(self, market: str) -> Iterator["Transaction"]:
        """All replacements inside happen together or not at all."""
        with self.connect(read_only=False) as connection:
            connection.execute("begin")
            try:
                yield Transaction(connection, market)
            except BaseException:
                with suppress(duckdb.Error):  # what a full disk has ended already
                    connection.execute("rollback")
                raise
            connection.execute("commit")

    def replace(self, table: str, rows: pa.Table, market: str, first: dt.date, last: dt.date) -> int:
        """Replace one table's rows of the partitions from `first` to `last`; returns the rows written."""
        with self.transaction(market) as transaction:
            return transaction.replace(table, rows, first, last)


@dataclass(frozen=True)
class Transaction:
    """Writes of one market that become visible together.

    DuckDB finds the rows among a method's local variables, by their name `arriving`: what is registered inside a
    transaction stays in memory until it ends.
    """

    connection: duckdb.DuckDBPyConnection
    market: str

    def replace(
        self,
        table: str,
        arriving: pa.Table,
        first: dt.date,
        last: dt.date,
        *,
        symbols: Sequence[str] | None = None,
        keep: str = "false",
    ) -> int:
        """Put `arriving` in the place of the partitions from `first` to `last`, both included.

        Rows outside these partitions are left out, so a caller may compute wider than it writes. With `symbols`,
        only the rows of these are replaced. Stored rows for which the SQL condition `keep` holds stay, and win over
        arriving rows of the same key.
        """
        column = WAREHOUSE[table].partition
        span: dict[str, Any] = {"market": self.market, "first": first, "last": last}
        mine = f"market = $market and {column} between $first and $last"
        if symbols is not None:
            mine += " and list_contains($symbols, symbol)"
            span["symbols"] = list(symbols)
        self.connection.execute(f"delete from {table} where {mine} and not ({keep})", span)
        self._refuse_duplicates(table, arriving)
        where = f"{column} between $first and $last"
        bounds = {"first": first, "last": last, "market": self.market}
        if keep != "false":
            same = " and ".join(f"held.{key} = arriving.{key}" for key in WAREHOUSE[table].key)
            where += f" and not exists (from {table} held where held.market = $market and {same})"
        written = self.connection.execute(
            f"insert into {table} by name select $market as market, * from arriving where {where}", bounds
        ).fetchone()
        return int(written[0]) if written else 0

    def upsert(self, table: str, arriving: pa.Table) -> int:
        """Put each of `arriving` in the place of the stored row of its key, or beside the others; their number."""
        same = " and ".join(f"{table}.{key} = arriving.{key}" for key in WAREHOUSE[table].key)
        self.connection.execute(
            f"delete from {table} using arriving where {table}.market = $market and {same}", {"market": self.market}
        )
        return self.append(table, arriving)

    def read(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        """The answer to a query, as this transaction sees it."""
        return self.connection.execute(sql, dict(parameters or {})).to_arrow_table()

    def digest(self, sql: str, parameters: Mapping[str, Any] | None = None) -> tuple[int, int]:
        """The same of an answer as Warehouse.digest: whether rows that were read before are still the stored ones."""
        return _digest(self.read(DIGEST.format(sql), parameters))

    def replace_all(self, table: str, rows: pa.Table) -> int:
        """Put `rows` in the place of everything the market has in an unpartitioned table."""
        self.connection.execute(f"delete from {table} where market = ?", [self.market])
        return self.append(table, rows)

    def append(self, table: str, arriving: pa.Table) -> int:
        self._refuse_duplicates(table, arriving)
        self.connection.execute(
            f"insert into {table} by name select $market as market, * from arriving", {"market": self.market}
        )
        return int(arriving.num_rows)

    def _refuse_duplicates(self, table: str, arriving: pa.Table) -> None:
        names = WAREHOUSE[table].key
        if not names or not repeated(arriving.select(names)):
            return
        key = ", ".join(names)
        twice = self.connection.execute(
            f"select {key}, count(*) from arriving group by {key} having count(*) > 1 limit 1"
        ).fetchone()
        if twice:
            raise WarehouseError(
                f"Rows for {table} name {dict(zip(names, twice, strict=False))} {twice[-1]} times; a key may appear "
                "once. Nothing was written."
            )


def repeated(keys: pa.Table) -> bool:
    """Whether a combination of values stands in more than one row; a missing value counts as a value."""
    number = np.zeros(keys.num_rows, np.int64)
    combinations = 1
    for column in keys.columns:
        encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
        combinations *= len(encoded.dictionary) or 1
        if combinations > MOST_NUMBERED:
            return True
        number = number * len(encoded.dictionary) + encoded.indices.to_numpy()
    step = np.diff(number)
    return not (step > 0).all() and not np.diff(np.sort(number)).all()


MOST_NUMBERED = 2**62
"""Combinations of key values that one integer can number; with more of them, DuckDB looks for duplicates."""

_current: set[tuple[Path, str, int]] = set()
"""Files, sources and processes for which the version was looked at."""


def _digest(found: pa.Table) -> tuple[int, int]:
    """The number of rows and their digest, as DIGEST selects them."""
    return found["n"][0].as_py(), int(found["digest"][0].as_py() or 0)


def _is_lock_conflict(error: BaseException) -> bool:
    # "lock" alone is also in "block", of which a damaged file complains.
    return isinstance(error, duckdb.IOException) and "Could not set lock" in str(error)


def _holder(error: duckdb.IOException) -> str:
    found = re.search(r"held in (.+?) \(PID (\d+)\)", str(error))
    return f"process {found[2]} ({found[1]})" if found else "another process"
