"""The bars of one symbol without gaps, as TA-Lib needs them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from market_pipeline.prices.history import History
from market_pipeline.storage.grids import Grid, Mask


@dataclass(frozen=True)
class Bars:
    """One-dimensional columns of one symbol, in the order of sessions, no NaN among the prices.

    Prices are in units of the first close: older releases of TA-Lib treat small differences as zero, whatever the
    size of the price.
    """

    high: Grid
    low: Grid
    close: Grid
    volume: Grid
    """In units of the first known volume above 0."""

    @cached_property
    def returns(self) -> Grid:
        """Log return of each bar from the one before; NaN for the first."""
        return np.diff(np.log(self.close), prepend=np.nan)


def bars_of(history: History, row: int, sessions: Mask) -> Bars:
    """The bars of one symbol (by position) at some sessions, which all have one."""
    place = slice(None) if sessions.all() else sessions  # a view if there is no gap
    high, low, close, volume = (grid[row, place] for grid in (history.high, history.low, history.close, history.volume))
    traded = volume[volume > 0]
    unit = traded[0] if len(traded) else 1.0
    return Bars(high / close[0], low / close[0], close / close[0], volume / unit)
