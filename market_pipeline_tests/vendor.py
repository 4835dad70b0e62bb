"""A vendor in memory with switches for faults: holes, noise, restatements, outages."""

import datetime as dt
from collections.abc import Sequence

import numpy as np
import pandas as pd

from market_pipeline.config.markets import Market
from market_pipeline.sources.protocol import BAR_COLUMNS, Fetched, Outcome, outcome_of
from market_pipeline.storage.tables.prices import PRICES


class Vendor:
    """Has every bar of a market; its switches decide what it returns."""

    name = "simulated"

    def __init__(self, market: Market, until: dt.date, seed: int = 0) -> None:
        sessions = market.sessions_between(market.start, until).astype("datetime64[s]")
        draw = np.random.default_rng(seed)
        frames = []
        for symbol in market.symbols:
            close = 100 * np.exp(np.cumsum(draw.normal(0, 0.01, len(sessions))))
            spread = np.exp(np.abs(draw.normal(0, 0.005, len(sessions))))
            frames.append(
                pd.DataFrame(
                    {"symbol": symbol, "session": sessions, "open": close, "high": close * spread,
                     "low": close / spread, "close": close, "dividend": 0.0, "split_ratio": 1.0,
                     "volume": draw.integers(10**5, 10**6, len(sessions)).astype(float)}
                )
            )  # fmt: skip
        self.bars = pd.concat(frames, ignore_index=True)[list(BAR_COLUMNS)]
        self.missing = np.zeros(len(self.bars), bool)
        self.noise = 0.0
        self.down = False
        self.draw = draw
        self.requested: list[tuple[tuple[str, ...], dt.date, dt.date]] = []

    def where(self, symbol: str, day: dt.date | str) -> np.ndarray:
        """The row of a bar, as a mask."""
        rows = (self.bars["symbol"] == symbol) & (self.bars["session"] == pd.Timestamp(day))
        assert rows.sum() == 1
        return rows.to_numpy()

    def fetch(self, market: Market, symbols: Sequence[str], first: dt.date, last: dt.date) -> Fetched:
        self.requested.append((tuple(symbols), first, last))
        if self.down:
            nothing = pd.DataFrame(columns=list(BAR_COLUMNS)).astype({"session": "datetime64[s]"})
            return Fetched(nothing, tuple(Outcome(symbol, "unavailable", "an outage") for symbol in symbols))
        asked = self.bars["symbol"].isin(symbols) & self.bars["session"].between(
            pd.Timestamp(first), pd.Timestamp(last)
        )
        bars = self.bars[asked & ~self.missing].reset_index(drop=True)
        factor = 1 + self.noise * self.draw.uniform(-1, 1, (len(bars), 5))
        bars[[*PRICES, "volume"]] *= factor
        days = {name: found.to_numpy().astype("datetime64[D]") for name, found in bars.groupby("symbol")["session"]}
        none = np.zeros(0, "datetime64[D]")
        return Fetched(bars, tuple(outcome_of(market, s, days.get(s, none), first, last) for s in symbols))

    def problem(self) -> None:
        return None
