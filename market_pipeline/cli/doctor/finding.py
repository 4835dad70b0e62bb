"""One thing that was looked at."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Whether it is well, and in words what it is or how to mend it."""

    subject: str
    well: bool
    words: str
