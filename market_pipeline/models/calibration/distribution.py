"""The distribution of a log return that every forecast has: a mean, nine quantiles, the chance of a rise."""

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


def location_scale(mean: Grid, scale: Grid, residuals: Grid, p_up: Grid | None = None) -> Distribution:
    """The distribution mean + scale x standardised residual; `mean` and `scale` (symbols, origins).

    `residuals` are quantiles at FINE_LEVELS. Without `p_up` it is read from them: 1 - F(-mean / scale). It is NaN where
    the mean or the scale is.
    """
    spread = np.interp(LEVELS, FINE_LEVELS, residuals)
    if p_up is None:
        with np.errstate(invalid="ignore", divide="ignore"):
            p_up = 1 - np.interp(-mean / scale, residuals, FINE_LEVELS)
    p_up = np.where(np.isfinite(mean) & np.isfinite(scale), p_up, np.nan)
    return Distribution(mean, mean[..., None] + scale[..., None] * spread, p_up)


def zero_mean(scale: Grid, residuals: Grid, p_up: Grid) -> Distribution:
    """The same around 0; NaN where there is no scale."""
    return location_scale(np.where(np.isfinite(scale), 0.0, np.nan), scale, residuals, p_up)


def average(members: Sequence[Distribution]) -> Distribution:
    """Equal weights on each mean, quantile and probability (Vincent 1912: averaging quantiles keeps the shape)."""
    parts = zip(*((one.mean, one.quantiles, one.p_up) for one in members), strict=True)
    return Distribution(*(sum(part[1:], part[0]) / len(members) for part in parts))
