"""Exponential smoothing and Theta on the log price of each symbol, by statsforecast.

They are fitted again at each of their origins, which is expensive, so they forecast at the first session of a month
only. The leaderboard compares each with the random walk at the origins that both have.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from market_pipeline.models.calibration.distribution import Distribution, location_scale
from market_pipeline.models.calibration.residuals import MeansAndWidths, past_residuals
from market_pipeline.models.features.panel import Panel
from market_pipeline.models.forecasters.protocol import Origins
from market_pipeline.prices.history import History
from market_pipeline.storage.artifacts import Parameters
from market_pipeline.storage.grids import Days, Grid, Mask
from market_pipeline.storage.tables.forecasts import HORIZONS

FEW = 200
"""Fits that finish before worker processes would have started."""


@dataclass(frozen=True)
class Classical:
    """AutoETS (Hyndman & Khandakar 2008) with additive errors, or Theta (Assimakopoulos & Nikolopoulos 2000).

    Means and the widths of 80 % ranges are the library's. How wide a range has to be for the right coverage is learned
    monthly, from errors at past origins.
    """

    # `trials` and `tried` keep their names because the table `tried` stores settings as they are written here.
    refitted: ClassVar[bool] = True
    name: Literal["ets", "theta"]
    window: int = 250
    """Bars to fit."""
    least: int = 120
    """Bars below which there is no forecast."""
    trials: int = 25
    """Past origins, the longest horizon apart, whose errors give the widths of ranges."""
    tried: int = 12
    """Symbols whose errors are taken there, spread evenly."""

    def fit(self, past: Panel) -> Parameters:
        return past_residuals(past.history, self._predict, least=self.least, origins=self.trials, symbols=self.tried)

    def forecast(self, parameters: Parameters, known: Panel, origins: Origins) -> Mapping[int, Distribution]:
        first = first_of_month(known.history.sessions)[origins.position]
        mean, width = (np.full((len(known.history.symbols), len(first), len(HORIZONS)), np.nan) for _ in range(2))
        mean[:, first], width[:, first] = self._predict(known.history, origins.position[first])
        return {
            horizon: location_scale(mean[..., place], width[..., place], parameters[f"residuals_{horizon}"])
            for place, horizon in enumerate(HORIZONS)
        }

    def _predict(self, history: History, positions: np.ndarray) -> MeansAndWidths:
        from joblib import Parallel, delayed

        level = np.log(history.close)
        found = np.full((len(level), len(positions), len(HORIZONS), 2), np.nan)
        enough = history.present[:, positions] & (np.cumsum(history.present, axis=1)[:, positions] >= self.least)
        asked = np.argwhere(enough)
        tasks = (delayed(predict)(self.name, self._bars(level[row, : positions[place] + 1])) for row, place in asked)
        if len(asked):
            found[enough] = Parallel(n_jobs=-1 if len(asked) > FEW else 1)(tasks)
        return found[..., 0], found[..., 1]

    def _bars(self, level: Grid) -> Grid:
        return level[np.isfinite(level)][-self.window :]


def first_of_month(sessions: Days) -> Mask:
    """Whether each session is the first of its month; (sessions,)."""
    months = sessions.astype("datetime64[M]")
    return np.concatenate([[True], months[1:] != months[:-1]])


def predict(name: str, level: Grid) -> Grid:
    """Mean log return and half the width of its 80 % range, (horizons, 2), from the log prices up to the origin."""
    from statsforecast.models import AutoETS, Theta

    if np.ptp(level) == 0:  # a constant series has no width, so there is no forecast
        return np.full((len(HORIZONS), 2), np.nan)
    level = _aligned(level)
    model = AutoETS(season_length=1, model="AZN") if name == "ets" else Theta(season_length=1)
    found = model.forecast(y=level, h=max(HORIZONS), level=[80])
    mean = np.asarray(found["mean"], np.float64) - level[-1]
    width = (np.asarray(found["hi-80"], np.float64) - np.asarray(found["lo-80"], np.float64)) / 2
    at_horizons: Grid = np.column_stack([mean, np.where(width > 0, width, np.nan)])[np.array(HORIZONS) - 1]
    return at_horizons


def _aligned(level: Grid) -> Grid:
    """A copy that begins at a multiple of 64 bytes: the order in which compiled code adds depends on the address."""
    space = np.empty(len(level) + 8)
    first = -space.ctypes.data % 64 // 8
    copy = space[first : first + len(level)]
    copy[:] = level
    return copy


ETS, THETA = Classical("ets"), Classical("theta")
