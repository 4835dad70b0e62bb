"""Quantiles and shortfalls of equally likely scenarios, which stand for the levels k / (n + 1).

The quantile function through them is linear, as that of a symbol's forecast is between its levels.
"""

import numpy as np

from market_pipeline.storage.grids import Grid


def levels_of(count: int) -> Grid:
    """The level of each of `count` scenarios in ascending order; (count,)."""
    levels: Grid = np.arange(1, count + 1) / (count + 1)
    return levels


def quantiles_at(ascending: Grid, levels: Grid) -> Grid:
    """Quantiles at `levels` (n,) of scenarios in ascending order (portfolios, count); (portfolios, n).

    >>> quantiles_at(np.arange(1.0, 100.0)[None], np.array([0.025, 0.5]))
    array([[ 2.5, 50. ]])
    """
    count = ascending.shape[1]
    place = np.clip(levels * (count + 1) - 1, 0, count - 1)
    below = np.minimum(place.astype(np.int64), count - 2)
    share = np.where(place - below < 1e-9, 0.0, place - below)  # exact where a scenario has the level
    share = np.where(share > 1 - 1e-9, 1.0, share)
    found: Grid = ascending[:, below] * (1 - share) + ascending[:, below + 1] * share
    return found


def chance_above_zero(ascending: Grid) -> Grid:
    """One less the level at which the quantile function through ascending scenarios (portfolios, count) is 0."""
    levels = levels_of(ascending.shape[1])
    return np.array([1 - np.interp(0.0, row, levels, left=0.0, right=1.0) for row in ascending])


def tail_weights(count: int, level: float) -> Grid:
    """Weights of the lowest scenarios in the mean of the quantile function below a level; they sum to 1.

    (1 / level) x the integral of the quantile function from 0 to the level (Acerbi & Tasche 2002, "On the coherence of
    expected shortfall"), linear between scenarios, constant below the lowest. Raises ValueError where no scenario lies
    below the level.

    >>> tail_weights(99, 0.03)
    array([0.5       , 0.33333333, 0.16666667])
    """
    place = level * (count + 1)
    whole = int(place + 1e-9)
    if whole < 1:
        raise ValueError(f"{count} scenarios are too few for the level {level:g}: none lies below it.")
    part = max(place - whole, 0.0)
    weights = np.zeros(whole + 1)
    weights[:whole] = 1.0
    weights[0] += 0.5
    weights[whole - 1] -= 0.5
    weights[whole - 1] += part * (1 - part / 2)
    weights[whole] = part**2 / 2
    if part < 1e-9:
        weights = weights[:whole]
    share: Grid = weights / weights.sum()
    return share
