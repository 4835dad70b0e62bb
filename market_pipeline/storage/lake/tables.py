"""The tables of a lake: made from the declarations of the file's, and what a lake itself does not refuse.

DuckLake has no CHECK and no key. Both are looked at within the transaction, before it is committed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from market_pipeline.errors import WarehouseError
from market_pipeline.storage.catalog import WAREHOUSE, WAREHOUSE_VIEWS
from market_pipeline.storage.schema import Table, View
from market_pipeline.storage.transaction import Transaction
from market_pipeline.storage.upgrade import CONVERSIONS, ORIGIN, SCHEMA_VERSION
from market_pipeline.storage.writes import WRITES


def make_tables(connection: duckdb.DuckDBPyConnection, source: str) -> None:
    """All tables and views without rows, for data of `source`, in one transaction."""
    connection.execute("begin")
    connection.execute(ORIGIN)
    connection.execute(WRITES)
    _declare(connection, (*WAREHOUSE.values(), *WAREHOUSE_VIEWS))
    connection.execute("insert into origin_of_data values (?, ?)", [source, SCHEMA_VERSION])
    connection.execute("commit")


def upgrade_tables(connection: duckdb.DuckDBPyConnection, version: int) -> None:
    """Bring the tables of an older version to SCHEMA_VERSION, in one transaction."""
    connection.execute("begin")
    stored = {name for (name,) in connection.execute("select table_name from information_schema.tables").fetchall()}
    for name, query in CONVERSIONS[version].items():
        if name not in stored:
            continue
        # The query names the tables of the older version by the schema `old`, which a file has and a lake has not.
        connection.execute(f"create temp table converted as {query.replace('from old.', 'from ')}")
        connection.execute(f"drop table {name}")
        _declare(connection, (WAREHOUSE[name],))
        connection.execute(f"insert into {name} by name select {', '.join(WAREHOUSE[name].names)} from converted")
        connection.execute("drop table converted")
    _declare(connection, (*(table for table in WAREHOUSE.values() if table.name not in stored), *WAREHOUSE_VIEWS))
    connection.execute(WRITES)
    connection.execute("update origin_of_data set schema_version = ?", [SCHEMA_VERSION])
    connection.execute("commit")


def _declare(connection: duckdb.DuckDBPyConnection, declared: Sequence[Table | View]) -> None:
    for one in declared:
        statements = one.ddl(constraints=False) if isinstance(one, Table) else one.ddl()
        for statement in statements:
            connection.execute(statement)


@dataclass(frozen=True)
class LakeTransaction(Transaction):
    """A transaction that refuses what the file's own constraints and one writer at a time would."""

    written: dict[str, list[Any]] = field(default_factory=dict)
    """By table: the first and last values of its partition column that arrived; nothing for a table without one."""

    def _insert(self, table: str, arriving: pa.Table, where: str, values: Mapping[str, Any]) -> int:
        """As in a file; raises DuckDB's error of a CHECK that a row breaks."""
        declared = WAREHOUSE[table]
        self._refuse_broken(declared, arriving, where, values)
        if declared.key and arriving.num_rows:
            ends = pc.min_max(arriving[declared.partition]).as_py().values() if declared.partition else ()
            self.written.setdefault(table, []).extend(ends)
        return super()._insert(table, arriving, where, values)

    def _refuse_broken(
        self,
        table: Table,
        arriving: pa.Table,  # noqa: ARG002  DuckDB finds it by its name
        where: str,
        values: Mapping[str, Any],
    ) -> None:
        if not table.conditions:
            return
        broken = ", ".join(f"coalesce(bool_or(not ({condition})), false)" for condition in table.conditions)
        rows = "(select $market as market, * from arriving) arriving"
        found = self.connection.execute(f"select {broken} from {rows} where {where}", dict(values)).fetchone()
        for condition, is_broken in zip(table.conditions, found or (), strict=True):
            if is_broken:
                raise duckdb.ConstraintException(
                    f"Constraint Error: CHECK constraint failed on table {table.name} with expression "
                    f"CHECK(({condition}))"
                )

    def refuse_repeated_keys(self) -> None:
        """Raise WarehouseError when a key of what was written is stored more than once."""
        for table, days in self.written.items():
            key = ", ".join(WAREHOUSE[table].key)
            where, values = "market = $market", {"market": self.market}
            if days:
                where += f" and {WAREHOUSE[table].partition} between $first and $last"
                values |= {"first": min(days), "last": max(days)}
            found = self.connection.execute(
                f"select {key}, count(*) from {table} where {where} group by {key} having count(*) > 1 limit 1", values
            ).fetchone()
            if found:
                raise WarehouseError(
                    f"{table} would have {dict(zip(WAREHOUSE[table].key, found, strict=False))} of {self.market} "
                    f"{found[-1]} times; a key may appear once. Nothing was written. Replace the partition: "
                    "materialise it again."
                )
