"""The one way in which bars reach indicators, models and scores: those known at the close of a session, adjusted.

Prices are forward-adjusted from the first bar, so cutting the future off changes no value of the past.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from market_pipeline.config.markets import Market
from market_pipeline.errors import HistoryError
from market_pipeline.prices.adjustment import forward_factors, split_factors
from market_pipeline.storage.grids import Days, Grid, Mask, empty_grids, fill_grids
from market_pipeline.storage.tables.prices import BAR_VALUES, PRICES
from market_pipeline.storage.warehouse import Warehouse

ADJUSTED = (*PRICES, "volume")
"""What a history has of each bar."""

ROWS = """
select * exclude (market, source, fetched_at, known_at, final) from prices
where market = $market and symbol in (select unnest($symbols)) and session <= $until and final
"""
ROWS_AS_OF = """
select * exclude (market, source, final) from prices_as_of($known_at)
where market = $market and symbol in (select unnest($symbols)) and session <= $until and final
"""
ASKED = "select session from coverage where market = $market and session < $first"

_newest: dict[tuple[Any, ...], "History"] = {}
"""The history that was read last, by the state of everything that it was read from. Memory has space for one."""


@dataclass(frozen=True)
class History:
    """A market's bars up to a session: all grids are (symbols, sessions), NaN where there is no bar."""

    symbols: tuple[str, ...]
    sessions: Days
    """Every session of the market from its start, with and without bars."""
    open: Grid
    high: Grid
    low: Grid
    close: Grid
    """Forward-adjusted for splits and dividends: only ratios have a meaning."""
    volume: Grid
    """Forward-adjusted for splits; NaN also where it is unknown."""

    @property
    def present(self) -> Mask:
        """Where there is a bar."""
        return ~np.isnan(self.close)

    def position_of(self, sessions: Days) -> np.ndarray:
        """The position of each given session in `sessions`."""
        return np.searchsorted(self.sessions, sessions)

    def until(self, session: dt.date) -> "History":
        """The same history as it was known at the close of an earlier session."""
        end = int(np.searchsorted(self.sessions, np.datetime64(session), side="right"))
        return replace(self._with(lambda grid: grid[:, :end]), sessions=self.sessions[:end])

    def last(self, count: int) -> "History":
        """The last `count` sessions of the same history, or all of a shorter one."""
        start = max(0, len(self.sessions) - count)
        return replace(self._with(lambda grid: grid[:, start:]), sessions=self.sessions[start:])

    def with_future_noise(self, session: np.datetime64, seed: int) -> "History":
        """The same history with every bar after a session replaced by noise."""
        draw = np.random.default_rng(seed)
        end = int(np.searchsorted(self.sessions, session, side="right"))
        noise = (len(self.symbols), len(self.sessions) - end)
        return self._with(lambda grid: np.concatenate([grid[:, :end], draw.uniform(1, 1000, noise)], axis=1))

    def some(self, places: np.ndarray) -> "History":
        """The history of some of the symbols, by position."""
        return replace(self._with(lambda grid: grid[places]), symbols=tuple(self.symbols[place] for place in places))

    def _with(self, changed: Callable[[Grid], Grid]) -> "History":
        grids: dict[str, Any] = {name: changed(getattr(self, name)) for name in ADJUSTED}
        return replace(self, **grids)


def read_history(
    warehouse: Warehouse, market: Market, until: dt.date, *, known_at: dt.datetime | None = None
) -> History:
    """All final bars of the market's symbols up to `until`, both ends included, on the market's own sessions.

    As the warehouse has them now, or with `known_at` (UTC) as they were known at that moment. The steps of a run that
    read the same bars share one history, whose grids are read-only. A digest of the stored bars decides whether they
    are the same, so every change is seen, also one by another process. No history is cut from a longer one.
    """
    values = {"market": market.name, "symbols": list(market.symbols), "until": until}
    if known_at is not None:
        return _read(warehouse, market, until, ROWS_AS_OF, values | {"known_at": known_at})
    with warehouse.snapshot():  # the digest is of the rows that are read
        sessions = (market.calendar_name, market.start, until)
        reading = (warehouse.identity, market.name, market.symbols, *sessions, *warehouse.digest(ROWS, values))
        if reading in _newest:
            return _newest[reading]
        if any(other[:2] == reading[:2] and len(market.symbols) < len(other[2]) for other in _newest):
            return _read(warehouse, market, until, ROWS, values)  # a sample does not replace the whole market
        _newest.clear()
        return _newest.setdefault(reading, _read(warehouse, market, until, ROWS, values))


def _read(warehouse: Warehouse, market: Market, until: dt.date, sql: str, values: Mapping[str, Any]) -> History:
    sessions = market.sessions_between(market.start, until)
    bars = empty_grids(market.symbols, sessions, BAR_VALUES)
    for rows in warehouse.stream(sql, values):
        fill_grids(bars, rows, market.symbols, sessions)
    history = adjusted(market.symbols, sessions, bars)
    for name in ADJUSTED:
        getattr(history, name).flags.writeable = False
    return history


def adjusted(symbols: tuple[str, ...], sessions: Days, bars: dict[str, Grid]) -> History:
    """The history of bars as traded; `bars` has one (symbols, sessions) grid for each of BAR_VALUES."""
    factor = forward_factors(bars["close"], bars["dividend"], bars["split_ratio"])
    prices = {name: bars[name] * factor for name in PRICES}
    shares = split_factors(bars["close"], bars["split_ratio"])
    return History(symbols=symbols, sessions=sessions, volume=bars["volume"] / shares, **prices)


def require_past(warehouse: Warehouse, market: Market, first: dt.date) -> None:
    """Raise HistoryError unless every session before `first` was loaded: values that accumulate would be wrong."""
    asked = warehouse.read(ASKED, {"market": market.name, "first": first})["session"].to_numpy()
    past = market.sessions_between(market.start, first - dt.timedelta(days=1))
    missing = np.setdiff1d(past, asked.astype("datetime64[D]"))
    if len(missing):
        raise HistoryError(
            f"{market.name}: {len(missing)} sessions before {first} were never loaded, the first {missing[0]}. "
            f"Load them first: market-pipeline backfill --market {market.name} --start {missing[0]} "
            f"--end {missing[-1]} --assets prices"
        )
