"""One symbol's bars without gaps, as TA-Lib wants them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from market_pipeline.prices.history import History
from market_pipeline.storage.grids import Grid, Mask


@dataclass(frozen=True)
class Bars:
    """One-dimensional columns of one symbol, in the order of sessions, no NaN among the prices.

    Prices are in units of the first close: older releases of TA-Lib take small differences for zero, whatever the
    price's size.
    """

    open: Grid
    high: Grid
    low: Grid
    close: Grid
    volume: Grid
    """In units of the first known volume above 0."""

    @cached_property
    def returns(self) -> Grid:
        """Log return of each bar on the one before; NaN for the first."""
        return np.diff(np.log(self.close), prepend=np.nan)


def bars_of(history: History, row: int, taken: Mask) -> Bars:
    """The bars of one symbol (by position) at the sessions of `taken`."""
    place = slice(None) if taken.all() else taken  # a view, where there is no gap
    first = history.close[row, place][0]
    volume = history.volume[row, place]
    traded = volume[volume > 0]
    prices = {name: getattr(history, name)[row, place] / first for name in ("open", "high", "low", "close")}
    return Bars(volume=volume / (traded[0] if len(traded) else 1.0), **prices)
