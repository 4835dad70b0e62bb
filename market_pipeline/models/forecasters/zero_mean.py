"""What the random walks, GARCH and HAR share: mean 0, a forecast volatility, the base rate as chance of a rise."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from market_pipeline.models.calibration.distribution import Distribution, zero_mean
from market_pipeline.models.calibration.residuals import reverted_scales
from market_pipeline.models.features.panel import Panel
from market_pipeline.models.features.returns import base_rate
from market_pipeline.models.forecasters.protocol import Origins
from market_pipeline.prices.history import History
from market_pipeline.storage.artifacts import Parameters
from market_pipeline.storage.grids import Grid


class ZeroMean(ABC):
    """A forecaster of the range alone."""

    claims: ClassVar[tuple[str, ...]] = ("range",)

    @abstractmethod
    def scales(self, parameters: Parameters, /, history: History, positions: np.ndarray) -> Mapping[int, Grid]:
        """For each horizon the volatility of its return, forecast at the sessions at `positions`.

        (symbols, positions); NaN where it is unknown. A value uses nothing after its session.
        """

    def forecast(self, parameters: Parameters, known: Panel, origins: Origins) -> Mapping[int, Distribution]:
        """Quantiles are those of past returns in units of the volatility that was forecast for them.

        Parameters of before schema version 4 have no number of errors, so they give no tails.
        """
        scales = reverted_scales(self.scales(parameters, known.history, origins.position), parameters)
        return {
            horizon: zero_mean(
                scale,
                parameters[f"residuals_{horizon}"],
                base_rate(known.history, horizon, origins.position),
                float(parameters.get(f"errors_{horizon}", 0.0)),
            )
            for horizon, scale in scales.items()
        }
