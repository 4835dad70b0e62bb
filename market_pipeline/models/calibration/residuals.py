"""Quantiles of the errors of past forecasts in units of their scale, for each horizon, as parameters of a model."""

from collections.abc import Mapping

import numpy as np

from market_pipeline.models.calibration.conformal import TRACKED, effective_errors, tracked_quantiles
from market_pipeline.models.calibration.reversion import UNCHANGED, fitted_reversion, reverted
from market_pipeline.models.features.returns import forward_returns
from market_pipeline.prices.history import History
from market_pipeline.storage.artifacts import Parameters
from market_pipeline.storage.grids import Grid


def tracked_residuals(
    history: History, scales: Mapping[int, Grid], positions: slice | np.ndarray = slice(None), *, drift: float = 0.0
) -> dict[str, Grid]:
    """For each horizon, tracked quantiles of (return - drift x horizon) / scale at the origins at `positions`.

    `scales` (symbols, positions) are the volatilities that were forecast for the return over each horizon. How far they
    revert is learned first, as `reversion`, and the quantiles are in units of the reverted scale. Beside them,
    `errors` is the number of independent errors they come from.
    """
    learned = dict[str, Grid]()
    for horizon, scale in scales.items():
        recent = scale[:, -TRACKED:]
        returns = forward_returns(history, horizon)[:, positions][:, -TRACKED:] - drift * horizon
        reversion = fitted_reversion(returns, recent, horizon)
        errors = returns / reverted(recent, reversion)
        learned[f"reversion_{horizon}"] = reversion
        learned[f"residuals_{horizon}"] = tracked_quantiles(errors, horizon)
        learned[f"errors_{horizon}"] = np.array(effective_errors(errors, horizon))
    return learned


def reverted_scales(scales: Mapping[int, Grid], parameters: Parameters) -> dict[int, Grid]:
    """The scales of forecasts, in whose units the residuals of `parameters` are.

    Parameters that were fitted before there was a reversion have none.
    """
    return {
        horizon: reverted(scale, parameters.get(f"reversion_{horizon}", UNCHANGED)) for horizon, scale in scales.items()
    }
