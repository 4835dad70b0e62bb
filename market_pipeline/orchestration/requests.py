"""What a sensor requested, kept in its cursor, so that it requests nothing again without a reason.

A reason is that the state of what a request is about has changed (a new bar, another configuration), or that more time
has passed than last time: 1, 2, 4, 8 ... hours. It counts requests, not their results: a run may die without a trace.
"""

import datetime as dt
from collections.abc import Iterable
from hashlib import sha256

from pydantic import BaseModel

from market_pipeline.config.markets import Market

FIRST_WAIT = dt.timedelta(hours=1)
MOST_DOUBLINGS = 20
"""Keeps a wait within a thousand years."""


class Request(BaseModel):
    """The last request about a subject: its state then, how often this state was requested, and when, UTC."""

    state: str
    times: int
    at: dt.datetime


class Memory(BaseModel):
    """The cursor of a sensor: the last request about each subject, and how much of a log is done with."""

    made: dict[str, Request] = {}
    handled: int = 0

    def allows(self, subject: str, state: str, now: dt.datetime, tried: dt.datetime | None = None) -> bool:
        """Whether a request about a subject in this state has a reason at `now`.

        `tried`, in UTC without a zone, is when a schedule or a command last tried: the first request waits from then.
        """
        last = self.made.get(subject)
        if last is None:
            return tried is None or now >= tried.replace(tzinfo=dt.UTC) + FIRST_WAIT
        wait: dt.timedelta = FIRST_WAIT * 2 ** min(last.times - 1, MOST_DOUBLINGS)
        return last.state != state or now >= last.at + wait

    def record(self, subject: str, state: str, now: dt.datetime) -> None:
        """Remember a request that is made at `now`."""
        last = self.made.get(subject)
        times = last.times + 1 if last and last.state == state else 1
        self.made[subject] = Request(state=state, times=times, at=now)

    def keep(self, subjects: Iterable[str]) -> None:
        """Forget all other subjects: nothing of theirs is missing any more."""
        kept = set(subjects)
        self.made = {subject: request for subject, request in self.made.items() if subject in kept}


def memory_of(cursor: str | None) -> Memory:
    """The memory that a cursor holds."""
    return Memory.model_validate_json(cursor) if cursor else Memory()


def configuration_of(market: Market) -> str:
    """A short digest of everything that is configured of a market."""
    return sha256(repr(market).encode()).hexdigest()[:8]
