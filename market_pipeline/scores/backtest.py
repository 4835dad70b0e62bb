"""What following the signals would have earned: positions of the champion's trend, a session late, costs paid.

Knows arrays of positions and returns; no forecast, no table.
"""

from dataclasses import dataclass

import numpy as np

from market_pipeline.storage.grids import Grid

EULER = 0.5772156649015329
DELAY = 2
"""Sessions from the origin whose close decides to the first return that a position earns: it is taken at the next
close, so the first move that it sees is the one after."""


@dataclass(frozen=True)
class Strategy:
    """One way to trade a market, after costs; returns and volatility are annualised where a year is named."""

    sessions: int
    net_return: float
    """Compound growth in a year."""
    buy_and_hold: float
    """The same for equal weights, rebalanced daily and without costs."""
    sharpe: float
    """Mean over standard deviation of daily net returns, for a year; 0 for a strategy that never trades."""
    deflated_sharpe: float
    """Probability that the true Sharpe ratio is above 0, given how many were tried."""
    max_drawdown: float
    """Largest fall from a peak, as a share of it."""
    turnover: float
    """Share of the capital traded in a year."""
    exposure: float
    """Mean share of the capital that is invested, long or short."""


def follow(positions: Grid, returns: Grid, horizon: int, cost_bps: float, per_year: float, trials: int) -> Strategy:
    """Hold each origin's positions for `horizon` sessions, each on one part in `horizon` of the capital.

    `positions` and simple `returns` are (symbols, sessions); positions -1, 0 or 1 by origin, NaN where nothing is said;
    a return belongs to the session at whose close it ends, NaN without a bar. Capital is spread equally over the
    symbols that have a bar. `cost_bps` are paid on each unit of capital traded.
    """
    traded = np.isfinite(returns)
    count = np.maximum(traded.sum(axis=0), 1)
    said = np.nan_to_num(positions.astype(np.float64))
    held = np.zeros_like(said)
    for age in range(horizon):
        late = DELAY + age
        held[:, late:] += said[:, : said.shape[1] - late] / horizon
    weights = np.where(traded, held, 0.0) / count
    change = np.abs(np.diff(weights, axis=1, prepend=0.0)).sum(axis=0)
    net = np.nansum(weights * np.nan_to_num(returns), axis=0) - change * cost_bps / 1e4
    market = np.nansum(np.nan_to_num(returns), axis=0) / count
    years = len(net) / per_year
    wealth = np.cumprod(1 + net)
    return Strategy(
        sessions=len(net),
        net_return=float(wealth[-1] ** (1 / years) - 1),
        buy_and_hold=float(np.prod(1 + market) ** (1 / years) - 1),
        sharpe=float(_ratio(net) * np.sqrt(per_year)),
        deflated_sharpe=deflated_sharpe(net, trials),
        max_drawdown=float((1 - wealth / np.maximum.accumulate(np.maximum(wealth, 1.0))).max()),
        turnover=float(change.sum() / years),
        exposure=float(np.abs(weights).sum(axis=0).mean()),
    )


def deflated_sharpe(returns: Grid, trials: int) -> float:
    """Probability that the true Sharpe ratio of `returns` (sessions,) exceeds what the best of `trials` has by luck.

    Bailey & López de Prado (2014), "The Deflated Sharpe Ratio", eq. 1 and 2, the trials' ratios taken to spread as
    estimates of a true 0 do, by 1 / (T - 1). One half for a strategy that never trades: nothing is known of it.
    """
    from scipy.stats import kurtosis, norm, skew

    count, ratio = len(returns), _ratio(returns)
    if not returns.any():
        return 0.5
    luck = 0.0
    if trials > 1:
        tail = norm.ppf(1 - 1 / trials), norm.ppf(1 - 1 / (trials * np.e))
        luck = float(((1 - EULER) * tail[0] + EULER * tail[1]) / np.sqrt(count - 1))
    spread = 1 - skew(returns) * ratio + (kurtosis(returns, fisher=False) - 1) / 4 * ratio**2
    return float(norm.cdf((ratio - luck) * np.sqrt(count - 1) / np.sqrt(max(spread, 1e-12))))


def _ratio(returns: Grid) -> float:
    spread = float(returns.std())
    return float(returns.mean()) / spread if spread > 0 else 0.0
