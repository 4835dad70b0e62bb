"""The chance of a rise: a symbol's own base rate, moved only as far as a score has earned in the past."""

import numpy as np

from market_pipeline.panel import Grid

STEEPEST = 5.0
"""Log odds for one unit of a standardised score, at most."""


def earned_slope(base_rate: Grid, score: Grid, rose: np.ndarray) -> float:
    """The slope, 0 to STEEPEST, that a score earned on errors that have come due; all of shape (samples,).

    Platt (1999) scaling of the score with the base rate's log odds as a fixed offset: without an intercept, for the
    luck of a market's last year is no property of a symbol; never negative, for a score that misled is to be ignored.
    """
    from scipy.optimize import minimize_scalar

    def loss(slope: float) -> float:
        odds = np.log(base_rate / (1 - base_rate)) + slope * score
        return float(np.logaddexp(0.0, np.where(rose, -odds, odds)).mean())

    found = minimize_scalar(loss, bounds=(0.0, STEEPEST), method="bounded", options={"xatol": 1e-4})
    return float(found.x) if loss(float(found.x)) < loss(0.0) else 0.0


def chance_of_a_rise(base_rate: Grid, score: Grid, slope: float) -> Grid:
    """1 / (1 + exp(-(log odds of the base rate + slope x score))); NaN where either is."""
    chance: Grid = 1 / (1 + (1 - base_rate) / base_rate * np.exp(-slope * score))
    return chance
