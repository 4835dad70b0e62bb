"""What every source promises: symbols x session range -> bars, actions, and an outcome per symbol.

Holds no source. Nothing here knows Dagster, DuckDB or the network.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
import pandas as pd

from market_pipeline.config.markets import Market
from market_pipeline.storage.grids import Days
from market_pipeline.storage.tables.prices import BAR_VALUES

BAR_COLUMNS = ("symbol", "session", *BAR_VALUES)
"""`session` is datetime64[s] at midnight, prices and `dividend` are in the quote currency as traded on that
day, `split_ratio` is new shares per old one (1.0 without a split, 0.0 never), `volume` may be NaN (unknown)."""

Status: TypeAlias = Literal[
    "ok", "partial", "closed", "hole", "unknown_symbol", "rate_limited", "unavailable", "rejected"
]

FAILED: tuple[Status, ...] = ("unknown_symbol", "rate_limited", "unavailable", "rejected")
"""Outcomes without information about the bars: what is stored for such a symbol stays as it is."""

BROUGHT: tuple[Status, ...] = ("ok", "partial")
"""Outcomes with at least one bar."""


@dataclass(frozen=True)
class Outcome:
    """How the request for one symbol ended, and why in a few words."""

    symbol: str
    status: Status
    cause: str = ""


@dataclass(frozen=True)
class Fetched:
    """`bars` in BAR_COLUMNS, as the source gave them, unsorted faults included; one outcome per symbol asked."""

    bars: pd.DataFrame
    outcomes: tuple[Outcome, ...]
    notes: tuple[str, ...] = ()
    """What of the source could not be read and was left out, a sentence each."""
    days: tuple[dt.date, dt.date] | None = None
    """The first and the last day that it answers for; None for all that were asked for."""


class Source(Protocol):
    """A place that daily bars come from."""

    name: str

    def fetch(self, market: Market, symbols: Sequence[str], first: dt.date, last: dt.date) -> Fetched:
        """Bars and actions of the sessions from `first` to `last`, both included.

        Never raises for one symbol: that is an outcome. Raises SourceError when nothing can be read at all.
        """
        ...

    def problem(self) -> str | None:
        """What is wrong with this source and how to fix it, or None; asks for no prices."""
        ...


@runtime_checkable
class SourceInPieces(Protocol):
    """A source that may have more bars than memory."""

    def batches(self, market: Market, symbols: Sequence[str], first: dt.date, last: dt.date) -> Iterator[Fetched]:
        """What `fetch` would answer, in pieces: of some symbols on all days, or of all symbols on some days.

        Pieces of days name them; each has a session, and they follow one another.
        """
        ...


@runtime_checkable
class SourceWithEnd(Protocol):
    """A source that has no bar after its last day until somebody adds one."""

    def days(self, symbols: Sequence[str]) -> tuple[dt.date, dt.date] | None:
        """The first and the last day of its rows of any of the symbols; None if it has no row of them."""
        ...


def pieces_of(
    source: Source, market: Market, symbols: Sequence[str], first: dt.date, last: dt.date
) -> Iterator[Fetched]:
    """What a source answers, in the pieces in which it has them."""
    if isinstance(source, SourceInPieces):
        yield from source.batches(market, symbols, first, last)
    else:
        yield source.fetch(market, symbols, first, last)


def days_of(source: Source, market: Market) -> tuple[dt.date, dt.date] | None:
    """The first and the last day of a market's bars in a source; None where it does not know them."""
    return source.days(market.symbols) if isinstance(source, SourceWithEnd) else None


def newest_available(source: Source, market: Market, newest: dt.date) -> dt.date | None:
    """The newest session up to `newest` that a source can have; None if it ends before the market's first one."""
    days = days_of(source, market)
    sessions = market.sessions_between(market.start, min(newest, days[1]) if days else newest)
    return sessions[-1].item() if len(sessions) else None


def beyond_its_end(source: Source, market: Market, session: dt.date) -> str | None:
    """Why a source cannot have a session, without a full stop; None if it may have it."""
    days = days_of(source, market)
    if days is None or session <= days[1]:
        return None
    return (
        f"{market.name}: the bars of {source.name} end at {days[1]}, so the session {session} cannot be loaded. Add "
        "newer bars to them"
    )


def outcome_of(market: Market, symbol: str, found: Days, first: dt.date, last: dt.date) -> Outcome:
    """How a request for a known symbol ended, from the sessions that came with a bar; listing days are respected."""
    expected = market.expected_sessions(symbol, first, last)
    if not len(expected):
        return Outcome(symbol, "closed", f"no session of it from {first} to {last}")
    if np.array_equal(expected, found):
        return Outcome(symbol, "ok")
    missing = expected[~np.isin(expected.astype(np.int64), found.astype(np.int64), kind="table")]
    if not len(missing):
        return Outcome(symbol, "ok")
    named = ", ".join(str(day) for day in missing[:3]) + (" …" if len(missing) > 3 else "")
    status: Status = "hole" if len(missing) == len(expected) else "partial"
    return Outcome(symbol, status, f"{len(missing)} of {len(expected)} sessions without a bar: {named}")
