"""Who will lead and who will lag: the chance of each symbol to end in each fifth of the market's cross-section.

All symbols are simulated together from what was known at the origin: volatilities of two memories, correlations
shrunk to their mean, tails of Student's t, no drift. Knows arrays of returns only.
"""

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from market_pipeline.models.features.volatility import session_returns
from market_pipeline.prices.history import History
from market_pipeline.storage.grids import Grid
from market_pipeline.storage.tables.forecasts import HORIZONS

Chances: TypeAlias = Mapping[int, Grid]
"""For each horizon (symbols, origins, 5), lowest fifth first; NaN where nothing is said."""

FIFTHS = 5
LEAST_SYMBOLS = 5
"""Below which a cross-section has no fifths."""

WINDOW = 500
"""Sessions up to the origin that are looked at, so that an origin costs the same whatever lies before."""

LEAST_RETURNS = 60
"""Returns of a symbol in the window before anything is said of it."""

FAST = {1: 10, 5: 20, 20: 60}
"""Half-life in sessions of the volatility's short memory, by horizon: what fades is of no use to the long ones."""

SLOW = 120
"""Half-life in sessions of its long memory; the variance is the mean of both."""

CORRELATION = 250
"""Half-life in sessions of the correlations."""

SHRINKAGE = 0.1
"""Weight of the mean correlation in each (Ledoit & Wolf 2004, "Honey, I Shrunk the Sample Covariance Matrix")."""

DEGREES = 6
"""Of freedom of each symbol's own tail. A tail that all share moves no rank."""

DRAWS = 2000

CAUTION = 0.1
"""Weight of a fifth in each: what is estimated is always a little too sure."""

ABSURD = 0.5
"""Log return beyond which a move counts no further: one shock is no volatility."""


def fifth_chances(history: History, positions: np.ndarray) -> Chances:
    """The chances at the origins at `positions`, each from the WINDOW sessions that end there.

    An origin's answer is the same whatever others are asked for: its draws are seeded by its day.
    """
    from joblib import Parallel, delayed

    returns = np.clip(session_returns(history), -ABSURD, ABSURD)
    tasks = (
        delayed(_at)(
            returns[:, max(0, end + 1 - WINDOW) : end + 1],
            history.present[:, end],
            int(history.sessions[end].astype("datetime64[D]").astype(np.int64)),
        )
        for end in positions.tolist()
    )
    # One thread for each product: sums in another order end in other bits, and a rank may hang on one.
    with threadpool_limits(1):
        answers = list(Parallel(n_jobs=-1, prefer="threads")(tasks))
    return {horizon: np.stack([answer[place] for answer in answers], axis=1) for place, horizon in enumerate(HORIZONS)}


def fifth_of(values: Grid | npt.NDArray[np.float32]) -> np.ndarray:
    """The fifth, 0 to 4, of each value among those of its column; (symbols, columns), none missing."""
    rank = np.empty(values.shape, np.int64)
    order = np.argsort(values, axis=0, kind="stable")
    np.put_along_axis(rank, order, np.broadcast_to(np.arange(len(values))[:, None], values.shape), axis=0)
    fifth: np.ndarray = rank * FIFTHS // len(values)
    return fifth


def counted_in_fifths(values: npt.NDArray[np.float32]) -> Grid:
    """How often each value is in each fifth of its column, as a share of the columns; (symbols, 5).

    The shares of `fifth_of`, from the four borders of each sorted column: sorting values is ten times as fast as
    ranking them. Columns with equal values on both sides of a border are ranked.
    """
    count = len(values)
    places = -(-np.arange(1, FIFTHS) * count // FIFTHS)
    above = np.stack([values >= border for border in np.sort(values, axis=0)[places]])
    tied = (above.sum(axis=1) != count - places[:, None]).any(axis=0)
    if tied.any():
        above[:, :, tied] = fifth_of(values[:, tied]) >= np.arange(1, FIFTHS)[:, None, None]
    reached = np.zeros((FIFTHS + 1, count))
    reached[0], reached[1:-1] = values.shape[1], above.sum(axis=2)
    shares: Grid = -np.diff(reached, axis=0).T / values.shape[1]
    return shares


def _at(returns: Grid, present: np.ndarray, seed: int) -> Grid:
    """(horizons, symbols, 5) from the returns (symbols, sessions) that end at the origin."""
    chances = np.full((len(HORIZONS), len(returns), FIFTHS), np.nan)
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
        scale = np.sqrt((_variance(returns, FAST[horizon]) + _variance(returns, SLOW)) / 2)
        counted = counted_in_fifths((shocks * scale[:, None]).astype(np.float32))
        # Without drift, a draw and its opposite are as likely: the mirrored counts are draws for nothing.
        chances[place, chosen] = (1 - CAUTION) * (counted + counted[:, ::-1]) / 2 + CAUTION / FIFTHS
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
    # In place: of thousands of symbols, each matrix is hundreds of megabytes.
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
