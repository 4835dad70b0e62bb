"""The distribution of a log return that every forecast has: a mean, nine quantiles, the chance of a rise.

They belong to one distribution: the quantile at the level 1 - p_up is 0. Its quantile function, where a model has one,
gives the quantiles at all levels, and with them what may be lost in the tail.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from market_pipeline.storage.grids import Grid
from market_pipeline.storage.tables.forecasts import LEVELS

CENTRAL_LEVELS = np.concatenate([[0.005, 0.01], np.linspace(0.02, 0.98, 97), [0.99, 0.995]])
"""Levels at which past errors have a quantile: fine enough to read a probability from them."""

FINE_LEVELS = np.concatenate([[0.0], CENTRAL_LEVELS, [1.0]])
"""Levels of the stored quantiles of standardised residuals; between them, a quantile function is linear.

The two ends are no quantiles: they lie where the mean beyond the central levels is that of past errors. Parameters that
were fitted before schema version 4 have the central levels alone.
"""

TOLERANCE = 0.05
"""How far a probability may be from that of a quantile of 0: returns that are exactly 0 are neither rise nor fall."""

QuantileFunction: TypeAlias = Callable[[Grid], Grid]
"""From levels (n,), each in 0 to 1, to log returns (symbols, origins, n), ascending; NaN without a forecast."""


@dataclass(frozen=True)
class Distribution:
    """Forecasts of one model and horizon; NaN where the model has no forecast."""

    mean: Grid
    """(symbols, origins), log return."""
    quantiles: Grid
    """(symbols, origins, 9) at LEVELS, log return."""
    p_up: Grid
    """(symbols, origins), probability that the log return is above 0."""
    quantile_function: QuantileFunction | None = None
    """At LEVELS it gives `quantiles`; None for a model that knows the nine alone, which then has no tails."""
    errors: float = 0.0
    """How many independent past errors it is calibrated by: infinite for one that needs none. Too few of them for a
    level give no tail there, see `tails_of`."""


def is_coherent(one: Distribution) -> np.ndarray:
    """Where mean, quantiles and chance of a rise may belong to one distribution, or are NaN; (symbols, origins).

    A quantile above 0 means a chance of a rise of at least 1 - level, one below 0 of at most that. The mean lies
    between the outer quantiles, or towards 0: where a rise is nearly certain, they can all be above a mean of 0.
    """
    quantiles, rise = one.quantiles, 1 - np.array(LEVELS)
    slack = np.where(quantiles == 0, TOLERANCE, 1e-9)
    with np.errstate(invalid="ignore"):
        too_low = (quantiles >= 0) & (one.p_up[..., None] <= rise - slack)
        too_high = (quantiles <= 0) & (one.p_up[..., None] >= rise + slack)
        outside = (one.mean < np.minimum(quantiles[..., 0], 0)) | (one.mean > np.maximum(quantiles[..., -1], 0))
    found: np.ndarray = ~((too_low | too_high).any(axis=-1) | outside)
    return found


def location_scale(mean: Grid, scale: Grid, residuals: Grid) -> Distribution:
    """The distribution mean + scale x standardised residual; `mean` and `scale` (symbols, origins).

    `residuals` are quantiles at FINE_LEVELS of a distribution with mean 0. The chance of a rise is one less F at
    -mean / scale. All are NaN where the mean or the scale is.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        p_up = 1 - np.interp(-mean / scale, _central(residuals), CENTRAL_LEVELS)
    return _located(mean, scale, residuals, p_up)


def by_chance(p_up: Grid, scale: Grid, residuals: Grid) -> Distribution:
    """The same with the mean that makes `p_up` (symbols, origins) the chance of a rise."""
    return _located(scale * standard_mean(p_up, residuals), scale, residuals, p_up)


def standard_mean(p_up: Grid, residuals: Grid) -> Grid:
    """The mean, in units of the scale, at which a rise has the chance `p_up` (any shape)."""
    return -np.interp(1 - p_up, CENTRAL_LEVELS, _central(residuals))


