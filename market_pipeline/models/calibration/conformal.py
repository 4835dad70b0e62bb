"""Quantiles of past errors with guaranteed coverage: corrected for the number of errors, or refused if too few."""

import numpy as np

from market_pipeline.models.calibration.distribution import CENTRAL_LEVELS, FINE_LEVELS
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

FURTHEST = 5.0
"""Times the outermost tracked quantile: an error beyond counts as this far away, so that no single one is the tail."""


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

    The ends, at the levels 0 and 1, lie where the mean beyond the outermost quantile is that of the errors beyond it.
    """
    known = np.isfinite(errors)
    found = errors[known]
    weights = np.ones(len(found)) if age is None else 0.5 ** (np.broadcast_to(age, errors.shape)[known] / HALF_LIFE)
    count = weights.sum() ** 2 / max(float((weights**2).sum()), 1e-300) / overlap
    if (count + 1) * (1 - max(LEVELS)) < 1:
        return np.full(len(FINE_LEVELS), np.nan)
    above = np.minimum((count + 1) * np.maximum(CENTRAL_LEVELS, 1 - CENTRAL_LEVELS) / count, 1.0)
    if symmetric:
        sides: Grid = np.sign(CENTRAL_LEVELS - 0.5)
        sizes = np.abs(found)
        central = np.asarray(sides * _weighted(sizes, weights, np.clip(2 * above - 1, 0, 1)), np.float64)
        end = _end(sizes, weights, central[-1])
        return np.concatenate([[-end], central, [end]])
    levels = np.where(CENTRAL_LEVELS >= 0.5, above, 1 - above)
    levels[CENTRAL_LEVELS == 0.5] = 0.5
    central = _weighted(found, weights, levels)
    return np.concatenate([[-_end(-found, weights, -central[0])], central, [_end(found, weights, central[-1])]])


def tracked_quantiles(errors: Grid, overlap: int) -> Grid:
    """Quantiles at FINE_LEVELS, symmetric about 0, of standardised past errors (symbols, sessions).

    They start as the conformal ones of the first WARM_UP sessions. Then each follows the errors session by session: it
    grows when more symbols lay beyond it than its level allows, and shrinks when fewer did, so that in the long run its
    coverage is right however the market drifts (quantile tracking: Angelopoulos, Candès & Tibshirani 2023, "Conformal
    PID Control for Time Series Prediction", eq. 4, on the logarithm). The ends follow from how far, in units of the
    outermost quantile of then, the errors beyond it lay on average. Too few errors are refused as in
    `conformal_quantiles`.
    """
    errors = errors[:, -TRACKED:]
    known = np.isfinite(errors)
    seen = np.flatnonzero(known.any(axis=0))
    start = conformal_quantiles(errors[:, seen[:WARM_UP]], overlap, symmetric=True)
    if len(seen) <= WARM_UP or not np.isfinite(start).all():
        return conformal_quantiles(errors, overlap, symmetric=True)
    upper = CENTRAL_LEVELS > 0.5
    beyond = 2 * (1 - CENTRAL_LEVELS[upper])
    level = np.log(np.maximum(start[1:-1][upper], 1e-12))
    tracked, ratios = seen[WARM_UP:], [np.empty(0)]
    # Each session's errors by size, the unknown ones last.
    ascending = np.sort(np.where(known, np.abs(errors), np.nan)[:, tracked], axis=0).T.copy()
    for sizes, count in zip(ascending, known[:, tracked].sum(axis=0).tolist(), strict=True):
        quantiles = np.exp(level)
        inside = sizes[:count].searchsorted(quantiles, side="right")
        ratios.append(sizes[inside[-1] : count] / quantiles[-1])
        level = np.maximum.accumulate(level + RATE * (1 - inside / count - beyond))
    half, ratio = np.exp(level), np.minimum(np.concatenate(ratios), FURTHEST)
    end = half[-1] * (2 * ratio.mean() - 1 if len(ratio) else 1.0)
    return np.concatenate([[-end], -half[::-1], [0.0], half, [end]])


def effective_errors(errors: Grid, overlap: int) -> float:
    """How many independent errors (symbols, sessions) `tracked_quantiles` learns from: n as in conformal_quantiles."""
    return float(np.isfinite(errors[:, -TRACKED:]).sum() / overlap)


def _end(errors: Grid, weights: Grid, outermost: float) -> float:
    """Where a piece that is linear in the level ends, if it begins at the outermost quantile: its mean is the errors'.

    The errors above the quantile, weighted; the quantile itself where there are none.
    """
    outside = errors > outermost
    if not outside.any():
        return float(outermost)
    return float(2 * np.average(errors[outside], weights=weights[outside]) - outermost)


def _weighted(values: Grid, weights: Grid, levels: Grid) -> Grid:
    """The smallest value below which each share of the weights lies: numpy's weighted "inverted_cdf", but fast."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    place = np.searchsorted(reached, levels * reached[-1] * (1 - 1e-12))
    smallest: Grid = values[order][np.minimum(place, len(values) - 1)]
    return smallest
