"""F7: files, names and configurations that are broken or meant to harm; nothing may hang, escape or be executed."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb

from benchmarks.faults import directories, hostile_files, hostile_settings
from benchmarks.faults.directories import Directory
from benchmarks.faults.flipped_bits import UNCLEAR
from benchmarks.faults.forked import Child, FailedError, answer, command
from benchmarks.faults.protocol import Outcome
from market_pipeline.storage.tables.prices import BAR_RULES

PATIENCE = 60.0
"""Seconds after which a command on these small inputs counts as hung."""

MARKETS = """
[coins]
calendar = "24/7"
start = 2024-01-01
symbols = ["AAA", "BBB", "SOL-USD"]
"""
ARGUMENTS = (
    "backfill", "--market", "coins", "--start", "2024-01-01", "--end", "2024-01-10", "--assets", "prices",
)  # fmt: skip
READING = (("doctor", "--port", "9"), ("forecast", "--json"))
MODEL = "models that execute something"

IMPOSSIBLE = f"select count(*) from prices where not ({' and '.join(f'({rule})' for rule in BAR_RULES.values())})"


class HostileInputs:
    """Each trial: one hostile input, a backfill of its bars, then doctor and forecast."""

    name = "F7"
    continued = False
    title = "hostile files, names and configurations"
    aim = "0 hangs, 0 raw exceptions, 0 impossible bars, nothing executed"
    full = 2000
    minutes = 120.0

    def lacking(self) -> str:
        return ""

    def prepare(self, folder: Path) -> None:
        self.folder = folder
        self.canary = folder / "canary"
        self.trained = directories.filled(folder.parent / "filled")
        self.outside = folder / "outside"
        self.outside.mkdir(exist_ok=True)
        (self.outside / "untouched").write_text("untouched", encoding="utf-8")

    def trial(self, seed: int) -> Outcome:
        draw = random.Random(f"{self.name} {seed}")
        makers: dict[str, Callable[..., None]] = {**hostile_files.MAKERS, **hostile_settings.MAKERS}
        kinds = [*sorted(makers), MODEL]
        kind = kinds[seed % len(kinds)]
        if kind == MODEL:
            return self._model(draw)
        work = Directory(self.folder / "work", "files")
        shutil.rmtree(work.folder, ignore_errors=True)
        (work.folder / "files").mkdir(parents=True)
        (work.folder / "markets.toml").write_text(MARKETS, encoding="utf-8")
        hostile_files.good(work.folder / "files" / "BBB.csv", draw)
        environment = dict(work.environment)
        makers[kind](work.folder, draw, self.canary, environment)
        planted = work.warehouse.read_bytes() if work.warehouse.exists() else None
        for arguments in (ARGUMENTS, *READING):
            ended = Child(command(environment, *arguments), self.folder / "output.txt").wait(PATIENCE)
            text = " ".join(ended.output.split())[-400:]
            if ended.hung or ended.status < 0:
                return Outcome(kind, f"{arguments[0]} {'hung' if ended.hung else 'crashed'}: {text}")
            if any(mark in ended.output for mark in UNCLEAR):
                return Outcome(kind, f"{arguments[0]}, a raw exception: {text}")
            if ended.status not in (0, 1):
                return Outcome(kind, f"{arguments[0]} ended with {ended.status}: {text}")
        return Outcome(kind, self._harm(Directory(work.folder), planted))

    def _model(self, draw: random.Random) -> Outcome:
        """A registered model whose file would execute something, with a digest that fits."""
        work = Directory(self.folder / "work")
        work.become(self.trained)
        form = draw.choice(("pickle", "npz", "skops"))
        answer(lambda: hostile_settings.poison(work.data, self.canary, form), self.folder)
        ended = work.run("replay", "--market", "stocks", "--origin", "2024-02-21")
        text = " ".join(ended.output.split())[-400:]
        if not ended.status or any(mark in ended.output for mark in UNCLEAR):
            return Outcome(MODEL, f"replay with a foreign {form} file ended with {ended.status}: {text}")
        return Outcome(MODEL, self._harm(work))

    def _harm(self, work: Directory, planted: bytes | None = None) -> str:
        """What was executed, touched outside, or stored although impossible; a warehouse as `planted` has no bar."""
        if self.canary.exists():
            self.canary.unlink()
            return "Something in the input was executed."
        if sorted(path.name for path in self.outside.iterdir()) != ["untouched"]:
            return "A file outside the data directory was made or removed."
        if not work.warehouse.exists() or work.warehouse.read_bytes() == planted:
            return ""

        def impossible() -> int:
            with duckdb.connect(str(work.warehouse), read_only=True) as connection:
                [(count,)] = connection.execute(IMPOSSIBLE).fetchall()
            return int(count)

        try:
            count = answer(impossible, self.folder)
        except FailedError as error:
            return f"The warehouse cannot be read: {error}"
        return f"{count} impossible bars were stored." if count else ""
