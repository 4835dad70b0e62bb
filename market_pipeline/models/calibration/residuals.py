"""Quantiles of the errors of past forecasts in units of their scale, for each horizon, as parameters of a model."""

from collections.abc import Mapping

import numpy as np

from market_pipeline.models.calibration.conformal import effective_errors, tracked_quantiles
from market_pipeline.models.features.returns import forward_returns
from market_pipeline.prices.history import History
from market_pipeline.storage.grids import Grid


def tracked_residuals(
    history: History, scales: Mapping[int, Grid], positions: slice | np.ndarray = slice(None), *, drift: float = 0.0
) -> dict[str, Grid]:
    """For each horizon, tracked quantiles of (return - drift x horizon) / scale at the origins at `positions`.

    `scales` (symbols, positions) are the volatilities that were forecast for the return over each horizon. Beside each,
    `errors` is the number of independent errors they come from.
    """
    learned = dict[str, Grid]()
    for horizon, scale in scales.items():
        errors = (forward_returns(history, horizon)[:, positions] - drift * horizon) / scale
        learned[f"residuals_{horizon}"] = tracked_quantiles(errors, horizon)
        learned[f"errors_{horizon}"] = np.array(effective_errors(errors, horizon))
    return learned
