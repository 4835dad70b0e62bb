"""The random walks: no drift, and the volatility either of the whole past or of the recent past.

The first is the baseline of every verdict.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from market_pipeline.models.calibration.residuals import tracked_residuals
from market_pipeline.models.features.panel import Panel
from market_pipeline.models.features.volatility import ewma_volatility, expanding_volatility, over_horizons
from market_pipeline.models.forecasters.zero_mean import ZeroMean
from market_pipeline.prices.history import History
from market_pipeline.storage.artifacts import Parameters
from market_pipeline.storage.grids import Grid
from market_pipeline.storage.tables.forecasts import BASELINE


@dataclass(frozen=True)
class RandomWalk(ZeroMean):
    """Mean 0, a volatility times the root of the horizon, tails as pooled past returns had them.

    `p_up` is the symbol's base rate, the baseline of direction: where rises are likelier than falls, they are smaller.
    """

    name: str
    volatility: Callable[[History], Grid] = field(repr=False)

    def fit(self, past: Panel) -> Parameters:
        history = past.history

        def learn() -> Parameters:
            return tracked_residuals(history, over_horizons(self.volatility(history)))

        return past.shared.result(learn, repr(self), history.close)

    def scales(self, _: Parameters, /, history: History, positions: np.ndarray) -> Mapping[int, Grid]:
        return over_horizons(self.volatility(history)[:, positions])


RANDOM_WALK = RandomWalk(BASELINE, expanding_volatility)
EWMA = RandomWalk("ewma", ewma_volatility)
