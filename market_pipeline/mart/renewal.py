"""What a new mart can take over from the one before: every partition that no transaction has written to since.

The new file is a copy of the published one, in which the partitions from the first that was written to are replaced.
They come after the others, so the rows of one symbol or model lie in the order that they would have in a mart that is
written as a whole; but a symbol's rows are no longer all in one place. When an eighth of all rows were appended in this
way, the mart is written as a whole again.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb

from market_pipeline import __version__
from market_pipeline.storage.catalog import PUBLISHED
from market_pipeline.storage.publication import digest_beside
from market_pipeline.storage.schema import Table
from market_pipeline.storage.upgrade import SCHEMA_VERSION
from market_pipeline.storage.writes import since

PARTITIONED = tuple(table for table in PUBLISHED if table.partition)

APPENDED = 1 / 8
"""Of all rows: a mart with more of them out of their place is written as a whole."""

COUNT = "select market, {partition}, count(*) from {name} group by all"
"""Of one table: DuckDB 1.5.6 never ends, on two threads, where one query unites those of all large tables."""

STATE = "select market, last_write, appended_rows, schema_version, code_version from meta"

Counts = Mapping[tuple[str, str, dt.date], int]
"""The rows of each table, market and partition."""


@dataclass(frozen=True)
class Renewal:
    """What to replace in the published mart."""

    firsts: Mapping[tuple[str, str], dt.date]
    """The first partition that is replaced, by table and market."""
    appended: int
    """Rows that will be out of their place, those of earlier publications included."""


def renewal_of(connection: duckdb.DuckDBPyConnection, mart: Path) -> Renewal | None:
    """How `mart` becomes one of the warehouse that the connection reads; None where it is to be written as a whole."""
    published = _published(mart)
    if published is None:
        return None
    last_writes, appended, before = published
    firsts = since(connection, last_writes)
    if firsts is None:
        return None
    now = _counts(connection)
    replaced = {key for key in before.keys() | now.keys() if (first := firsts.get(key[:2])) and key[2] >= first}
    # Somebody else than this program may have written to the warehouse.
    if any(before.get(key) != now.get(key) for key in (before.keys() | now.keys()) - replaced):
        return None
    appended += sum(now.get(key, 0) for key in replaced)
    return Renewal(firsts, appended) if appended <= APPENDED * sum(now.values()) else None


def renew(connection: duckdb.DuckDBPyConnection, table: Table, rows: str, order: str, renewal: Renewal) -> None:
    """Replace in `mart`, a copy of the published one, the partitions of a table, with the rows of a query."""
    for (name, market), first in renewal.firsts.items():
        if name == table.name:
            where = f"market = $market and {table.partition} >= $first"
            named = {"market": market, "first": first}
            connection.execute(f"delete from mart.{name} where {where}", named)
            connection.execute(f"insert into mart.{name} {rows} where {where} order by {order}", named)


def _published(mart: Path) -> tuple[dict[str, str | None], int, Counts] | None:
    """Each market's last transaction in a mart, its appended rows, its counts; None for none of this version."""
    if not mart.exists() or not digest_beside(mart).exists():
        return None
    with suppress(duckdb.Error), closing(duckdb.connect(str(mart), read_only=True)) as connection:
        rows: Sequence[tuple[str, str | None, int, int, str]] = connection.execute(STATE).fetchall()
        if {row[3:] for row in rows} == {(SCHEMA_VERSION, __version__)}:
            return {row[0]: row[1] for row in rows}, rows[0][2], _counts(connection)
    return None


def _counts(connection: duckdb.DuckDBPyConnection) -> Counts:
    return {
        (table.name, market, day): rows
        for table in PARTITIONED
        for market, day, rows in connection.execute(COUNT.format(name=table.name, partition=table.partition)).fetchall()
    }
