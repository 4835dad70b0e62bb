"""Quantiles and shortfalls of equally likely scenarios, which stand for the levels k / (n + 1).

The quantile function through them is linear, as that of a symbol's forecast is between its levels.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from market_pipeline.storage.grids import Grid

Scenarios: TypeAlias = npt.NDArray[np.float32]
"""Simple returns (symbols, scenarios) or (portfolios, scenarios); NaN in a scenario that one does not have."""


def levels_of(count: int) -> Grid:
    """The level of each of `count` scenarios in ascending order; (count,)."""
    levels: Grid = np.arange(1, count + 1) / (count + 1)
    return levels


def quantiles_at(ascending: Grid | Scenarios, levels: Grid) -> Grid:
    """Quantiles at `levels` (n,) of scenarios in ascending order (portfolios, count); (portfolios, n).

    >>> quantiles_at(np.arange(1.0, 100.0)[None], np.array([0.025, 0.5]))
    array([[ 2.5, 50. ]])
    """
    count = ascending.shape[1]
    place = np.clip(levels * (count + 1) - 1, 0, count - 1)
    below = np.minimum(place.astype(np.int64), count - 2)
    share = np.where(place - below < 1e-9, 0.0, place - below)  # exact where a scenario has the level
    share = np.where(share > 1 - 1e-9, 1.0, share)
    low, high = (ascending[:, at].astype(np.float64) for at in (below, below + 1))
    found: Grid = low * (1 - share) + high * share
    return found


def chance_above_zero(ascending: Grid | Scenarios) -> Grid:
    """One less the level at which the quantile function through ascending scenarios (portfolios, count) is 0."""
    levels = levels_of(ascending.shape[1])
    below = np.clip((ascending <= 0).sum(axis=1) - 1, 0, len(levels) - 2)
    rows = np.arange(len(ascending))
    low, high = (ascending[rows, at].astype(np.float64) for at in (below, below + 1))
    with np.errstate(divide="ignore", invalid="ignore"):  # equal values: 0 is at neither or beyond both
        falls = levels[below] - low * (levels[1] - levels[0]) / (high - low)
    falls = np.where(ascending[:, -1] <= 0, np.where(ascending[:, -1] < 0, 1.0, levels[-1]), falls)
    chances: Grid = 1 - np.where(ascending[:, 0] > 0, 0.0, falls)
    return chances


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
