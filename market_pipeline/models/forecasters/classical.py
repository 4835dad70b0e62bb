"""Exponential smoothing and Theta on the log price of each symbol, by statsforecast: the classical forecasters.

They are fitted anew at each origin they speak at, which is dear, so they speak at the first session of a month only;
the leaderboard holds each against the random walk on the origins that both have.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from market_pipeline.models.calibration.distribution import Distribution, location_scale
from market_pipeline.models.calibration.past_errors import Said, tried_residuals
from market_pipeline.models.features.samples import Panel
from market_pipeline.models.forecasters.protocol import Origins
from market_pipeline.prices.history import History
from market_pipeline.storage.artifacts import Parameters
from market_pipeline.storage.grids import Days, Grid, Mask
from market_pipeline.storage.tables.forecasts import HORIZONS

FEW = 200
"""Fits that are done sooner than worker processes start."""


@dataclass(frozen=True)
class Classical:
    """AutoETS (Hyndman & Khandakar 2008) with additive errors, or Theta (Assimakopoulos & Nikolopoulos 2000).

    Means and the widths of 80 % ranges are the library's; how wide a range has to be to hold as often as it says is
    learned monthly, from errors that had come due.
    """

    name: Literal["ets", "theta"]
    window: int = 250
    """Bars to fit."""
    least: int = 120
    """Bars below which it says nothing."""
    trials: int = 25
    """Past origins, the longest horizon apart, whose errors say how wide its ranges have to be."""
    tried: int = 12
    """Symbols that are tried at them, spread evenly."""

    def fit(self, past: Panel) -> Parameters:
        return tried_residuals(past.history, self._said, least=self.least, trials=self.trials, tried=self.tried)

    def forecast(self, parameters: Parameters, known: Panel, origins: Origins) -> Mapping[int, Distribution]:
        spoken = first_of_month(known.history.sessions)[origins.position]
        found = self._said(known.history, origins.position[spoken])
        said = {}
        for horizon in HORIZONS:
            mean, width = (np.full((len(known.history.symbols), len(spoken)), np.nan) for _ in range(2))
            mean[:, spoken], width[:, spoken] = found[horizon]
            said[horizon] = location_scale(mean, width, parameters[f"residuals_{horizon}"])
        return said

    def _said(self, history: History, positions: np.ndarray) -> Said:
        """Mean log return and half the width of the library's 80 % range; (symbols, positions) each."""
        from joblib import Parallel, delayed

        level = np.log(history.close)
        answers = np.full((len(level), len(positions), len(HORIZONS), 2), np.nan)
        enough = history.present[:, positions] & (np.cumsum(history.present, axis=1)[:, positions] >= self.least)
        asked = np.argwhere(enough)
        tasks = (delayed(at_origin)(self.name, self._bars(level[row, : positions[place] + 1])) for row, place in asked)
        found = list(Parallel(n_jobs=-1 if len(asked) > FEW else 1)(tasks))
        if found:
            answers[enough] = found
        return {horizon: (answers[:, :, k, 0], answers[:, :, k, 1]) for k, horizon in enumerate(HORIZONS)}

    def _bars(self, level: Grid) -> Grid:
        return level[np.isfinite(level)][-self.window :]


def first_of_month(sessions: Days) -> Mask:
    """Whether each session is the first of its month; (sessions,)."""
    months = sessions.astype("datetime64[M]")
    return np.concatenate([[True], months[1:] != months[:-1]])


def at_origin(name: str, level: Grid) -> Grid:
    """Mean log return and half the width of its 80 % range, (horizons, 2), from the log prices up to the origin."""
    from statsforecast.models import AutoETS, Theta

    if np.ptp(level) == 0:  # nothing to smooth: no width, so nothing is said
        return np.full((len(HORIZONS), 2), np.nan)
    level = _aligned(level)
    model = AutoETS(season_length=1, model="AZN") if name == "ets" else Theta(season_length=1)
    found = model.forecast(y=level, h=max(HORIZONS), level=[80])
    mean = np.asarray(found["mean"], np.float64) - level[-1]
    width = (np.asarray(found["hi-80"], np.float64) - np.asarray(found["lo-80"], np.float64)) / 2
    ahead = np.array(HORIZONS) - 1
    said: Grid = np.column_stack([mean, np.where(width > 0, width, np.nan)])[ahead]
    return said


def _aligned(level: Grid) -> Grid:
    """A copy that begins at a multiple of 64 bytes: compiled sums add in an order that hangs on where they begin."""
    room = np.empty(len(level) + 8)
    first = -room.ctypes.data % 64 // 8
    copy = room[first : first + len(level)]
    copy[:] = level
    return copy


ETS, THETA = Classical("ets"), Classical("theta")
