"""Which partitions each transaction has written: a mart that was published before lacks these and no others.

A table of the warehouse beside the declared ones. A transaction adds a row for each table with partitions that it has
written to, with the first of them. Rows have the id of their transaction: a warehouse that was restored, upgraded or
begun again does not have the id that the mart names, and is published as a whole.
"""

import datetime as dt
from collections.abc import Mapping
from uuid import uuid4

import duckdb

WRITES = (
    "create table if not exists writes (market varchar not null, number bigint not null, id varchar not null, "
    "table_name varchar not null, first date not null)"
)

NUMBER = "select coalesce(max(number), 0) + 1 from writes where market = ?"
NEWEST = "select market, max_by(id, number) as last_write from writes group by market"
SINCE = """
select table_name, min(first) from writes where market = $market and number > (
    select number from writes where market = $market and id = $id limit 1
) group by table_name
"""
KNOWN = "select count(*) from writes where market = $market and id = $id"

KEPT = 1000
"""Transactions of a market that are remembered; a mart that is older is published as a whole."""


def note(connection: duckdb.DuckDBPyConnection, market: str, firsts: Mapping[str, dt.date]) -> None:
    """Remember, in a transaction, the first partition that it has written to in each table."""
    if not firsts:
        return
    [(number,)] = connection.execute(NUMBER, [market]).fetchall()
    this = uuid4().hex
    for table, first in firsts.items():
        connection.execute("insert into writes values (?, ?, ?, ?, ?)", [market, number, this, table, first])
    if number % KEPT == 0:
        connection.execute("delete from writes where market = ? and number <= ?", [market, number - KEPT])


def since(
    connection: duckdb.DuckDBPyConnection, published: Mapping[str, str | None]
) -> dict[tuple[str, str], dt.date] | None:
    """By table and market, the first partition that was written after the market's transaction of this id.

    None where a market has no id, or an id is not remembered.
    """
    found: dict[tuple[str, str], dt.date] = {}
    if published.keys() != dict(connection.execute(NEWEST).fetchall()).keys():
        return None
    for market, last in published.items():
        named = {"market": market, "id": last}
        if connection.execute(KNOWN, named).fetchall() == [(0,)]:
            return None
        found |= {(table, market): first for table, first in connection.execute(SINCE, named).fetchall()}
    return found
