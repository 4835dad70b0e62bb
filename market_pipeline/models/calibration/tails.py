"""Value at risk and expected shortfall: the loss that is exceeded with a small chance, and how large it then is.

Both are log returns, so losses are negative (Acerbi & Tasche 2002, "On the Coherence of Expected Shortfall"). Knows
distributions and samples: no model, no table's rows.
"""

from dataclasses import dataclass

import numpy as np

from market_pipeline.models.calibration.distribution import Distribution, QuantileFunction
from market_pipeline.storage.grids import Grid
from market_pipeline.storage.tables.forecasts import LEVELS, TAIL_LEVELS

FEWEST = 5.0
"""Independent past errors that must be expected beyond a level: 499 in all for 1 %, 199 for 2.5 %, 99 for 5 %."""

STEPS = np.linspace(0.0, max(TAIL_LEVELS), 101)
"""Levels between which a quantile function is taken as linear for a mean over its tail; each tail level is one."""


@dataclass(frozen=True)
class Tails:
    """Of one model and horizon; NaN where they are refused."""

    value_at_risk: Grid
    """(symbols, origins, 3) at TAIL_LEVELS, log return."""
    shortfall: Grid
    """(symbols, origins, 3), the mean of what lies beyond; never above the value at risk."""


def tails_of(distribution: Distribution) -> Tails | None:
    """The tails of a distribution, None for one without a quantile function.

    A level is refused, so NaN, if fewer than FEWEST of the errors behind the distribution are expected beyond it (one
    more error counts, as in `conformal_quantiles`), and where its value at risk is no loss. At a level that forecasts
    publish, the value at risk is that quantile.
    """
    if distribution.quantile_function is None:
        return None
    losses, shortfalls = tail_means(distribution.quantile_function)
    for place, level in enumerate(TAIL_LEVELS):
        if level in LEVELS:
            losses[..., place] = distribution.quantiles[..., LEVELS.index(level)]
    refused = (distribution.errors + 1) * np.array(TAIL_LEVELS) < FEWEST
    usable = np.isfinite(losses) & (losses < 0) & ~refused
    shortfalls = np.minimum(shortfalls, losses)
    return Tails(np.where(usable, losses, np.nan), np.where(usable, shortfalls, np.nan))


def tail_means(quantile_function: QuantileFunction) -> tuple[Grid, Grid]:
    """Quantiles at TAIL_LEVELS, and the means of the quantile function below each; (symbols, origins, 3) both.

    >>> quantiles, means = tail_means(lambda levels: levels[None, None] - 1.0)  # uniform from -1 to 0
    >>> quantiles.round(4).tolist(), means.round(4).tolist()
    ([[[-0.99, -0.975, -0.95]]], [[[-0.995, -0.9875, -0.975]]])
    """
    values = quantile_function(STEPS)  # (symbols, origins, steps)
    # Summed one after the other, because numpy's own sum may take another order for another number of rows.
    sums = np.cumsum((values[..., 1:] + values[..., :-1]) / 2, axis=-1)
    pieces = np.searchsorted(STEPS, np.array(TAIL_LEVELS) * (1 - 1e-9))
    return quantile_function(np.array(TAIL_LEVELS)), sums[..., pieces - 1] / pieces


def tails_of_sample(draws: Grid) -> Tails:
    """Of equally likely log returns (..., n): the quantile, and the mean of the draws up to it.

    The share of a draw that the level cuts counts in part (Acerbi & Tasche 2002, definition 3.2), so the shortfall is
    continuous in the level, and scaling the draws scales it. The value at risk is the draw at which the level is
    reached.

    >>> found = tails_of_sample(-np.arange(1.0, 201.0))
    >>> found.value_at_risk.tolist(), found.shortfall.tolist()
    ([-199.0, -196.0, -191.0], [-199.5, -198.0, -195.5])
    """
    ordered = np.sort(draws, axis=-1)
    count = draws.shape[-1]
    reached = np.array(TAIL_LEVELS) * count
    places = np.maximum(np.ceil(reached * (1 - 1e-12)).astype(int) - 1, 0)
    sums = np.cumsum(ordered, axis=-1)[..., places] - ordered[..., places] * (places + 1 - reached)
    return Tails(ordered[..., places], np.minimum(sums / reached, ordered[..., places]))
