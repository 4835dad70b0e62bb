"""What the figures of the campaign share: a name, trials by seed, and outcomes that are counted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Outcome:
    """What one trial did and found."""

    kind: str
    """What was done, as a row of the page counts it: "killed at a write"."""
    fault: str = ""
    """What was wrong, in a sentence; empty when all was as it should be."""
    count: int = 1
    """How many trials this stands for."""
    numbers: Mapping[str, float] = field(default_factory=dict)
    """Measurements, of which the page shows the first, the last, the extremes and the mean."""
    others: tuple[str, ...] = ()
    """The kinds of further trials that this stands for, none of which found anything."""

    @property
    def trials(self) -> int:
        return self.count + len(self.others)


class Figure(Protocol):
    """One figure. Trials of the same seed on the same code do the same, except for moments of a kill."""

    continued: bool
    """Whether trials continue each other, so that those of several evenings do not add up."""

    name: str
    title: str
    aim: str
    full: int
    """Trials at size 1."""
    minutes: float
    """Minutes at size 1 after which no further trial begins."""

    def lacking(self) -> str:
        """Why it cannot run on this machine; empty if it can."""

    def prepare(self, folder: Path) -> None:
        """Make below `folder` what the trials need."""

    def trial(self, seed: int) -> Outcome:
        """One trial; an exception is a fault of the campaign, not of the pipeline."""
