"""benchmarks/faults/results.json: what was tried and found, in batches that add up over several evenings.

A batch is what one run of the campaign tried of one figure, at one commit. Batches are only added: a fault stays in the
record for ever, with the commit at which its seed was tried again and all was as it should be.
"""

import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter

from benchmarks.faults.protocol import Outcome
from market_pipeline.storage.whole_files import alone, write_whole

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
TRIED = (":/market_pipeline", ":/benchmarks/**/*.py", ":/market_pipeline_tests/*.py")
"""The code that a commit stands for; the record itself may have changed since."""

LONGEST = 300
"""Characters of a fault that are recorded."""


@dataclass(frozen=True)
class Series:
    """A measurement over the trials of a batch."""

    count: int
    first: float
    lowest: float
    mean: float
    highest: float
    last: float


@dataclass
class Fault:
    """What one trial found."""

    seed: int
    kind: str
    fault: str
    commit: str
    """Where it was found."""
    as_it_should_be: str = ""
    """The commit at which the seed was tried again and nothing was wrong; empty while there is none."""


@dataclass(frozen=True)
class Batch:
    """What one run of the campaign tried of a figure."""

    seeds: tuple[int, int]
    """The first one, and the one after the last."""
    kinds: dict[str, tuple[int, int]]
    """Trials and faults of each kind."""
    faults: list[Fault]
    numbers: dict[str, Series]
    minutes: float
    day: str
    version: str
    commit: str

    @property
    def trials(self) -> int:
        return sum(trials for trials, _ in self.kinds.values())


@dataclass
class Record:
    """All batches of a figure."""

    batches: list[Batch] = field(default_factory=list)
    reason: str = ""
    """Why the last run of the campaign could not try it; empty when it could."""
    continued: bool = False
    """Whether the trials of a batch continue each other, so that the longest batch counts."""

    @property
    def trials(self) -> int:
        every = [batch.trials for batch in self.batches]
        return max(every, default=0) if self.continued else sum(every)

    def missing(self, wanted: int) -> int:
        """The trials that are missing of so many: all of them, where they continue each other and no batch has them."""
        short = max(0, wanted - self.trials)
        return wanted if self.continued and short else short

    @property
    def faults(self) -> list[Fault]:
        return [fault for batch in self.batches for fault in batch.faults]

    @property
    def next_seed(self) -> int:
        return max((batch.seeds[1] for batch in self.batches), default=0)

    @property
    def kinds(self) -> dict[str, tuple[int, int]]:
        """Trials and faults of each kind, over all batches."""
        names = sorted({kind for batch in self.batches for kind in batch.kinds})
        none = (0, 0)
        return {
            name: (sum(batch.kinds.get(name, none)[0] for batch in self.batches),
                   sum(batch.kinds.get(name, none)[1] for batch in self.batches))
            for name in names
        }  # fmt: skip

    @property
    def numbers(self) -> dict[str, Series]:
        """Each measurement over all batches."""
        found: dict[str, Series] = {}
        for batch in self.batches:
            for name, series in batch.numbers.items():
                found[name] = joined(found[name], series) if name in found else series
        return dict(sorted(found.items()))


def joined(one: Series, later: Series) -> Series:
    """Two series as one."""
    count = one.count + later.count
    mean = round((one.count * one.mean + later.count * later.mean) / count, 3)
    lowest, highest = min(one.lowest, later.lowest), max(one.highest, later.highest)
    return Series(count, one.first, lowest, mean, highest, later.last)


def series_of(values: Sequence[float]) -> Series:
    """The series of some values."""
    first, lowest, mean, highest, last = (
        round(float(value), 3) for value in (values[0], min(values), sum(values) / len(values), max(values), values[-1])
    )
    return Series(len(values), first, lowest, mean, highest, last)


def batch_of(outcomes: Sequence[tuple[int, Outcome]], minutes: float, day: str, version: str, commit: str) -> Batch:
    """The batch of outcomes, each with its seed; there is one at least."""
    trials, faults = Counter[str](), Counter[str]()
    values: dict[str, list[float]] = {}
    for _, one in outcomes:
        trials[one.kind] += one.count
        trials.update(one.others)
        faults[one.kind] += bool(one.fault)
        for name, value in one.numbers.items():
            values.setdefault(name, []).append(value)
    return Batch(
        (outcomes[0][0], outcomes[-1][0] + 1),
        {kind: (trials[kind], faults[kind]) for kind in sorted(trials)},
        [Fault(seed, one.kind, one.fault[:LONGEST], commit) for seed, one in outcomes if one.fault],
        {name: series_of(found) for name, found in sorted(values.items())},
        round(minutes, 1), day, version, commit,
    )  # fmt: skip


def read() -> dict[str, Record]:
    """What is recorded so far, by the name of the figure."""
    return RECORDS.validate_json(RESULTS.read_bytes()) if RESULTS.exists() else {}


def write(records: Mapping[str, Record]) -> None:
    """Store them beside those of other figures, which another campaign may try meanwhile."""
    with alone(RESULTS, "written"):
        every = read() | records
        content = RECORDS.dump_json({name: every[name] for name in sorted(every)}, indent=1)
        write_whole(RESULTS, content + b"\n")


def commit_tried() -> str:
    """The commit of the code that is tried, marked when it was changed since; empty without git."""
    if shutil.which("git") is None:
        return ""
    line = ["git", "-C", str(HERE)]
    head = subprocess.run([*line, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    if head.returncode:
        return ""
    same = subprocess.run([*line, "diff", "--quiet", "HEAD", "--", *TRIED], check=False)
    return head.stdout.strip() + (" with changes" if same.returncode else "")


RECORDS = TypeAdapter(dict[str, Record])
