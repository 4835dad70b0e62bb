"""Prophet on the log price of each symbol, refitted at every month-end origin."""

import logging
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from market_pipeline.models.distribution import HORIZONS, LEVELS, Distribution
from market_pipeline.models.protocol import Origins, Parameters
from market_pipeline.models.samples import Panel
from market_pipeline.panel import Days, Grid, Mask

FEW = 8
"""Fits that are done sooner than worker processes start."""


@dataclass(frozen=True)
class Prophet:
    """Piecewise linear trend and seasons (Taylor & Letham 2018), fitted by Stan for each symbol and origin.

    Fits the log price, so no price is ever negative, and asks only for sessions: on days the market never traded,
    Prophet's weekly season is nonsense. Nothing is learned monthly; the fit at an origin sees what the origin saw.
    """

    name: str = "prophet"
    window: int = 750
    """Bars to fit."""
    least: int = 120
    """Bars below which it says nothing."""
    draws: int = 400
    """Simulated paths that the quantiles are read from."""

    def fit(self, past: Panel) -> Parameters:  # noqa: ARG002
        return {}

    def forecast(self, parameters: Parameters, known: Panel, origins: Origins) -> Mapping[int, Distribution]:  # noqa: ARG002
        """Speaks at the last session of each month only: Stan takes a fifth of a second for each symbol."""
        from joblib import Parallel, delayed  # noqa: PLC0415

        history = known.history
        tasks = [
            (int(row), int(column))
            for column in np.flatnonzero(_month_ends(history.sessions[origins.position], origins.targets[1]))
            for row in np.flatnonzero(self._enough(history.present, origins.position[column]))
        ]
        answers = Parallel(n_jobs=-1 if len(tasks) > FEW else 1)(
            delayed(_simulate)(
                *self._bars(known, row, int(origins.position[column])),
                np.array([origins.targets[horizon][column] for horizon in HORIZONS]),
                self.draws,
                zlib.crc32(f"{history.symbols[row]} {history.sessions[origins.position[column]]}".encode()),
            )
            for row, column in tasks
        )
        return self._distributions(tasks, answers, (len(history.symbols), len(origins.position)))

    def _enough(self, present: Mask, position: int) -> Mask:
        """The symbols with a bar at the origin and enough bars to fit."""
        enough: Mask = present[:, position] & (present[:, : position + 1].sum(axis=1) >= self.least)
        return enough

    def _bars(self, known: Panel, row: int, position: int) -> tuple[Days, Grid]:
        """The last `window` bars of a symbol at an origin: sessions and log prices."""
        close = known.history.close[row, : position + 1]
        bars = np.flatnonzero(~np.isnan(close))[-self.window :]
        return known.history.sessions[bars], np.log(close[bars])

    def _distributions(
        self, tasks: list[tuple[int, int]], answers: list[tuple[Grid, Grid]], shape: tuple[int, int]
    ) -> Mapping[int, Distribution]:
        said = {}
        for place, horizon in enumerate(HORIZONS):
            mean, p_up = np.full(shape, np.nan), np.full(shape, np.nan)
            quantiles = np.full((*shape, len(LEVELS)), np.nan)
            for (row, column), (expected, paths) in zip(tasks, answers, strict=True):
                mean[row, column] = expected[place]
                quantiles[row, column] = np.quantile(paths[place], LEVELS)
                p_up[row, column] = (paths[place] > 0).mean()
            said[horizon] = Distribution(mean, quantiles, p_up)
        return said


def _month_ends(origins: Days, following: Days) -> np.ndarray:
    """Whether the session after each origin lies in another month."""
    ends: np.ndarray = origins.astype("datetime64[M]") != following.astype("datetime64[M]")
    return ends


def _simulate(sessions: Days, level: Grid, targets: Days, draws: int, seed: int) -> tuple[Grid, Grid]:
    """Expected log returns (targets,) and simulated ones (targets, draws) from the last of `sessions`.

    Runs in a worker process. Prophet draws from numpy's global generator, so that is what is seeded.
    """
    import pandas as pd  # noqa: PLC0415

    logging.getLogger("cmdstanpy").disabled = True
    logging.getLogger("prophet").setLevel(logging.WARNING)
    import prophet  # noqa: PLC0415

    model = prophet.Prophet(daily_seasonality=False, uncertainty_samples=draws)
    model.fit(pd.DataFrame({"ds": pd.to_datetime(sessions), "y": level}), seed=seed % 2**31)
    future = pd.DataFrame({"ds": pd.to_datetime(targets)})
    np.random.seed(seed)  # noqa: NPY002
    paths = model.predictive_samples(future)["yhat"] - level[-1]
    return model.predict(future)["yhat"].to_numpy() - level[-1], paths


PROPHET = Prophet()
