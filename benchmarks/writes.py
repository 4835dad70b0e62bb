"""B9: writing a range of partitions: the warehouse's replacement, and DuckDB's insert without any rule."""

import shutil
from pathlib import Path

import pyarrow.parquet as pq
from generated import warehouse_of
from stopwatch import Stopwatch


def ours(folder: Path, size: float) -> dict[str, float]:
    """One transaction that takes away the range's rows, refuses rows whose key appears twice, and inserts."""
    rows = pq.read_table(folder / "indicators.parquet")
    shutil.rmtree(folder / "written", ignore_errors=True)
    warehouse = warehouse_of(folder / "written")
    first, last = (rows["session"][place].as_py() for place in (0, -1))
    warehouse.replace("indicators", rows.slice(0, 1), "bench", first, first)
    with Stopwatch() as watch:
        warehouse.replace("indicators", rows, "bench", first, last)
    return {"seconds": watch.seconds}


def floor(folder: Path, size: float) -> dict[str, float]:
    """The same rows into a table of a file that exists, with nothing asked of them."""
    import duckdb

    rows = pq.read_table(folder / "indicators.parquet")
    target = folder / "bare.duckdb"
    target.unlink(missing_ok=True)
    with duckdb.connect(str(target)) as connection:
        connection.register("arriving", rows)
        connection.execute("create table indicators as select 'bench' as market, * from arriving limit 0")
    with Stopwatch() as watch, duckdb.connect(str(target)) as connection:
        connection.register("arriving", rows)
        connection.execute("insert into indicators select 'bench', * from arriving")
    return {"seconds": watch.seconds}
