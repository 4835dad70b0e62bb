"""The chance of a rise: the base rate, moved by a score as far as the score has predicted directions in the past."""

import numpy as np

from market_pipeline.storage.grids import Grid

STEEPEST = 5.0
"""Upper limit of the slope: log odds for one unit of a standardised score."""


def fitted_slope(base_rate: Grid, score: Grid, rose: np.ndarray) -> float:
    """The slope, 0 to STEEPEST, with the smallest log loss on past returns; all of shape (samples,).

    Platt (1999) scaling of the score with the log odds of the base rate as a fixed offset. There is no intercept,
    because the last year's share of rises is not a property of a symbol. The slope is never negative: a score that
    misled is ignored.
    """
    from scipy.optimize import minimize_scalar

    def loss(slope: float) -> float:
        odds = np.log(base_rate / (1 - base_rate)) + slope * score
        return float(np.logaddexp(0.0, np.where(rose, -odds, odds)).mean())

    found = minimize_scalar(loss, bounds=(0.0, STEEPEST), method="bounded", options={"xatol": 1e-4})
    return float(found.x) if loss(float(found.x)) < loss(0.0) else 0.0


def chance_of_rise(base_rate: Grid, score: Grid, slope: float) -> Grid:
    """1 / (1 + exp(-(log odds of the base rate + slope x score))); NaN where either is NaN."""
    chance: Grid = 1 / (1 + (1 - base_rate) / base_rate * np.exp(-slope * score))
    return chance
