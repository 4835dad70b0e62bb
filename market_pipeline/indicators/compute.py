"""All indicators of all symbols, each computed from the symbol's own bars from its first one, without gaps.

TA-Lib never gets a NaN: after one, most of its values stay NaN, and RSI and ADX are finite but wrong. The start is
fixed, so a day alone gets the value that it gets within a range.
"""

from collections.abc import Callable, Sequence

import numpy as np

from market_pipeline.indicators.bars import Bars, bars_of
from market_pipeline.indicators.momentum import momentum
from market_pipeline.indicators.trend import trend
from market_pipeline.indicators.volatility import volatility
from market_pipeline.indicators.volume import volume
from market_pipeline.prices.history import History
from market_pipeline.storage.grids import Grid, Mask
from market_pipeline.storage.tables.indicators import NAMES

Family = Callable[[Bars], dict[str, Grid]]


def compute_indicators(history: History) -> dict[str, Grid]:
    """A (symbols, sessions) grid for each indicator of the catalogue, in its order; NaN without a bar and in lookbacks.

    The value at a session depends on bars up to it only, bit by bit.
    """
    grids = {name: np.full(history.close.shape, np.nan) for name in NAMES}
    present = history.present
    known_volume = present & ~np.isnan(history.volume)
    with np.errstate(divide="ignore", invalid="ignore"):
        for row in range(len(history.symbols)):
            _fill(grids, history, row, present[row], (trend, momentum, volatility))
            _fill(grids, history, row, known_volume[row], (volume,))
    return grids


def _fill(grids: dict[str, Grid], history: History, row: int, sessions: Mask, families: Sequence[Family]) -> None:
    """Compute some families of one symbol from its bars at `sessions`, and put each value at its session."""
    if not sessions.any():
        return
    bars = bars_of(history, row, sessions)
    place = slice(None) if sessions.all() else sessions
    for family in families:
        for name, values in family(bars).items():
            values[np.isinf(values)] = np.nan
            grids[name][row, place] = values
