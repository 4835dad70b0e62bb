"""Quantiles of past errors with guaranteed coverage: corrected for the number of errors, or refused if too few."""

import numpy as np

from market_pipeline.models.calibration.distribution import FINE_LEVELS
from market_pipeline.storage.grids import Grid
from market_pipeline.storage.tables.forecasts import LEVELS

HALF_LIFE = 180
"""Sessions after which an error has half its weight: markets drift, so the last year matters more than older ones."""

WARM_UP = 250
"""Sessions whose errors give a tracker its start."""

RATE = 0.05
"""Step of a tracked quantile, in logarithms, for a session on which every error lay beyond it."""

TRACKED = 1500
"""Sessions that trackers look back over."""


def conformal_quantiles(errors: Grid, overlap: int, *, age: Grid | None = None, symmetric: bool = False) -> Grid:
    """Quantiles at FINE_LEVELS of standardised past errors, of any shape; NaN ones are left out.

    Split conformal prediction (Lei et al. 2018; one-sided as in Romano, Patterson & Candès 2019): of n errors the
    quantile at a level above one half is the ceil((n + 1) level)-th smallest, mirrored below, so that the next error of
    an exchangeable series lies below it at least that often. Errors of one symbol whose origins are closer than the
    horizon share sessions, so n is their number divided by `overlap`: the horizon, for origins of every session.

    A level for which no such error exists, because (n + 1) (1 - level) < 1, is refused: then every quantile is NaN, and
    the model has no forecast. (The larger of two errors, a common choice for a 95 % range, covers 67 %.)

    With `age`, sessions since the origin of each error (broadcast to `errors`), older errors weigh less (Barber,
    Candès, Ramdas & Tibshirani 2023, "Conformal Prediction beyond Exchangeability"), and n is the effective number of
    Kish (1965). With `symmetric`, both tails are pooled and the median is 0: a distribution without a direction.
    """
    known = np.isfinite(errors)
    found = errors[known]
    weights = np.ones(len(found)) if age is None else 0.5 ** (np.broadcast_to(age, errors.shape)[known] / HALF_LIFE)
    count = weights.sum() ** 2 / max(float((weights**2).sum()), 1e-300) / overlap
    if (count + 1) * (1 - max(LEVELS)) < 1:
        return np.full(len(FINE_LEVELS), np.nan)
    above = np.minimum((count + 1) * np.maximum(FINE_LEVELS, 1 - FINE_LEVELS) / count, 1.0)
    if symmetric:
        sides: Grid = np.sign(FINE_LEVELS - 0.5)
        return np.asarray(sides * _weighted(np.abs(found), weights, np.clip(2 * above - 1, 0, 1)), np.float64)
    levels = np.where(FINE_LEVELS >= 0.5, above, 1 - above)
    levels[FINE_LEVELS == 0.5] = 0.5
    return _weighted(found, weights, levels)


def tracked_quantiles(errors: Grid, overlap: int) -> Grid:
    """Quantiles at FINE_LEVELS, symmetric about 0, of standardised past errors (symbols, sessions).

    They start as the conformal ones of the first WARM_UP sessions. Then each follows the errors session by session: it
    grows when more symbols lay beyond it than its level allows, and shrinks when fewer did, so that in the long run its
    coverage is right however the market drifts (quantile tracking: Angelopoulos, Candès & Tibshirani 2023, "Conformal
    PID Control for Time Series Prediction", eq. 4, on the logarithm). Too few errors are refused as in
    `conformal_quantiles`.
    """
    errors = errors[:, -TRACKED:]
    known = np.isfinite(errors)
    seen = np.flatnonzero(known.any(axis=0))
    start = conformal_quantiles(errors[:, seen[:WARM_UP]], overlap, symmetric=True)
    if len(seen) <= WARM_UP or not np.isfinite(start).all():
        return conformal_quantiles(errors, overlap, symmetric=True)
    upper = FINE_LEVELS > 0.5
    beyond = 2 * (1 - FINE_LEVELS[upper])
    level = np.log(np.maximum(start[upper], 1e-12))
    for session in seen[WARM_UP:]:
        sizes = np.sort(np.abs(errors[known[:, session], session]))
        missed = 1 - np.searchsorted(sizes, np.exp(level), side="right") / len(sizes)
        level = np.maximum.accumulate(level + RATE * (missed - beyond))
    half = np.exp(level)
    return np.concatenate([-half[::-1], [0.0], half])


def _weighted(values: Grid, weights: Grid, levels: Grid) -> Grid:
    """The smallest value below which each share of the weights lies: numpy's weighted "inverted_cdf", but fast."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    place = np.searchsorted(reached, levels * reached[-1] * (1 - 1e-12))
    smallest: Grid = values[order][np.minimum(place, len(values) - 1)]
    return smallest
