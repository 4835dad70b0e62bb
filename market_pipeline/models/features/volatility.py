"""Volatility of a symbol for one session, as known at each close."""

from itertools import pairwise

import numpy as np

from market_pipeline.models.features.returns import session_returns
from market_pipeline.prices.adjustment import last_known
from market_pipeline.prices.history import History
from market_pipeline.storage.grids import Grid
from market_pipeline.storage.tables.forecasts import HORIZONS

WARM_UP = 20
"""Returns that a volatility needs."""

DECAY = 0.94
"""Weight of the past in the EWMA of daily data (RiskMetrics Technical Document, 1996, ch. 5)."""


def expanding_volatility(history: History) -> Grid:
    """Root mean square of all returns known at each session, with zero drift; (symbols, sessions).

    NaN before WARM_UP returns or without a bar.
    """
    returns = session_returns(history)
    count = np.cumsum(np.isfinite(returns), axis=1)
    total = np.cumsum(np.nan_to_num(returns) ** 2, axis=1)
    enough = (count >= WARM_UP) & history.present
    return _positive(np.sqrt(total / np.maximum(count, 1)), where=enough)


def ewma_volatility(history: History) -> Grid:
    """Root of the exponentially weighted mean of squared returns; (symbols, sessions).

    s²_t = DECAY s²_{t-1} + (1 - DECAY) r²_t (RiskMetrics 1996, eq. 5.3), divided by the sum of the weights so far, so
    that the start has no bias. A session without a bar does not change it. NaN before WARM_UP returns or without a bar.
    """
    returns = session_returns(history)
    seen = np.isfinite(returns)
    count = np.cumsum(seen, axis=1)
    # A column for each symbol, without the holes, after a zero for the sessions before its first; then one of weights.
    means = np.zeros((returns.shape[1] + 1, len(returns) + 1))
    row, session = np.nonzero(seen)
    means[count[row, session], row] = returns[row, session] ** 2
    means[1:, -1] = 1.0
    means *= 1 - DECAY
    for before, mean in pairwise(means):
        np.add(mean, DECAY * before, out=mean)
    variance, weight = np.take_along_axis(means[:, :-1], count.T, axis=0).T, means[count, -1]
    enough = (count >= WARM_UP) & history.present
    return _positive(np.sqrt(variance / np.maximum(weight, 1e-12)), where=enough)


def over_horizons(volatility: Grid) -> dict[int, Grid]:
    """The volatility of the return over each horizon, if returns are independent."""
    return {horizon: volatility * np.sqrt(horizon) for horizon in HORIZONS}


def range_variance(history: History) -> Grid:
    """Variance of each session from its open, high, low, close and the close before; (symbols, sessions).

    The squared overnight return plus Garman & Klass (1980), eq. 20 without its small terms: 0.5 ln(high/low)² -
    (2 ln 2 - 1) ln(close/open)². About seven times as precise as the squared return of the session. NaN without a bar.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        overnight = np.log(history.open) - last_known(np.log(history.close), before=True)
        spread = np.log(history.high / history.low)
        move = np.log(history.close / history.open)
    variance: Grid = overnight**2 + np.maximum(0.5 * spread**2 - (2 * np.log(2) - 1) * move**2, 0.0)
    return variance


def trailing_mean(values: Grid, sessions: int, *, least: int) -> Grid:
    """Mean of the known values of the last `sessions`; (symbols, sessions), NaN where fewer than `least` are known."""
    seen = np.isfinite(values)
    total, count = (np.cumsum(part, axis=1) for part in (np.where(seen, values, 0.0), seen))
    if sessions < values.shape[1]:
        total[:, sessions:] -= total[:, :-sessions].copy()
        count[:, sessions:] -= count[:, :-sessions].copy()
    return np.where(count >= least, np.maximum(total, 0.0) / np.maximum(count, 1), np.nan)


def _positive(volatility: Grid, *, where: np.ndarray) -> Grid:
    """NaN instead of a volatility of zero: a price that never moved has no scale."""
    return np.where(where & (volatility > 0), volatility, np.nan)
