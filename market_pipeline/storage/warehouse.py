"""EDGE: the warehouse, as everybody gets it: read, and replace partitions in one transaction.

What holds the tables, a DuckDB file or a lake, is chosen in selection.py; nobody else asks.
Knows tables and SQL; knows nothing of Dagster, of the network, or of what the numbers mean.
"""

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import pyarrow as pa

from market_pipeline.storage.transaction import Transaction, digest_of

T = TypeVar("T")

MEMORY_LIMIT = "1GB"
"""Of DuckDB in each process; by itself it takes 80 % of the machine, which runs and the web server share. What needs
more waits on disk: with 2 GB, a mart of five years of 402 stocks is written no faster."""

PIECE = 500_000
"""Rows of a piece of a streamed answer."""


class Warehouse(ABC):
    """The tables of one source. Cheap to make; opens nothing until asked."""

    source: str
    config: Mapping[str, Any]
    """Settings of DuckDB: how much memory it may use, and where it sorts on disk."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """What differs between warehouses and is equal for the same one; it has no password."""

    @property
    @abstractmethod
    def scratch(self) -> Path:
        """A folder of this machine for files that wait to be stored."""

    @abstractmethod
    def exists(self) -> bool:
        """Whether it was made; asking does not make it."""

    @abstractmethod
    def schema_version(self) -> int | None:
        """The schema version of what is stored, which stays as it is; None where nothing was made."""

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """The tables at one moment, for as long as it is open: every reading of this thread within it sees these.

        The connection is in a transaction, which reads the warehouse and may write to a database attached to it. Makes
        the tables when there are none, upgrades older ones.
        """

    @abstractmethod
    def write(self, market: str, do: Callable[[Transaction], T]) -> T:
        """Call `do` in a transaction; everything that it writes becomes visible together or not at all.

        It may be called again when the transaction was lost, so it changes nothing else. Returns what it returns.
        """

    @abstractmethod
    def maintain(self, now: dt.datetime) -> dict[str, int]:
        """Remove what past writes have left and no reader needs; what the run's metadata has of it."""

    @abstractmethod
    def inspect(self) -> Iterator[tuple[str, bool, str]]:
        """Each part that the warehouse needs beside the data directory: its name, whether it works, and what it is.

        Where it does not work, how to fix it.
        """

    def read(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        """The answer to a query, as an Arrow table."""
        with self.snapshot() as connection:
            return connection.execute(sql, dict(parameters or {})).to_arrow_table()

    def digest(self, sql: str, parameters: Mapping[str, Any] | None = None) -> tuple[int, int]:
        """The number of rows of an answer and a digest of all their values, whatever their order."""
        with self.snapshot() as connection:
            return digest_of(connection, sql, parameters or {})

    def stream(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Iterator[pa.Table]:
        """The answer to a query, piece by piece: what is larger than its grids is never there as a whole."""
        with self.snapshot() as connection:
            yield from pieces(connection, sql, parameters)

    def replace(self, table: str, rows: pa.Table, market: str, first: dt.date, last: dt.date) -> int:
        """Replace one table's rows of the partitions from `first` to `last`; returns the rows written."""
        return self.write(market, lambda transaction: transaction.replace(table, rows, first, last))


def pieces(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, Any] | None) -> Iterator[pa.Table]:
    """The answer to a query on a connection that is asked nothing else until its end."""
    for piece in connection.execute(sql, dict(parameters or {})).to_arrow_reader(PIECE):
        yield pa.Table.from_batches([piece])
