"""All indicators of all symbols: each symbol's own bars from its first one, no gap among them, scattered back.

One NaN poisons TA-Lib for good and makes RSI and ADX finite but wrong, so it never meets one; and from a fixed start a
day alone gets the value that it gets within a range.
"""

import numpy as np

from market_pipeline.indicators import momentum, trend, volatility, volume
from market_pipeline.indicators.bars import bars_of
from market_pipeline.prices.history import History
from market_pipeline.storage.grids import Grid
from market_pipeline.storage.tables.indicators import NAMES


def compute_indicators(history: History) -> dict[str, Grid]:
    """A (symbols, sessions) grid for each of the catalogue, in its order; NaN without a bar and during lookbacks.

    The value at a session depends on bars up to it only, bit by bit.
    """
    grids = {name: np.full(history.close.shape, np.nan) for name in NAMES}
    with np.errstate(divide="ignore", invalid="ignore"):
        for row, present in enumerate(history.present):
            if not present.any():
                continue
            bars = bars_of(history, row, present)
            _scatter(grids, row, present, trend.trend(bars) | momentum.momentum(bars) | volatility.volatility(bars))
            weighed = present & ~np.isnan(history.volume[row])
            if weighed.any():
                bars = bars if np.array_equal(weighed, present) else bars_of(history, row, weighed)
                _scatter(grids, row, weighed, volume.volume(bars))
    return grids


def _scatter(grids: dict[str, Grid], row: int, where: np.ndarray, values: dict[str, Grid]) -> None:
    place = slice(None) if where.all() else where
    for name, column in values.items():
        column[np.isinf(column)] = np.nan
        grids[name][row, place] = column
