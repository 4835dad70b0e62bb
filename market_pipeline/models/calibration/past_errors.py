"""How far off a model was at past origins: what the ranges of a model that learns nothing else are made of."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from market_pipeline.models.calibration.conformal import conformal_quantiles
from market_pipeline.models.features.samples import forward_returns
from market_pipeline.prices.history import History
from market_pipeline.storage.artifacts import Parameters
from market_pipeline.storage.grids import Grid
from market_pipeline.storage.tables.forecasts import HORIZONS

Said: TypeAlias = Mapping[int, tuple[Grid, Grid]]
"""For each horizon the mean log return and half the width of a model's own 80 % range; (symbols, origins) each."""


def tried_residuals(
    past: History, say: Callable[[History, np.ndarray], Said], *, least: int, trials: int, tried: int
) -> Parameters:
    """The quantiles of a model's errors in units of its own width, by horizon, from origins whose targets are known.

    `say` speaks of a history at positions of it. It is asked for `tried` symbols, spread evenly, at the last `trials`
    origins that lie the longest horizon apart and have `least` sessions before them.
    """
    some = past.some(np.arange(len(past.symbols))[:: -(-len(past.symbols) // tried)])
    apart, last = max(HORIZONS), len(past.sessions) - 1
    position = np.arange(last - apart, least, -apart)[:trials][::-1]
    said = say(some, position)
    learned = {}
    for horizon in HORIZONS:
        mean, width = said[horizon]
        off = (forward_returns(some, horizon)[:, position] - mean) / width
        learned[f"residuals_{horizon}"] = conformal_quantiles(off, 1)
    return learned
