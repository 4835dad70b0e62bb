"""Forward adjustment: what one share bought at the first bar has become, dividends reinvested.

Yahoo adjusts the whole past for each split and dividend, so its past changes with the future. With the first bar as
the anchor, a session's factor depends on that session and earlier ones only, and log returns are the same.
"""

import numpy as np

from market_pipeline.storage.grids import Grid


def forward_factors(close: Grid, dividend: Grid, split_ratio: Grid) -> Grid:
    """Total-return factor of each bar relative to the first; shape (symbols, sessions), NaN where there is no bar.

    On an ex-session, one share of yesterday became `split_ratio` shares that each paid `dividend`:
    F_t = F_{t-1} * split_t / (1 - dividend_t * split_t / close_{t-1}), the CRSP price adjustment
    (CRSP Calculations, "Adjusted Data") applied forwards. A dividend of at least the last close is left out of the
    factor: it cannot be one.
    """
    previous = last_known(close, before=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        paid = dividend * split_ratio / previous
        paid = np.where(np.isfinite(paid) & (paid < 1), paid, 0.0)
        step = split_ratio / (1 - paid)
    present = ~np.isnan(close)
    step = np.where(present, step, 1.0)
    # Nobody owns a share before its first bar: what happens there changes nothing.
    step = np.where(np.isnan(previous), 1.0, step)
    return np.where(present, np.cumprod(step, axis=1), np.nan)


def split_factors(close: Grid, split_ratio: Grid) -> Grid:
    """Shares that one share of the first bar has become by each bar; shape (symbols, sessions), NaN without a bar."""
    present = ~np.isnan(close)
    first = present & (np.cumsum(present, axis=1) == 1)
    return np.where(present, np.cumprod(np.where(present & ~first, split_ratio, 1.0), axis=1), np.nan)


def backward_adjusted(close: Grid, newest: Grid) -> Grid:
    """Forward-adjusted closes on the scale of each symbol's newest bar, whose close as traded is `newest` (symbols,).

    >>> backward_adjusted(np.array([[10.0, np.nan, 30.0]]), np.array([15.0]))
    array([[ 5., nan, 15.]])
    """
    return close * (newest[:, None] / last_known(close)[:, -1:])


def last_known(values: Grid, *, before: bool = False) -> Grid:
    """Each row's newest value that is not NaN, at (or strictly `before`) each session; NaN until there is one."""
    position = np.where(np.isnan(values), -1, np.arange(values.shape[1]))
    position = np.maximum.accumulate(position, axis=1) if values.size else position
    if before:
        position = np.concatenate([np.full((len(values), 1), -1), position[:, :-1]], axis=1)
    taken = np.take_along_axis(values, np.maximum(position, 0), axis=1) if values.size else values
    return np.where(position >= 0, taken, np.nan)
