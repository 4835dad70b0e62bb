"""What a data directory holds, as digests without the times of runs: two with the same content are equal."""

from pathlib import Path
from typing import TypeAlias

import duckdb

from benchmarks.digests import digest
from market_pipeline.orchestration.chain import CHAIN
from market_pipeline.storage.checkpoint import put_back

Contents: TypeAlias = dict[str, tuple[int, str]]
"""Rows and digest of each table; the mart's tables begin with `mart.`."""

REPEATED = {"seconds", "attempt", "attempts", "first_session", "last_session"}
"""Columns that a repeated command changes rightly, beside time stamps: it asks again, for what is still missing."""

COVERAGE = "coverage"

LOG = "outcomes"
"""The log of requests, of which the different lines are compared."""

PASSING = {"meta", "changes", "earlier_signals", "writes"}
"""Tables that depend on the publications and transactions before."""

NOTHING = (0, "e3b0c44298fc1c14")
"""A table without rows, and a table that is not there yet."""

COLUMNS = """
select table_name, list(column_name order by column_index) from duckdb_columns()
where not internal and data_type not like 'TIMESTAMP%' and table_name in (select table_name from duckdb_tables())
group by table_name order by table_name
"""


def contents(data: Path) -> Contents:
    """Of the warehouse and the mart of a data directory, opened as the program opens them; raises DuckDB's error for a
    damaged file.
    """
    found = {}
    for path, prefix in ((data / "warehouse.duckdb", ""), (data / "mart.duckdb", "mart.")):
        if path.exists():
            put_back(path)
            with duckdb.connect(str(path), read_only=True) as connection:
                for table, columns in connection.execute(COLUMNS).fetchall():
                    if table not in PASSING:
                        found[prefix + table] = digest(connection, query_of(table, columns))
    return found


def requests(data: Path) -> frozenset[tuple[str, ...]]:
    """The different lines of the log of requests: a command that is repeated rightly adds one for what it asks then."""
    path = data / "warehouse.duckdb"
    if not path.exists():
        return frozenset()
    with duckdb.connect(str(path), read_only=True) as connection:
        made = connection.execute(
            "select table_name from duckdb_tables() where table_name = $log", {"log": LOG}
        ).fetchall()
        rows = connection.execute(f"select distinct symbol, status, cause from {LOG}").fetchall() if made else []
    return frozenset(rows)


def query_of(table: str, columns: list[str]) -> str:
    """The rows that are compared."""
    kept = ", ".join(column for column in columns if column not in REPEATED)
    return f"select {'distinct' if table == LOG else ''} {kept} from {table}"


def different(one: Contents, other: Contents) -> list[str]:
    """The tables that differ, with their rows."""
    return [
        f"{table} ({one.get(table, NOTHING)[0]} and {other.get(table, NOTHING)[0]} rows)"
        for table in sorted({*one, *other})
        if one.get(table, NOTHING) != other.get(table, NOTHING)
    ]


def partial(found: Contents, before: Contents, after: Contents) -> list[str]:
    """The assets whose tables are not together as before or as after; the mart counts as one asset.

    Coverage is counted after the last bars were stored (decision 14), so it may still be as before.
    """
    groups = {asset.name: {table.name for table in asset.tables} - {COVERAGE} for asset in CHAIN if asset.tables}
    groups["mart"] = {table for table in {*found, *before, *after} if "." in table}
    counted = [one for one in (before, after) if _alike(found, one, {COVERAGE})]
    wrong = [
        asset for asset, tables in groups.items() if not any(_alike(found, one, tables) for one in (before, after))
    ]
    early = counted == [after] and not _alike(found, after, groups["prices"])
    return [*wrong, *([COVERAGE] if early or not counted else [])]


def _alike(one: Contents, other: Contents, tables: set[str]) -> bool:
    return all(one.get(table, NOTHING) == other.get(table, NOTHING) for table in tables)
