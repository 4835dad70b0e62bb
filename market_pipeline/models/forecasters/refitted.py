"""What Prophet, exponential smoothing and Theta share: fitted again at each origin, with ranges from past errors."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, TypeAlias

import numpy as np

from market_pipeline.models.calibration.conformal import conformal_quantiles
from market_pipeline.models.calibration.distribution import Distribution, location_scale
from market_pipeline.models.features.panel import Panel
from market_pipeline.models.features.returns import forward_returns
from market_pipeline.models.features.shared_results import SharedResults
from market_pipeline.models.forecasters.protocol import Origins
from market_pipeline.prices.history import History
from market_pipeline.storage.artifacts import Parameters
from market_pipeline.storage.grids import Days, Grid, Mask
from market_pipeline.storage.tables.forecasts import HORIZONS

MeansAndWidths: TypeAlias = tuple[Grid, Grid]
"""Mean log return, and half the width of the model's own 80 % range; (symbols, origins, horizons) each."""


class Refitted(ABC):
    """A forecaster with a mean and a range of its own, which learns monthly how wide the range has to be."""

    refitted: ClassVar[bool] = True
    common_trials: ClassVar[bool] = False
    """Whether the past origins are sessions whose number in the history is a multiple of the longest horizon.

    Successive months then have most of them in common, and share the fits there. Otherwise the newest of them has just
    become known.
    """

    # These two keep their names because the table `tried` stores the settings of a model with the names of its fields.
    trials: int
    """Past origins, the longest horizon apart, whose errors give the widths of ranges."""
    tried: int
    """Symbols whose errors are taken there, spread evenly."""
    least: int
    """Bars below which there is no forecast."""

    @abstractmethod
    def predict(self, history: History, origins: Origins) -> MeansAndWidths:
        """Fit and forecast at each origin, with what was known there; NaN where there is no forecast.

        Reads the symbols, the sessions and the closes alone: trials are remembered by these.
        """

    def forecasts_at(self, sessions: Days) -> Mask:
        """Whether there are forecasts at each session; (sessions,)."""
        return np.ones(len(sessions), bool)

    def fit(self, past: Panel) -> Parameters:
        """For each horizon, quantiles of (return - mean) / width at past origins whose targets are known."""
        history = past.history
        some = history.some(np.arange(len(history.symbols))[:: -(-len(history.symbols) // self.tried)])
        apart, last = max(HORIZONS), len(history.sessions) - 1
        newest = (last - apart) // apart * apart if self.common_trials else last - apart
        position = np.arange(newest, self.least, -apart)[: self.trials][::-1]
        if self.common_trials:
            mean, width = np.full((2, len(some.symbols), len(position), len(HORIZONS)), np.nan)
            for place, trial in enumerate(position.tolist()):
                mean[:, place], width[:, place] = self._at_trial(past.shared, some, trial)
        else:
            targets = {horizon: history.sessions[position + horizon] for horizon in HORIZONS}
            mean, width = self.predict(some, Origins(position, targets))
        return {
            f"residuals_{horizon}": conformal_quantiles(
                (forward_returns(some, horizon)[:, position] - mean[..., place]) / width[..., place], 1, symmetric=True
            )
            for place, horizon in enumerate(HORIZONS)
        }

    def _at_trial(self, shared: SharedResults, some: History, position: int) -> MeansAndWidths:
        """What is forecast at one session from a history that ends there; (symbols, horizons) each."""
        known = some.until(some.sessions[position].item())
        targets = {horizon: some.sessions[[position + horizon]] for horizon in HORIZONS}

        def compute() -> MeansAndWidths:
            mean, width = self.predict(known, Origins(np.array([position]), targets))
            return mean[:, 0], width[:, 0]

        ahead = np.concatenate(list(targets.values()))
        return shared.result(compute, repr(self), "\n".join(some.symbols), known.sessions, known.close, ahead)

    def forecast(self, parameters: Parameters, known: Panel, origins: Origins) -> Mapping[int, Distribution]:
        chosen = self.forecasts_at(known.history.sessions)[origins.position]
        asked = Origins(origins.position[chosen], {h: days[chosen] for h, days in origins.targets.items()})
        mean, width = (np.full((len(known.history.symbols), len(chosen), len(HORIZONS)), np.nan) for _ in range(2))
        mean[:, chosen], width[:, chosen] = self.predict(known.history, asked)
        return {
            horizon: location_scale(mean[..., place], width[..., place], parameters[f"residuals_{horizon}"])
            for place, horizon in enumerate(HORIZONS)
        }
