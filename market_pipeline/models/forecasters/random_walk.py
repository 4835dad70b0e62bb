"""The random walks: no drift, and either the volatility of the whole past or that of the recent past.

The first is the baseline that every verdict is held against; neither claims a direction.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from market_pipeline.models.calibration.conformal import tracked_quantiles
from market_pipeline.models.calibration.distribution import Distribution, location_scale
from market_pipeline.models.features.samples import Panel, base_rate, standardised_returns
from market_pipeline.models.features.volatility import ewma_volatility, expanding_volatility
from market_pipeline.models.forecasters.protocol import Origins
from market_pipeline.prices.history import History
from market_pipeline.storage.artifacts import Parameters
from market_pipeline.storage.grids import Grid
from market_pipeline.storage.tables.forecasts import BASELINE, HORIZONS


@dataclass(frozen=True)
class RandomWalk:
    """Mean 0, a volatility times the root of the horizon, tails as pooled past returns had them.

    `p_up` is the symbol's base rate: the direction baseline.
    """

    name: str
    volatility: Callable[[History], Grid] = field(repr=False)

    def fit(self, past: Panel) -> Parameters:
        volatility = self.volatility(past.history)
        learned: dict[str, Grid] = {}
        for horizon in HORIZONS:
            off = standardised_returns(past.history, horizon, volatility)
            learned[f"residuals_{horizon}"] = tracked_quantiles(off, horizon)
        return learned

    def forecast(self, parameters: Parameters, known: Panel, origins: Origins) -> Mapping[int, Distribution]:
        volatility = self.volatility(known.history)[:, origins.position]
        said = np.isfinite(volatility)
        return {
            horizon: location_scale(
                mean=np.where(said, 0.0, np.nan),
                scale=volatility * np.sqrt(horizon),
                residuals=parameters[f"residuals_{horizon}"],
                p_up=np.where(said, base_rate(known.history, horizon)[:, origins.position], np.nan),
            )
            for horizon in HORIZONS
        }


RANDOM_WALK = RandomWalk(BASELINE, expanding_volatility)
EWMA = RandomWalk("ewma", ewma_volatility)
