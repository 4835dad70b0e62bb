"""Rank forecasts: the chance of each symbol to end in each quintile of the market's cross-section of returns.

All symbols are simulated together from what was known at the origin: volatilities with a short and a long half-life,
correlations shrunk to their mean, tails of Student's t, no drift.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from market_pipeline.models.features.returns import session_returns
from market_pipeline.prices.history import History
from market_pipeline.storage.grids import Grid
from market_pipeline.storage.tables.forecasts import CHANCES, HORIZONS

QUINTILES = len(CHANCES)
LEAST_SYMBOLS = 5
"""Symbols that a cross-section with quintiles needs."""

WINDOW = 500
"""Sessions up to the origin that are used, so that an origin costs the same whatever its past."""

LEAST_RETURNS = 60
"""Returns in the window that a symbol needs for a forecast."""

SHORT = {1: 10, 5: 20, 20: 60}
"""Half-life in sessions of the recent volatility, by horizon: a shock that fades soon does not help long horizons."""

LONG = 120
"""Half-life in sessions of the long-run volatility; the variance is the mean of both."""

CORRELATION = 250
"""Half-life in sessions of the correlations."""

SHRINKAGE = 0.1
"""Weight of the mean correlation in each (Ledoit & Wolf 2004, "Honey, I Shrunk the Sample Covariance Matrix")."""

DEGREES = 6
"""Degrees of freedom of each symbol's own tail. A tail that all symbols share would change no rank."""

DRAWS = 2000

CAUTION = 0.1
"""Weight of equal chances in each forecast: estimated chances are always a little too extreme."""

EXTREME = 0.5
"""Log return at which a move is cut off: one shock is not a volatility."""


def quintile_chances(history: History, positions: np.ndarray) -> Mapping[int, Grid]:
    """For each horizon the chances (symbols, origins, 5), lowest quintile first; NaN where there is no forecast.

    Each origin uses the WINDOW sessions that end there, and draws seeded by its day, so its chances are the same
    whatever other origins are asked for.
    """
    from joblib import Parallel, delayed

    returns = np.clip(session_returns(history), -EXTREME, EXTREME)
    tasks = (
        delayed(_at_origin)(
            returns[:, max(0, end + 1 - WINDOW) : end + 1],
            history.present[:, end],
            int(history.sessions[end].astype("datetime64[D]").astype(np.int64)),
        )
        for end in positions.tolist()
    )
    # One thread for each product: in another order of summation the last digits differ, and a rank may depend on them.
    with threadpool_limits(1):
        found = list(Parallel(n_jobs=-1, prefer="threads")(tasks))
    return {horizon: np.stack([one[place] for one in found], axis=1) for place, horizon in enumerate(HORIZONS)}


def quintile_of(values: Grid | npt.NDArray[np.float32]) -> np.ndarray:
    """The quintile, 0 to 4, of each value among those of its column; (symbols, columns), none missing."""
    rank = np.empty(values.shape, np.int64)
    order = np.argsort(values, axis=0, kind="stable")
    np.put_along_axis(rank, order, np.broadcast_to(np.arange(len(values))[:, None], values.shape), axis=0)
    quintile: np.ndarray = rank * QUINTILES // len(values)
    return quintile


def quintile_shares(values: npt.NDArray[np.float32]) -> Grid:
    """How often each value is in each quintile of its column, as a share of the columns; (symbols, 5).

    The shares of `quintile_of`, from the four borders of each sorted column: sorting values is ten times as fast as
    ranking them. Columns with equal values on both sides of a border are ranked.
    """
    count = len(values)
    places = -(-np.arange(1, QUINTILES) * count // QUINTILES)
    above = np.stack([values >= border for border in np.sort(values, axis=0)[places]])
    tied = (above.sum(axis=1) != count - places[:, None]).any(axis=0)
    if tied.any():
        above[:, :, tied] = quintile_of(values[:, tied]) >= np.arange(1, QUINTILES)[:, None, None]
    reached = np.zeros((QUINTILES + 1, count))
    reached[0], reached[1:-1] = values.shape[1], above.sum(axis=2)
    shares: Grid = -np.diff(reached, axis=0).T / values.shape[1]
    return shares


def _at_origin(returns: Grid, present: np.ndarray, seed: int) -> Grid:
    """(horizons, symbols, 5) from the returns (symbols, sessions) that end at the origin."""
    chances = np.full((len(HORIZONS), len(returns), QUINTILES), np.nan)
    chosen = np.flatnonzero(present & (np.isfinite(returns).sum(axis=1) >= LEAST_RETURNS))
    chosen = chosen[np.nanmax(np.abs(returns[chosen]), axis=1, initial=0) > 0]
    if len(chosen) < LEAST_SYMBOLS:
        return chances
    returns = returns[chosen]
    draw = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
    shape = (len(chosen), DRAWS)
    shocks = np.linalg.cholesky(_correlation(returns)).astype(np.float32) @ draw.standard_normal(shape, np.float32)
    shocks *= np.sqrt(DEGREES / draw.chisquare(DEGREES, shape)).astype(np.float32)
    for place, horizon in enumerate(HORIZONS):
        scale = np.sqrt((_variance(returns, SHORT[horizon]) + _variance(returns, LONG)) / 2)
        shares = quintile_shares((shocks * scale[:, None]).astype(np.float32))
        # Without drift a draw and its opposite are equally likely: the mirrored shares double the draws at no cost.
        chances[place, chosen] = (1 - CAUTION) * (shares + shares[:, ::-1]) / 2 + CAUTION / QUINTILES
    return chances


def _weights(sessions: int, half_life: float) -> Grid:
    weights: Grid = 0.5 ** (np.arange(sessions)[::-1] / half_life)
    return weights


def _variance(returns: Grid, half_life: float) -> Grid:
    """Exponentially weighted mean of squared returns (RiskMetrics 1996), (symbols,); holes are left out."""
    weights = _weights(returns.shape[1], half_life) * np.isfinite(returns)
    variance: Grid = (np.nan_to_num(returns) ** 2 * weights).sum(axis=1) / weights.sum(axis=1)
    return variance


def _correlation(returns: Grid) -> Grid:
    """Exponentially weighted correlations about zero, shrunk to their mean; (symbols, symbols), positive definite."""
    known = np.nan_to_num(returns)
    # In place: for thousands of symbols, each matrix has hundreds of megabytes.
    found: Grid = (known * _weights(returns.shape[1], CORRELATION)) @ known.T
    spread = np.sqrt(np.diag(found))
    found /= spread[:, None]
    found /= spread
    count = len(found)
    mean = max(0.0, (found.sum() - count) / (count * (count - 1)))
    found *= 1 - SHRINKAGE
    found += SHRINKAGE * mean
    np.fill_diagonal(found, 1.0)
    return found
