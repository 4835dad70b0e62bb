"""How far a volatility that was forecast is taken at its word: what is unusually low rises, what is high falls."""

import numpy as np

from market_pipeline.storage.grids import Grid

EVERY = 4
"""Sessions between the origins that count: returns over a horizon overlap, and neighbours hardly add anything."""

AT_MOST = 200_000
"""Errors that count; of more, fewer origins."""

PRIOR = 10.0
"""Independent errors, at log scales of unit variance, that weigh as much as the belief that scales do not revert."""

UNCHANGED = np.array([1.0, 0.0])
"""The reversion of parameters without one."""


def fitted_reversion(returns: Grid, scale: Grid, overlap: int) -> Grid:
    """Exponent and centre of `reverted`, from past returns less their mean and the scales that were forecast for them.

    Both are (symbols, sessions); pairs with a NaN are left out. A forecast scale is an estimate: where it is lowest or
    highest, it errs, and volatility returns to its mean before the horizon is over. So ranges hold on average, but too
    seldom where they are narrow and too often where they are wide. The exponent, 0 to 1, is that of the most likely
    scale of Laplace distributed returns, log scale = constant + exponent x (log forecast - centre), as in a GARCH model
    by least absolute errors (Peng & Yao 2003); the first-order condition does not contain the constant. With few
    errors, of which `overlap` count as one, it stays near 1.
    """
    from scipy.optimize import brentq

    known = np.isfinite(returns) & np.isfinite(scale)
    step = max(EVERY, -(-int(known.sum()) // AT_MOST))
    known[:, np.arange(known.shape[1])[::-1] % step > 0] = False
    sizes, logs = np.abs(returns[known]), np.log(scale[known])
    if not sizes.any():
        return UNCHANGED
    centre = float(logs.mean())
    logs -= centre
    prior = PRIOR * overlap / (len(logs) * step)

    def slope(exponent: float) -> float:
        weights = sizes * np.exp(-exponent * logs)
        return float(prior * (exponent - 1) - (weights * logs).sum() / weights.sum())

    if slope(1.0) <= 0:
        return np.array([1.0, centre])
    return np.array([brentq(slope, 0.0, 1.0, xtol=1e-6) if slope(0.0) < 0 else 0.0, centre])


def reverted(scale: Grid, reversion: Grid) -> Grid:
    """exp(centre) x (scale / exp(centre)) ** exponent, of any shape; the scale itself where the exponent is 1.

    >>> reverted(np.array([0.01, 0.04]), np.array([0.5, np.log(0.01)])).round(4).tolist()
    [0.01, 0.02]
    """
    exponent, centre = reversion
    if exponent == 1.0:
        return scale
    found: Grid = np.exp(centre + exponent * (np.log(scale) - centre))
    return found
