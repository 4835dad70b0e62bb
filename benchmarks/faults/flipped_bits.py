"""F6: one bit flipped in one file of the data directory; then everything is read."""

import os
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path

from benchmarks.faults import directories
from benchmarks.faults.directories import Directory
from benchmarks.faults.forked import Child, Ended, FailedError, answer, command
from benchmarks.faults.protocol import Outcome

UNCLEAR = ("This is a bug of the program", "Traceback (most recent call last)")
"""In the output of a command: an error that no message was written for."""

FILES: dict[str, Callable[[Directory], list[Path]]] = {
    "the warehouse": lambda directory: [directory.warehouse],
    "the mart": lambda directory: [directory.mart],
    "a model": lambda directory: sorted((directory.data / "models").rglob("*.npz")),
    "the event log": lambda directory: sorted((directory.data / "dagster").rglob("*.db")),
    "Dagster's settings": lambda directory: [directory.data / "dagster" / "dagster.yaml"],
    "the note of the source": lambda directory: [directory.data / "source"],
    "the report": lambda directory: [directory.data / "report.html"],
}
READING = (("forecast", "--json"), ("verdicts", "--json"))
DIAGNOSIS = ("doctor", "--port", "9")
REPORT_DAMAGED = "report.html is not as it was published"
"""What `doctor` finds in the report: the other findings are of prices that are old."""

REPLAY = ("replay", "--market", "stocks", "--origin", "2024-02-21")


class FlippedBits:
    """Each trial: a bit of a file, then what the commands print and what the tables hold, beside the truth."""

    name = "F6"
    continued = False
    title = "one bit flipped in one file: warehouse, mart, models, event log, settings, report"
    aim = "0 silently wrong"
    full = 1000
    minutes = 120.0

    def lacking(self) -> str:
        return ""

    def prepare(self, folder: Path) -> None:
        self.start, self.work = directories.filled(folder.parent / "filled"), Directory(folder / "work")
        self.folder = folder
        self.work.become(self.start)
        self.truth = self._everything()
        if self.truth["errors"]:
            raise FailedError(f"Reading an undamaged directory fails: {self.truth['errors']}")

    def trial(self, seed: int) -> Outcome:
        draw = random.Random(f"{self.name} {seed}")
        kind = draw.choice(list(FILES))
        self.work.become(self.start)
        path = draw.choice(FILES[kind](self.work))
        place, bit = draw.randrange(path.stat().st_size), draw.randrange(8)
        flip(path, place, bit)
        where = f"bit {bit} of byte {place} of {path.relative_to(self.work.data)}"
        found = self._everything()
        if found["unclear"]:
            return Outcome(f"{kind}: an error without a message of its own", f"{where}: {found['unclear']}")
        if found["errors"]:
            return Outcome(f"{kind}: reported")
        wrong = [name for name in ("printed", "stored", "history", "report") if found[name] != self.truth[name]]
        if wrong:
            return Outcome(f"{kind}: silently wrong", f"{where}: {' and '.join(wrong)} changed without an error")
        return Outcome(f"{kind}: without effect")

    def _everything(self) -> dict[str, object]:
        """What is printed, stored and in the history of runs; the errors met on the way."""
        ended = [self._read(*arguments) for arguments in READING]
        replayed, diagnosed = self._read(*REPLAY), self._read(*DIAGNOSIS)
        errors = [one.output for one in (*ended, replayed) if one.status]
        errors += [line for line in diagnosed.output.splitlines() if REPORT_DAMAGED in line]
        stored: object = None
        try:
            stored = self.work.contents()
        except FailedError as error:
            errors.append(str(error))
        try:
            history: object = answer(lambda: history_of(self.work), self.folder)
        except FailedError as error:
            history = None
            errors.append(str(error))
        unclear = [text for text in errors if any(mark in text for mark in UNCLEAR)]
        hung = [one.output for one in (*ended, replayed) if one.hung or one.status < 0]
        return {
            "printed": [one.output for one in ended], "stored": stored, "history": history, "errors": errors,
            "report": sha256((self.work.data / "report.html").read_bytes()).hexdigest(),
            "unclear": " ".join((hung or unclear or [""])[0].split())[:400],
        }  # fmt: skip

    def _read(self, *arguments: str) -> Ended:
        """A command that knows the source only from the note beside the data."""
        environment = {name: value for name, value in self.work.environment.items() if not name.endswith("_SOURCE")}
        return Child(command(environment, *arguments), self.work.folder / "output.txt").wait()


def history_of(directory: Directory) -> str:
    """A digest of the rows of Dagster's databases; opens the instance as a command does."""
    from market_pipeline.config.settings import Settings
    from market_pipeline.orchestration.instance import open_instance

    with open_instance(Settings.from_environment(os.environ | directory.environment)) as instance:
        made = sha256(repr([run.status for run in instance.get_runs()]).encode())
    for path in FILES["the event log"](directory):
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            for line in connection.iterdump():
                made.update(line.encode())
    return made.hexdigest()


def flip(path: Path, place: int, bit: int) -> None:
    """Invert one bit of a file."""
    with path.open("r+b") as file:
        file.seek(place)
        [byte] = file.read(1)
        file.seek(place)
        file.write(bytes([byte ^ (1 << bit)]))
