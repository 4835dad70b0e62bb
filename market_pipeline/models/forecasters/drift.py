"""A random walk with drift: the market goes on rising as it has in the past."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from market_pipeline.models.calibration.distribution import Distribution, location_scale
from market_pipeline.models.calibration.residuals import reverted_scales, tracked_residuals
from market_pipeline.models.features.panel import Panel
from market_pipeline.models.features.returns import session_returns
from market_pipeline.models.features.volatility import ewma_volatility, over_horizons
from market_pipeline.models.forecasters.protocol import Origins
from market_pipeline.storage.artifacts import Parameters


@dataclass(frozen=True)
class Drift:
    """Mean return of all symbols and sessions so far, times the horizon; EWMA volatility.

    The historical average that return forecasts must beat (Goyal & Welch 2008). For a universe chosen today it is the
    drift of the survivors.
    """

    name: str = "drift"

    def fit(self, past: Panel) -> Parameters:
        drift = float(np.nanmean(session_returns(past.history)))
        scales = over_horizons(ewma_volatility(past.history))
        return {"drift": np.array(drift)} | tracked_residuals(past.history, scales, drift=drift)

    def forecast(self, parameters: Parameters, known: Panel, origins: Origins) -> Mapping[int, Distribution]:
        scales = over_horizons(ewma_volatility(known.history)[:, origins.position])
        return {
            horizon: location_scale(
                np.where(np.isfinite(scale), parameters["drift"] * horizon, np.nan),
                scale,
                parameters[f"residuals_{horizon}"],
            )
            for horizon, scale in reverted_scales(scales, parameters).items()
        }


DRIFT = Drift()
