"""The chance of a rise: a base rate with little luck in it, moved only as far as a score has earned in the past."""

import numpy as np

from market_pipeline.storage.grids import Grid

STEEPEST = 5.0
"""Log odds for one unit of a standardised score, at most."""


def shrunk_rates(rises: Grid, known: Grid, overlap: int) -> Grid:
    """Each symbol's share of rises, drawn towards the share of all; (symbols, sessions), as the counts are.

    A share of one's own has been lucky or not, and whoever pools the market would beat it knowing nothing. Empirical
    Bayes (Efron & Morris 1975, "Data analysis using Stein's estimator and its generalizations"): symbols differ in
    truth by the variance of DerSimonian & Laird (1986), 0 where luck explains all. A return over `overlap` sessions
    counts as 1 / `overlap`, for it has most in common with its neighbours. The share of all starts at one half, by
    Laplace's rule of succession.
    """
    returns, risen = known.sum(axis=0), rises.sum(axis=0)
    share = (risen + 1) / (returns + 2)
    luck = share * (1 - share) * overlap  # variance of a symbol's share, times its returns
    with np.errstate(divide="ignore", invalid="ignore"):
        square = np.where(known > 0, rises * rises / known, 0.0).sum(axis=0) - risen * risen / returns
        others = (known > 0).sum(axis=0) - 1
        spread = (square - others * luck) / (returns - (known * known).sum(axis=0) / returns)
    truth = np.where(np.isfinite(spread), np.maximum(spread, 0.0), 0.0)
    found: Grid = share + truth * (rises - known * share) / (known * truth + luck)
    return found


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
