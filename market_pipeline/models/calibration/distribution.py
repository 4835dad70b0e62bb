"""The distribution of a log return as every forecast carries it: a mean, nine quantiles, the chance of a rise."""

from dataclasses import dataclass

import numpy as np

from market_pipeline.storage.grids import Grid
from market_pipeline.storage.tables.forecasts import LEVELS

FINE_LEVELS = np.concatenate([[0.005, 0.01], np.linspace(0.02, 0.98, 97), [0.99, 0.995]])
"""Levels at which standardised residuals are kept: fine enough to read a probability off them."""


@dataclass(frozen=True)
class Distribution:
    """Forecasts of one model and horizon; NaN where the model says nothing."""

    mean: Grid
    """(symbols, origins), log return."""
    quantiles: Grid
    """(symbols, origins, 9) at LEVELS, log return."""
    p_up: Grid
    """(symbols, origins), probability that the log return is above 0."""


def location_scale(mean: Grid, scale: Grid, residuals: Grid, p_up: Grid | None = None) -> Distribution:
    """A mean and a scale (symbols, origins), spread by the quantiles of standardised residuals at FINE_LEVELS.

    Without `p_up` it is read off the same quantiles: 1 - F(-mean / scale).
    """
    spread = np.interp(LEVELS, FINE_LEVELS, residuals)
    if p_up is None:
        with np.errstate(invalid="ignore", divide="ignore"):
            p_up = 1 - np.interp(-mean / scale, residuals, FINE_LEVELS)
        p_up = np.where(np.isfinite(mean) & np.isfinite(scale), p_up, np.nan)
    return Distribution(mean, mean[..., None] + scale[..., None] * spread, p_up)
