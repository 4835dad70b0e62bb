"""The distribution of a log return that every forecast has: a mean, nine quantiles, the chance of a rise.

They belong to one distribution: the quantile at the level 1 - p_up is 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from market_pipeline.storage.grids import Grid
from market_pipeline.storage.tables.forecasts import LEVELS

FINE_LEVELS = np.concatenate([[0.005, 0.01], np.linspace(0.02, 0.98, 97), [0.99, 0.995]])
"""Levels of the stored quantiles of standardised residuals: fine enough to read a probability from them."""


@dataclass(frozen=True)
class Distribution:
    """Forecasts of one model and horizon; NaN where the model has no forecast."""

    mean: Grid
    """(symbols, origins), log return."""
    quantiles: Grid
    """(symbols, origins, 9) at LEVELS, log return."""
    p_up: Grid
    """(symbols, origins), probability that the log return is above 0."""


def location_scale(mean: Grid, scale: Grid, residuals: Grid) -> Distribution:
    """The distribution mean + scale x standardised residual; `mean` and `scale` (symbols, origins).

    `residuals` are quantiles at FINE_LEVELS of a distribution with mean 0. The chance of a rise is one less F at
    -mean / scale. All are NaN where the mean or the scale is.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        p_up = 1 - np.interp(-mean / scale, residuals, FINE_LEVELS)
    return _located(mean, scale, residuals, p_up)


def by_chance(p_up: Grid, scale: Grid, residuals: Grid) -> Distribution:
    """The same with the mean that makes `p_up` (symbols, origins) the chance of a rise."""
    return _located(scale * standard_mean(p_up, residuals), scale, residuals, p_up)


def standard_mean(p_up: Grid, residuals: Grid) -> Grid:
    """The mean, in units of the scale, at which a rise has the chance `p_up` (any shape)."""
    return -np.interp(1 - p_up, FINE_LEVELS, residuals)


def _located(mean: Grid, scale: Grid, residuals: Grid, p_up: Grid) -> Distribution:
    spread = np.interp(LEVELS, FINE_LEVELS, residuals)
    known = np.isfinite(mean) & np.isfinite(scale)
    quantiles = mean[..., None] + scale[..., None] * spread
    return Distribution(np.where(known, mean, np.nan), quantiles, np.where(known, p_up, np.nan))


def zero_mean(scale: Grid, residuals: Grid, p_up: Grid) -> Distribution:
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
    levels = np.array(LEVELS)
    falls = np.interp(levels / (2 * fall), FINE_LEVELS, residuals) / (2 * fall)
    rises = np.interp(1 - (1 - levels) / (2 * rise), FINE_LEVELS, residuals) / (2 * rise)
    known = np.isfinite(scale) & np.isfinite(p_up)
    quantiles = scale[..., None] * np.where(levels < fall, falls, rises)
    return Distribution(np.where(known, 0.0, np.nan), quantiles, np.where(known, p_up, np.nan))


def average(members: Sequence[Distribution]) -> Distribution:
    """Equal weights on each mean, quantile and probability (Vincent 1912: averaging quantiles keeps the shape).

    The result is one distribution only if the members have the same chance of a rise.
    """
    parts = zip(*((one.mean, one.quantiles, one.p_up) for one in members), strict=True)
    return Distribution(*(sum(part[1:], part[0]) / len(members) for part in parts))