def _located(mean: Grid, scale: Grid, residuals: Grid, p_up: Grid) -> Distribution:
    def quantiles(levels: Grid) -> Grid:
        located: Grid = mean[..., None] + scale[..., None] * _residuals_at(levels, residuals)
        return located

    known = np.isfinite(mean) & np.isfinite(scale)
    where_known = (np.where(known, values, np.nan) for values in (mean, p_up))
    return Distribution(next(where_known), quantiles(np.array(LEVELS)), next(where_known), quantiles)


def _central(residuals: Grid) -> Grid:
    return residuals if len(residuals) == len(CENTRAL_LEVELS) else residuals[1:-1]


def _residuals_at(levels: Grid, residuals: Grid) -> Grid:
    """Quantiles of residuals at levels of any shape; beyond the last one that is stored, that one."""
    stored = CENTRAL_LEVELS if len(residuals) == len(CENTRAL_LEVELS) else FINE_LEVELS
    return np.asarray(np.interp(levels, stored, residuals), np.float64)


def zero_mean(scale: Grid, residuals: Grid, p_up: Grid, errors: float = 0.0) -> Distribution:
    """A distribution with mean 0 and the chance `p_up` of a rise: what is likelier is smaller, as in a fair bet.

    Two halves that meet at 0 (Fechner 1897; Wallis 2014, "The Two-Piece Normal, Binormal, or Double Gaussian
    Distribution"). Below the level 1 - p_up are the falls: the lower half of the symmetric `residuals` (quantiles at
    FINE_LEVELS), stretched by 1 / (2 - 2 p_up). Above it are the rises: the upper half, stretched by 1 / (2 p_up). Both
    then have the same share in the mean. `scale` and `p_up` are (symbols, origins); all is NaN where one of them is.

    >>> fair = zero_mean(np.ones(1), np.sign(FINE_LEVELS - 0.5), np.array([0.75]))
    >>> fair.quantiles.round(2).tolist()  # three rises of 2/3 pay for one fall of 2
    [[-2.0, -2.0, -2.0, 0.0, 0.67, 0.67, 0.67, 0.67, 0.67]]
    """
    fall, rise = 1 - p_up[..., None], p_up[..., None]

    def quantiles(levels: Grid) -> Grid:
        if levels.max() < np.fmin.reduce(fall, axis=None, initial=1.0):  # as all levels of a tail are, almost always
            stretch = 2 * fall
            inside = levels / stretch
        else:
            below = levels < fall
            stretch = 2 * np.where(below, fall, rise)
            inside = np.where(below, levels / stretch, 1 - (1 - levels) / stretch)
        stretched: Grid = scale[..., None] * (_residuals_at(inside, residuals) / stretch)
        return stretched

    known = np.isfinite(scale) & np.isfinite(p_up)
    mean, chance = np.where(known, 0.0, np.nan), np.where(known, p_up, np.nan)
    return Distribution(mean, quantiles(np.array(LEVELS)), chance, quantiles, errors)


def average(members: Sequence[Distribution]) -> Distribution:
    """Equal weights on each mean, quantile and probability (Vincent 1912: averaging quantiles keeps the shape).

    The result is one distribution only if the members have the same chance of a rise. It has a quantile function if all
    of them have one, and is calibrated by as many errors as the member with the fewest.
    """
    parts = zip(*((one.mean, one.quantiles, one.p_up) for one in members), strict=True)
    mean, quantiles, p_up = (sum(part[1:], part[0]) / len(members) for part in parts)
    functions = [one.quantile_function for one in members if one.quantile_function is not None]

    def average_quantiles(levels: Grid) -> Grid:
        found = [function(levels) for function in functions]
        return sum(found[1:], found[0]) / len(found)

    known = average_quantiles if len(functions) == len(members) else None
    return Distribution(mean, quantiles, p_up, known, min(one.errors for one in members))
