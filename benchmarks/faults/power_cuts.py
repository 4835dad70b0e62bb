"""F2: the power fails at every step of a commit, a publication, a model's saving and the making of a warehouse."""

import datetime as dt
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults import directories, traced
from benchmarks.faults.contents import Contents, different
from benchmarks.faults.directories import Directory
from benchmarks.faults.disk import SURVIVES, Disk, Survives
from benchmarks.faults.forked import Child, FailedError, answer
from benchmarks.faults.protocol import Outcome
from benchmarks.faults.recorded import ACKNOWLEDGED, OPTIONS, Step, steps

MONTH = dt.date(2024, 1, 1)


@dataclass(frozen=True)
class Record:
    """One operation: its steps, what was there before and after, and the step by which it was acknowledged."""

    name: str
    start: Directory
    steps: list[Step]
    acknowledged: int
    before: Contents
    after: Contents


class PowerCuts:
    """Each trial: one operation, one step, one way of forgetting; the directory that is found, opened and read."""

    name = "F2"
    continued = False
    title = "a power cut at every step of a commit, a publication, a model's saving and the making of a warehouse"
    aim = "old or new, never between, nothing acknowledged lost"
    full = 2000
    minutes = 60.0

    def lacking(self) -> str:
        return traced.lacking()

    def prepare(self, folder: Path) -> None:
        self.folder, self.work = folder, Directory(folder / "work")
        full = directories.filled(folder.parent / "filled")
        changed = Directory(folder / "changed")
        changed.become(full)
        answer(lambda: commit(changed), folder)
        starts = {"making a warehouse": directories.empty(folder / "empty"), "a publication": changed}
        self.records = [self._record(name, starts.get(name, full)) for name in OPERATIONS]

    def _record(self, name: str, start: Directory) -> Record:
        self.work.become(start)
        self.work.data.mkdir(exist_ok=True)
        before, log = self._contents(), self.folder / "strace.log"

        def work() -> int:
            OPERATIONS[name](self.work)
            os.write(1, ACKNOWLEDGED)
            return 0

        child = Child(work, self.folder / "operation.txt", waits=True)
        ended = traced.run_traced(child, log, *OPTIONS)
        if ended.status:
            raise FailedError(f"{name} ended with {ended.status}: {ended.output[-500:]}")
        taken, acknowledged = steps(log, self.work.data)
        if acknowledged < 0 or not taken:
            raise FailedError(f"The record of {name} is incomplete.")
        return Record(name, start, taken, acknowledged, before, self._contents())

    def trial(self, seed: int) -> Outcome:
        """Seeds in turn: every operation, every step, every way; beyond these, other random parts."""
        record, cut, survives = self._place(seed)
        self.work.become(record.start)
        disk = Disk(self.work.data)
        for step in record.steps[:cut]:
            disk.take(step)
        found = disk.after_power_cut(survives, random.Random(f"{self.name} {seed}"))
        shutil.rmtree(self.work.data, ignore_errors=True)
        for path, content in found.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        kind = f"{record.name}: {survives} survives"
        where = f"{'after' if cut >= record.acknowledged else 'before'} it was acknowledged, at step {cut} of "
        where += f"{len(record.steps)}"
        try:
            now = self._contents()
        except FailedError as error:
            return Outcome(kind, f"{where}: {error}")
        lost = different(now, record.after)
        if lost and cut >= record.acknowledged:
            return Outcome(kind, f"{where}: acknowledged, but lost: {', '.join(lost)}")
        if lost and different(now, record.before):
            return Outcome(kind, f"{where}: neither as before nor as after: {', '.join(lost)}")
        return Outcome(kind)

    def _place(self, seed: int) -> tuple[Record, int, Survives]:
        """The operations in turn; of each one, every step with every way, shuffled, then the same again."""
        record = self.records[seed % len(self.records)]
        cuts = [(cut, survives) for cut in range(len(record.steps) + 1) for survives in SURVIVES]
        random.Random(record.name).shuffle(cuts)
        cut, survives = cuts[seed // len(self.records) % len(cuts)]
        return record, cut, survives

    def _contents(self) -> Contents:
        """Tables as the program reads them, and the models that the registry names, loaded."""
        found = self.work.contents()
        found["artifacts"] = answer(lambda: models_of(self.work), self.folder)
        return found


def models_of(directory: Directory) -> tuple[int, str]:
    """How many models the registry names; raises WarehouseError where one cannot be loaded."""
    from market_pipeline.storage.artifacts import load
    from market_pipeline.storage.duckdb_file import DuckDBFile
    from market_pipeline.storage.store import FolderStore

    if not directory.warehouse.exists():
        return 0, ""
    rows = DuckDBFile(directory.warehouse, directory.source).read("select path, sha256 from models").to_pylist()
    for row in rows:
        load(FolderStore(directory.data), row["path"], row["sha256"])
    return len(rows), ""


def commit(directory: Directory) -> None:
    """Replace the rows of a session by others, as an asset does."""
    from market_pipeline.storage.duckdb_file import DuckDBFile

    warehouse, day = DuckDBFile(directory.warehouse, directory.source), dt.date(2024, 2, 20)
    rows = warehouse.read(
        "select * exclude (market) replace (gap_sma_20 + 1 as gap_sma_20) from indicators where session >= $day",
        {"day": day},
    )
    warehouse.replace("indicators", rows, "stocks", day, dt.date(2024, 2, 21))


def publication(directory: Directory) -> None:
    """Publish a warehouse that has changed since the last time."""
    from market_pipeline.config.markets_file import configured_markets
    from market_pipeline.config.settings import Settings
    from market_pipeline.mart.publish import publish
    from market_pipeline.storage.duckdb_file import DuckDBFile

    settings = Settings.from_environment(os.environ | directory.environment)
    warehouse = DuckDBFile(directory.warehouse, directory.source)
    publish(warehouse, configured_markets(settings), directory.mart, dt.datetime.now(dt.UTC))


def saving(directory: Directory) -> None:
    """Save a model and register it."""
    import numpy as np

    from market_pipeline.storage.artifacts import save, serialised
    from market_pipeline.storage.duckdb_file import DuckDBFile
    from market_pipeline.storage.store import FolderStore

    warehouse, content = DuckDBFile(directory.warehouse, directory.source), serialised({"numbers": np.arange(5000.0)})
    path, digest = save(content, FolderStore(directory.data), f"stocks/random_walk/{MONTH}")
    rows = warehouse.read("select * exclude (market) from models where model = 'random_walk' limit 1")
    named = {"month": MONTH, "trained_through": dt.date(2023, 12, 29), "path": path,
             "sha256": digest, "bytes": len(content)}  # fmt: skip
    import pyarrow as pa

    changed = pa.Table.from_pylist([rows.to_pylist()[0] | named], schema=rows.schema)
    warehouse.replace("models", changed, "stocks", MONTH, MONTH)


def making(directory: Directory) -> None:
    """Make a warehouse and the note of its source."""
    from market_pipeline.storage.duckdb_file import DuckDBFile

    DuckDBFile(directory.warehouse, directory.source).read("select 1")


OPERATIONS: dict[str, Callable[[Directory], None]] = {
    "a commit": commit,
    "a publication": publication,
    "a model's saving": saving,
    "making a warehouse": making,
}
