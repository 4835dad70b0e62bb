"""Exponential smoothing and Theta on the log price of each symbol, by statsforecast.

They are fitted again at each of their origins, which is expensive, so they forecast at the first session of a month
only. The leaderboard compares each with the random walk at the origins that both have.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from market_pipeline.models.forecasters.protocol import Origins
from market_pipeline.models.forecasters.refitted import MeansAndWidths, Refitted
from market_pipeline.prices.history import History
from market_pipeline.storage.grids import Days, Grid, Mask
from market_pipeline.storage.tables.forecasts import HORIZONS

FEW = 200
"""Fits that finish before worker processes would have started."""


@dataclass(frozen=True)
class Classical(Refitted):
    """AutoETS (Hyndman & Khandakar 2008) with additive errors, or Theta (Assimakopoulos & Nikolopoulos 2000).

    Means and the widths of 80 % ranges are the library's. How wide a range has to be for the right coverage is learned
    monthly, from errors at past origins.
    """

    common_trials: ClassVar[bool] = True
    name: Literal["ets", "theta"]
    window: int = 250
    """Bars to fit."""
    least: int = 120
    trials: int = 25
    tried: int = 12

    def forecasts_at(self, sessions: Days) -> Mask:
        """At the first session of each month."""
        months = sessions.astype("datetime64[M]")
        return np.concatenate([[True], months[1:] != months[:-1]])

    def predict(self, history: History, origins: Origins) -> MeansAndWidths:
        from joblib import Parallel, delayed

        level, position = np.log(history.close), origins.position
        found = np.full((len(level), len(position), len(HORIZONS), 2), np.nan)
        enough = history.present[:, position] & (np.cumsum(history.present, axis=1)[:, position] >= self.least)
        asked = np.argwhere(enough)
        bars = (level[row, : position[place] + 1] for row, place in asked)
        tasks = (delayed(at_origin)(self.name, known[np.isfinite(known)][-self.window :]) for known in bars)
        if len(asked):
            found[enough] = Parallel(n_jobs=-1 if len(asked) > FEW else 1)(tasks)
        return found[..., 0], found[..., 1]


def at_origin(name: str, level: Grid) -> Grid:
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
