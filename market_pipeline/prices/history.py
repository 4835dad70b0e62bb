"""The one way history reaches the core: every bar of a market known at the close of a session, and nothing later.

Prices are forward-adjusted from the first bar, so cutting the future off changes no value of the past.
"""

import datetime as dt
from dataclasses import dataclass

import numpy as np

from market_pipeline.config.markets import Market
from market_pipeline.errors import HistoryError
from market_pipeline.prices.adjustment import forward_factors, split_factors
from market_pipeline.storage.grids import Days, Grid, Mask, empty_grids, fill_grids
from market_pipeline.storage.warehouse import Warehouse

COLUMNS = ("open", "high", "low", "close", "volume", "dividend", "split_ratio")


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
    """Forward-adjusted for splits and dividends: only ratios mean anything."""
    volume: Grid
    """Forward-adjusted for splits; NaN also where it is unknown."""

    @property
    def present(self) -> Mask:
        return ~np.isnan(self.close)

    def position_of(self, sessions: Days) -> np.ndarray:
        """Where each given session stands among `sessions`."""
        return np.searchsorted(self.sessions, sessions)

    def until(self, session: dt.date) -> "History":
        """The same history as it was known at the close of an earlier session."""
        end = int(np.searchsorted(self.sessions, np.datetime64(session), side="right"))
        cut = {name: getattr(self, name)[:, :end] for name in ("open", "high", "low", "close", "volume")}
        return History(symbols=self.symbols, sessions=self.sessions[:end], **cut)

    def with_future_noise(self, session: np.datetime64, seed: int) -> "History":
        """The same with noise in the place of every bar after a session: what may not matter."""
        draw = np.random.default_rng(seed)
        end = int(np.searchsorted(self.sessions, session, side="right"))
        grids = {name: getattr(self, name).copy() for name in ("open", "high", "low", "close", "volume")}
        for grid in grids.values():
            grid[:, end:] = draw.uniform(1, 1000, grid[:, end:].shape)
        return History(symbols=self.symbols, sessions=self.sessions, **grids)

    def some(self, places: np.ndarray) -> "History":
        """The history of some of the symbols, by position."""
        kept = {name: getattr(self, name)[places] for name in ("open", "high", "low", "close", "volume")}
        return History(symbols=tuple(self.symbols[place] for place in places), sessions=self.sessions, **kept)


def read_history(
    warehouse: Warehouse, market: Market, until: dt.date, *, known_at: dt.datetime | None = None
) -> History:
    """All final bars of the market's symbols up to `until`, both ends included, on the market's own sessions.

    As the warehouse has them now, or with `known_at` (UTC) as they were known at that moment.
    """
    table, moment = ("prices", {}) if known_at is None else ("prices_as_of($known_at)", {"known_at": known_at})
    sessions = market.sessions_between(market.start, until)
    bars = empty_grids(market.symbols, sessions, COLUMNS)
    for rows in warehouse.stream(
        f"select symbol, session, open, high, low, close, volume, dividend, split_ratio from {table} "  # noqa: S608  own names
        "where market = $market and session <= $until and final",
        {"market": market.name, "until": until} | moment,
    ):
        fill_grids(bars, rows, market.symbols, sessions)
    return adjusted(market.symbols, sessions, bars)


def adjusted(symbols: tuple[str, ...], sessions: Days, bars: dict[str, Grid]) -> History:
    """The history that bars as traded amount to; `bars` has one (symbols, sessions) grid for each of COLUMNS."""
    factor = forward_factors(bars["close"], bars["dividend"], bars["split_ratio"])
    prices = {name: bars[name] * factor for name in ("open", "high", "low", "close")}
    shares = split_factors(bars["close"], bars["split_ratio"])
    return History(symbols=symbols, sessions=sessions, volume=bars["volume"] / shares, **prices)


def require_past(warehouse: Warehouse, market: Market, first: dt.date) -> None:
    """Raise HistoryError unless every session before `first` was asked for: values that accumulate would be wrong."""
    asked = (
        warehouse.read(
            "select session from coverage where market = $market and session < $first",
            {"market": market.name, "first": first},
        )["session"]
        .to_numpy()
        .astype("datetime64[D]")
    )
    past = market.sessions_between(market.start, first - dt.timedelta(days=1))
    missing = np.setdiff1d(past, asked)
    if len(missing):
        raise HistoryError(
            f"{market.name}: {len(missing)} sessions before {first} were never loaded, the first {missing[0]}. "
            f"Load them first: market-pipeline backfill --market {market.name} --start {missing[0]} "
            f"--end {missing[-1]} --assets prices"
        )
