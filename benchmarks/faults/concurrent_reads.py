"""F5: the mart and the warehouse read while they are written, published and replaced."""

import datetime as dt
import os
import time
from pathlib import Path

from benchmarks.faults import directories
from benchmarks.faults.directories import Directory
from benchmarks.faults.forked import Child, answer
from benchmarks.faults.protocol import Outcome

BATCH = 250
"""Reads of a trial."""

WAREHOUSE_EVERY = 50
"""One of so many reads is of the warehouse, where it waits for the writer."""

MARKED = {"prices": "volume", "indicators": "macd_histogram", "coverage": "expected"}
"""Tables and columns that the writer sets to one number in one transaction, again and again."""

READ = "select " + ", ".join(
    f"(select count(*) from {table}), (select min({column}) from {table}), (select max({column}) from {table})"
    for table, column in MARKED.items()
)


class ConcurrentReads:
    """Each trial: one process writes and publishes, another reads; every read must be of one writing."""

    name = "F5"
    continued = False
    title = "reads while the warehouse is written and the mart is published"
    aim = "10,000 reads: 0 failed, 0 torn"
    full = 10_000
    minutes = 60.0

    def lacking(self) -> str:
        return ""

    def prepare(self, folder: Path) -> None:
        self.folder = folder
        self.work = Directory(folder / "work")
        self.work.become(directories.filled(folder.parent / "filled"))
        self.stop = folder / "stop"
        self.stop.touch()
        answer(lambda: write(self.work, self.stop), folder)

    def trial(self, seed: int) -> Outcome:  # noqa: ARG002  it has no draw
        """A batch of reads."""
        self.stop.unlink(missing_ok=True)
        writer = Child(lambda: write(self.work, self.stop), self.folder / "writer.txt")
        try:
            failed, torn, seen = answer(lambda: read(self.work), self.folder)
        finally:
            self.stop.touch()
            written = writer.wait()
        fault = failed or torn or (f"The writer failed: {written.output[-300:]}" if written.status else "")
        return Outcome("reads", fault, count=BATCH, numbers={"publications during 250 reads": seen})


def write(directory: Directory, stop: Path) -> int:
    """Mark the tables with the next number and publish, until `stop` is there; once at least."""
    from market_pipeline.config.markets_file import configured_markets
    from market_pipeline.config.settings import Settings
    from market_pipeline.mart.publish import publish
    from market_pipeline.storage.duckdb_file import DuckDBFile

    settings = Settings.from_environment(os.environ | directory.environment)
    warehouse, markets = DuckDBFile(settings.warehouse_file, settings.source), configured_markets(settings)
    number = int(warehouse.read("select max(expected) as n from coverage")["n"][0].as_py())
    while True:
        number += 1
        with warehouse.transaction("stocks") as transaction:
            for table, column in MARKED.items():
                rows = transaction.read(f"select * exclude (market) replace ({number}.0 as {column}) from {table}")
                days = rows["session"].to_pylist()
                transaction.replace(table, rows, min(days), max(days))
        publish(warehouse, markets, directory.mart, dt.datetime.now(dt.UTC))
        if stop.exists():
            return 0


def read(directory: Directory) -> tuple[str, str, int]:
    """The first failed read, the first torn one, and how many publications the reads saw."""
    from market_pipeline.mart.read import query
    from market_pipeline.storage.duckdb_file import DuckDBFile

    warehouse = DuckDBFile(directory.warehouse, directory.source)
    failed, torn, newest, seen, rows = "", "", 0.0, set(), None
    for number in range(BATCH):
        in_warehouse = number % WAREHOUSE_EVERY == 0
        try:
            answered = warehouse.read(READ) if in_warehouse else query(directory.mart, READ)
        except Exception as error:  # noqa: BLE001  any failure of a read counts
            failed = failed or f"A read failed: {type(error).__name__}: {error}"
            continue
        found = [column[0].as_py() for column in answered.columns]
        counts, marks = found[::3], {float(value) for place, value in enumerate(found) if place % 3}
        rows = rows or counts
        if len(marks) > 1 or counts != rows:
            torn = torn or f"A read saw {found}"
        elif not in_warehouse:
            if max(marks) < newest:
                torn = torn or f"A read saw publication {max(marks)} after {newest}"
            newest = max(marks)
            seen.add(newest)
        time.sleep(0.005)
    return failed, torn, len(seen)
