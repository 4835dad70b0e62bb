"""A random walk with drift: the market goes on rising as it always has."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from market_pipeline.models.calibration.conformal import tracked_quantiles
from market_pipeline.models.calibration.distribution import Distribution, location_scale
from market_pipeline.models.features.samples import Panel, forward_returns
from market_pipeline.models.features.volatility import ewma_volatility, session_returns
from market_pipeline.models.forecasters.protocol import Origins
from market_pipeline.storage.artifacts import Parameters
from market_pipeline.storage.grids import Grid
from market_pipeline.storage.tables.forecasts import HORIZONS


@dataclass(frozen=True)
class Drift:
    """Mean return of all symbols and sessions so far, times the horizon; EWMA volatility.

    The historical average that return forecasts must beat (Goyal & Welch 2008). Of a universe chosen today it learns
    the drift of survivors.
    """

    name: str = "drift"

    def fit(self, past: Panel) -> Parameters:
        history = past.history
        drift = float(np.nanmean(session_returns(history)))
        volatility = ewma_volatility(history)
        learned: dict[str, Grid] = {"drift": np.array(drift)}
        for horizon in HORIZONS:
            scale = volatility * np.sqrt(horizon)
            off = (forward_returns(history, horizon) - drift * horizon) / scale
            learned[f"residuals_{horizon}"] = tracked_quantiles(off, horizon)
        return learned

    def forecast(self, parameters: Parameters, known: Panel, origins: Origins) -> Mapping[int, Distribution]:
        volatility = ewma_volatility(known.history)[:, origins.position]
        return {
            horizon: location_scale(
                mean=np.where(np.isfinite(volatility), parameters["drift"] * horizon, np.nan),
                scale=volatility * np.sqrt(horizon),
                residuals=parameters[f"residuals_{horizon}"],
            )
            for horizon in HORIZONS
        }


DRIFT = Drift()
