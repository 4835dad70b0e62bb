"""Quantiles of the errors of past forecasts in units of their scale, for each horizon, as parameters of a model."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from market_pipeline.models.calibration.conformal import conformal_quantiles, tracked_quantiles
from market_pipeline.models.features.returns import forward_returns
from market_pipeline.prices.history import History
from market_pipeline.storage.grids import Grid
from market_pipeline.storage.tables.forecasts import HORIZONS

MeansAndWidths: TypeAlias = tuple[Grid, Grid]
"""Mean log return, and half the width of a model's own 80 % range; (symbols, origins, horizons) each."""


def tracked_residuals(
    history: History, scales: Mapping[int, Grid], positions: slice | np.ndarray = slice(None), *, drift: float = 0.0
) -> dict[str, Grid]:
    """For each horizon, tracked quantiles of (return - drift x horizon) / scale at the origins at `positions`.

    `scales` (symbols, positions) are the volatilities that were forecast for the return over each horizon.
    """
    return {
        f"residuals_{horizon}": tracked_quantiles(
            (forward_returns(history, horizon)[:, positions] - drift * horizon) / scale, horizon
        )
        for horizon, scale in scales.items()
    }


def past_residuals(
    history: History,
    predict: Callable[[History, np.ndarray], MeansAndWidths],
    *,
    least: int,
    origins: int,
    symbols: int,
) -> dict[str, Grid]:
    """For each horizon, conformal quantiles of (return - mean) / width at past origins whose targets are known.

    `predict` gets a history and positions in it. It is called for `symbols` symbols, spread evenly, and for the last
    `origins` origins that are the longest horizon apart and have `least` sessions before them.
    """
    some = history.some(np.arange(len(history.symbols))[:: -(-len(history.symbols) // symbols)])
    apart, last = max(HORIZONS), len(history.sessions) - 1
    position = np.arange(last - apart, least, -apart)[:origins][::-1]
    mean, width = predict(some, position)
    return {
        f"residuals_{horizon}": conformal_quantiles(
            (forward_returns(some, horizon)[:, position] - mean[..., index]) / width[..., index], 1
        )
        for index, horizon in enumerate(HORIZONS)
    }
