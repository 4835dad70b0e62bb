"""How long a lake takes to open, to read a day and to replace one, as the files in its catalogue become many.

    .venv-cluster/bin/python -m benchmarks.cluster.catalogue [--files 1000,10000,30000]

Postgres runs on this host and the lake's data are in a folder, so that the catalogue is measured and not the store.
Upkeep, which merges files, does not run. A file holds a session of a market.
"""

import argparse
import datetime as dt
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from market_pipeline.config.settings import Settings
from market_pipeline.storage.lake.attachment import NAME, Attachment
from market_pipeline.storage.lake.warehouse import Lake
from market_pipeline.storage.selection import open_warehouse
from market_pipeline.storage.tables.prices import COVERAGE
from market_pipeline_tests.cluster import services

PER_MARKET = 2520
"""Sessions of ten years."""

FIRST = dt.date(2015, 1, 1)

TIMES = 5

A_DAY = "select count(*) as rows from coverage where market = $market and session = $day"


def rows_of(day: dt.date) -> pa.Table:
    """A row of COVERAGE, for any market."""
    schema = COVERAGE.schema
    values = {"session": day, "asked_at": dt.datetime(2026, 1, 1)}  # noqa: DTZ001  UTC, as the table has it
    return pa.table({name: pa.array([values.get(name, 1)], schema.field(name).type) for name in schema.names}, schema)


def add(lake: Attachment, folder: Path, numbers: range) -> None:
    """Write a file for each number, and enter all of them."""
    folder.mkdir()
    for number in numbers:
        rows = rows_of(FIRST + dt.timedelta(days=number % PER_MARKET))
        market = pa.array([f"m{number // PER_MARKET}"])
        pq.write_table(rows.append_column("market", market), folder / f"{number}.parquet")
    with closing(lake.cursor()) as cursor:
        cursor.execute(f"call ducklake_add_data_files('{NAME}', 'coverage', '{folder}/*.parquet')")


def timed(work: Callable[[], object]) -> float:
    """The median of TIMES, in milliseconds."""
    taken = []
    for _ in range(TIMES):
        began = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description="A lake with many files.")
    parser.add_argument("--files", default="1000,10000,30000")
    counts = [int(text) for text in parser.parse_args().files.split(",")]
    with services.postgres() as catalogue, tempfile.TemporaryDirectory() as home:
        os.environ |= {
            "MARKET_PIPELINE_HOME": home, "MARKET_PIPELINE_STORE": f"{home}/store",
            "MARKET_PIPELINE_WAREHOUSE": f"ducklake:postgres:{catalogue.make_database()}",
        }  # fmt: skip
        warehouse = open_warehouse(Settings.from_environment())
        assert isinstance(warehouse, Lake)
        day = FIRST + dt.timedelta(days=100)
        lake = Attachment(warehouse.catalogue, warehouse.store, warehouse.config)  # that of the warehouse
        warehouse.replace("coverage", rows_of(day), "m0", day, day)
        print("| files | open | read a day | replace a day |\n|---|---|---|---|")
        for before, count in zip([0, *counts], counts, strict=False):
            add(lake, Path(home, f"files-{count}"), range(before, count))

            def opened() -> None:
                lake.forget()
                lake.cursor().close()

            taken = (
                timed(opened),
                timed(lambda: warehouse.read(A_DAY, {"market": "m0", "day": day})),
                timed(lambda: warehouse.replace("coverage", rows_of(day), "m0", day, day)),
            )
            print(f"| {count:,} | " + " | ".join(f"{value:.0f} ms" for value in taken) + " |", flush=True)


if __name__ == "__main__":
    main()
