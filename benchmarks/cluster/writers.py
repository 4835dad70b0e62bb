"""Two hosts that write the same new partition at the same moment, once a second; a program that each of them runs.

    python -m benchmarks.cluster.writers NAME FIRST-MOMENT COUNT

Prints the sessions whose write was acknowledged.
"""

import datetime as dt
import json
import sys
import time

import pyarrow as pa

from market_pipeline.config.settings import Settings
from market_pipeline.storage.selection import open_warehouse
from market_pipeline.storage.warehouse import Warehouse

MARKET = "written"
SYMBOLS = tuple(f"S{number}" for number in range(8))
FIRST = dt.date(2001, 1, 1)
EVERY = 2.0
"""Seconds from one write to the next."""

FOUND = """
select count(*) as rows, count(distinct (session, symbol)) as keys, count(distinct session) as sessions
from indicators where market = $market
"""
MIXED = """
select count(*) as mixed from (
    select session from indicators where market = $market group by session having count(distinct gap_sma_200) > 1
)
"""


def rows_of(writer: float, session: dt.date) -> pa.Table:
    """A partition that one writer would write; one value shows whose its rows are."""
    count = len(SYMBOLS)
    return pa.table({
        "symbol": pa.array(SYMBOLS),
        "session": pa.array([session] * count, pa.date32()),
        "gap_sma_200": pa.array([writer] * count),
    })  # fmt: skip


def write(warehouse: Warehouse, writer: float, began: float, count: int) -> list[str]:
    """The sessions that were written, each at its moment."""
    done = []
    for number in range(count):
        time.sleep(max(0.0, began + EVERY * number - time.time()))
        session = FIRST + dt.timedelta(days=number)
        warehouse.replace("indicators", rows_of(writer, session), MARKET, session, session)
        done.append(session.isoformat())
    return done


def found(warehouse: Warehouse) -> dict[str, int]:
    """Rows, keys, sessions, and sessions with rows of both writers."""
    parameters = {"market": MARKET}
    return {
        name: column[0].as_py()
        for rows in (warehouse.read(FOUND, parameters), warehouse.read(MIXED, parameters))
        for name, column in zip(rows.column_names, rows.columns, strict=True)
    }


def main() -> None:
    warehouse = open_warehouse(Settings.from_environment())
    if sys.argv[1] == "found":
        print(json.dumps(found(warehouse)))
    else:
        print(json.dumps(write(warehouse, float(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))))


if __name__ == "__main__":
    main()
