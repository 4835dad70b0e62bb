"""Whether two data directories hold the same: a digest of the content of each table, clocks left out.

    python benchmarks/digests.py DIRECTORY [DIRECTORY]

With two directories the tables that differ are listed, and the exit status is 1 if any does. Reads warehouses of every
schema version; changes nothing. For the comparison of two versions of the program on real prices, backfill the same
markets file with each, into a directory of its own:

    export MARKET_PIPELINE_SOURCE=files MARKET_PIPELINE_FILES=... MARKET_PIPELINE_CONFIG=markets.toml
    MARKET_PIPELINE_HOME=new market-pipeline backfill --market stocks --start 2024-01-02 --end 2024-12-31
"""

import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path

import duckdb

TABLES = {
    "prices": ("fetched_at", "known_at"),
    "quarantine": ("fetched_at",),
    "restatements": (),
    "coverage": ("asked_at",),
    "indicators": (),
    "forecasts": ("made_at",),
    "tails": (),
    "ranks": (),
    "portfolios": (),
    "portfolio_parts": (),
    "portfolio_weights": (),
    "portfolio_scores": (),
    "scores": (),
    "daily_scores": (),
    "rank_scores": (),
    "pit": (),
    "leaderboard": (),
    "champions": (),
    "tests": (),
    "tried": (),
    "strategies": (),
    "signals": (),
}
"""Each table with its columns that hold the time of a run."""

COUNTED = {"coverage": ("attempts",)}
"""Columns that count requests, so that work done twice has other values than work done once."""


def digests(directory: Path, *, counted: bool = True) -> dict[str, tuple[int, str]]:
    """Rows and a digest of each table, in the order of all columns; without those of COUNTED if they are not wanted.

    An earlier version's directory lacks tables, which are left out.
    """
    with duckdb.connect(str(directory / "warehouse.duckdb"), read_only=True) as connection:
        held = {name for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()}
        return digests_of(connection, counted=counted, tables=[table for table in TABLES if table in held])


def digests_of(
    connection: duckdb.DuckDBPyConnection, *, counted: bool = True, tables: Iterable[str] = TABLES
) -> dict[str, tuple[int, str]]:
    """The same of an open warehouse, be it a file or a lake."""
    found = {}
    for table in tables:
        clocks = TABLES[table]
        without = clocks if counted else clocks + COUNTED.get(table, ())
        left_out = f"exclude ({', '.join(without)})" if without else ""
        found[table] = digest(connection, f"select * {left_out} from {table}")
    return found


def digest(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[int, str]:
    """Rows of a query and a digest of them, in the order of all columns."""
    rows = connection.execute(f"{query} order by all")
    made, count = hashlib.sha256(), 0
    while batch := rows.fetchmany(50_000):
        made.update(repr(batch).encode())
        count += len(batch)
    return count, made.hexdigest()[:16]


def main() -> None:
    directories = [Path(name) for name in sys.argv[1:3]]
    found = [digests(directory) for directory in directories]
    for table in TABLES:
        contents = [each.get(table, (0, "no such table")) for each in found]
        held = [f"{content:>16}  {rows:>9,}" for rows, content in contents]
        print(f"{table:17} {'   '.join(held)}{'' if len(set(held)) == 1 else '   DIFFERENT'}")
    sys.exit(int(len(found) == 2 and found[0] != found[1]))


if __name__ == "__main__":
    main()
