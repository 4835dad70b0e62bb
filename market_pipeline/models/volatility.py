"""How much a symbol moves in one session, as known at each close."""

import numpy as np

from market_pipeline.panel import Grid
from market_pipeline.prices.adjustment import last_known
from market_pipeline.prices.history import History

WARM_UP = 20
"""Returns before a volatility says anything."""

DECAY = 0.94
"""Weight of the past in the EWMA of daily data (RiskMetrics Technical Document, 1996, ch. 5)."""


def session_returns(history: History) -> Grid:
    """Log return of each bar on the bar before it, over a hole if there is one; (symbols, sessions)."""
    level = np.log(history.close)
    returns: Grid = level - last_known(level, before=True)
    return returns


def expanding_volatility(history: History) -> Grid:
    """Root mean square of all returns known by each session, zero drift; NaN before WARM_UP returns or at no bar."""
    returns = session_returns(history)
    count = np.cumsum(np.isfinite(returns), axis=1)
    total = np.cumsum(np.nan_to_num(returns) ** 2, axis=1)
    enough = (count >= WARM_UP) & history.present
    return _positive(np.sqrt(total / np.maximum(count, 1)), where=enough)


def ewma_volatility(history: History) -> Grid:
    """Root of the exponentially weighted mean of squared returns; NaN before WARM_UP returns or at no bar.

    s²_t = DECAY s²_{t-1} + (1 - DECAY) r²_t (RiskMetrics 1996, eq. 5.3), started bias-free by dividing by the sum of
    the weights so far; a session without a bar leaves it as it was.
    """
    returns = session_returns(history)
    seen = np.isfinite(returns)
    squares = np.where(seen, returns, 0.0) ** 2
    keep = np.where(seen, DECAY, 1.0)
    gain = np.where(seen, 1 - DECAY, 0.0)
    variance, weight = np.zeros_like(squares), np.zeros_like(squares)
    newest, mass = np.zeros(len(squares)), np.zeros(len(squares))
    for session in range(squares.shape[1]):
        newest = keep[:, session] * newest + gain[:, session] * squares[:, session]
        mass = keep[:, session] * mass + gain[:, session]
        variance[:, session], weight[:, session] = newest, mass
    enough = (np.cumsum(seen, axis=1) >= WARM_UP) & history.present
    return _positive(np.sqrt(variance / np.maximum(weight, 1e-12)), where=enough)


def _positive(volatility: Grid, *, where: np.ndarray) -> Grid:
    """NaN instead of a volatility of zero: a price that never moved has no scale to forecast by."""
    return np.where(where & (volatility > 0), volatility, np.nan)
