"""Writes of one market that become visible together, in whatever holds the tables.

Knows tables and SQL; knows nothing of Dagster, of the network, or of what the numbers mean.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from market_pipeline.errors import WarehouseError
from market_pipeline.storage.catalog import WAREHOUSE
from market_pipeline.storage.writes import note

DIGEST = "select count(*) as n, sum(hash(t))::varchar as digest from ({}) t"


@dataclass(frozen=True)
class Transaction:
    """Writes of one market that become visible together.

    DuckDB finds the rows among a method's local variables, by their name `arriving`: what is registered inside a
    transaction stays in memory until it ends.
    """

    connection: duckdb.DuckDBPyConnection
    market: str
    firsts: dict[str, dt.date] = field(default_factory=dict)
    """By table with partitions: the first one that was written to."""

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
        self._wrote(table, first)
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
        return self._insert(table, arriving, where, bounds)

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
        return digest_of(self.connection, sql, parameters or {})

    def replace_all(self, table: str, rows: pa.Table) -> int:
        """Put `rows` in the place of everything the market has in an unpartitioned table."""
        self.connection.execute(f"delete from {table} where market = ?", [self.market])
        return self.append(table, rows)

    def append(self, table: str, arriving: pa.Table) -> int:
        self._refuse_duplicates(table, arriving)
        if (partition := WAREHOUSE[table].partition) and arriving.num_rows:
            self._wrote(table, pc.min(arriving[partition]).as_py())
        return self._insert(table, arriving, "true", {"market": self.market})

    def note_writes(self) -> None:
        """Remember which partitions were written to, before the transaction is committed."""
        note(self.connection, self.market, self.firsts)

    def _wrote(self, table: str, first: dt.date) -> None:
        self.firsts[table] = min(first, self.firsts.get(table, first))

    def _insert(
        self,
        table: str,
        arriving: pa.Table,  # noqa: ARG002  DuckDB finds it by its name
        where: str,
        values: Mapping[str, Any],
    ) -> int:
        """Write the arriving rows for which a condition holds; their number."""
        written = self.connection.execute(
            f"insert into {table} by name select $market as market, * from arriving where {where}", dict(values)
        ).fetchone()
        return int(written[0]) if written else 0

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


def digest_of(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, Any]) -> tuple[int, int]:
    """The number of rows of an answer and a digest of all their values, whatever their order."""
    found = connection.execute(DIGEST.format(sql), dict(parameters)).to_arrow_table()
    return found["n"][0].as_py(), int(found["digest"][0].as_py() or 0)
