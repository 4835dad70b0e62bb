"""B5: walk-forward of the pooled boosting model: six months, each fitted on the 750 sessions before it.

The target is the return in units of the volatility known before it; the features are five lags of it, and its means and
deviations over 5, 20 and 60 sessions. Both sides fit and forecast horizons 1, 5 and 20. The model that the
pipeline publishes also calibrates its ranges, on errors it had not learned from, and adds each feature's rank in the
market: twice the features and nearly twice the fits, measured in a row of its own (`published`).
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import sklearn.ensemble  # noqa: F401  not within the seconds of either side
import talib
from generated import history_of, market_of, some
from stopwatch import Stopwatch

from market_pipeline.models.features.panel import Panel
from market_pipeline.models.features.returns import forward_returns
from market_pipeline.models.features.volatility import ewma_volatility
from market_pipeline.models.forecasters.boosting import Boosting, fitted_trees
from market_pipeline.models.forecasters.protocol import Origins
from market_pipeline.prices.history import History
from market_pipeline.storage.grids import Grid
from market_pipeline.storage.tables.forecasts import HORIZONS

SESSIONS, WINDOW, MONTHS, MONTH = 1100, 750, 6, 21
LAST = SESSIONS - 1 - max(HORIZONS)
"""The last month's cutoff: the last position whose targets lie within the data."""
CUTOFFS = LAST - MONTH * np.arange(MONTHS)[::-1]
FEATURES = tuple(f"f{place}" for place in range(10))
T = TypeVar("T")
ALL = 10**9
"""Samples to learn from: no fewer than there are."""


def data(folder: Path, size: float) -> None:
    """The target of every symbol, as the other side reads it; the first 100 sessions warm the volatility up."""
    history = history_of(some(size), SESSIONS)
    np.savez(folder / "walk.npz", sessions=history.sessions[100:], target=target_of(history)[:, 100:])


def target_of(history: History) -> Grid:
    """Log return of each session in units of the volatility known before it; (symbols, sessions)."""
    volatility = ewma_volatility(history)
    returns = np.diff(np.log(history.close), axis=1, prepend=np.nan)
    return returns / np.concatenate([np.full((len(returns), 1), np.nan), volatility[:, :-1]], axis=1)


def ours(folder: Path, size: float) -> dict[str, float]:
    """Features, samples, fits and expectations; those one session ahead are left for the other side to compare."""
    history = history_of(some(size), SESSIONS)
    with Stopwatch() as watch:
        panel = Panel(history, features_of(target_of(history)), FEATURES)

        def forecast(cutoff: int) -> dict[int, Grid]:
            past, ahead = panel.until(history.sessions[cutoff]), {}
            for horizon in HORIZONS:
                trees = fitted_trees(*samples_of(past, horizon))
                ahead[horizon] = trees.predict(past.recent[:, :, -1].T)
            return ahead

        expected = [ahead[1] for ahead in each_month(forecast)]
    np.savez(folder / "walked.npz", expected=np.stack(expected, axis=1))
    return {"seconds": watch.seconds}


def samples_of(past: Panel, horizon: int) -> tuple[np.ndarray, Grid]:
    """Features and targets of the last WINDOW origins whose target is known: those of training, but without ranks."""
    target = forward_returns(past.history, horizon) / (ewma_volatility(past.history) * np.sqrt(horizon))
    origins = np.arange(len(past.history.sessions))[-WINDOW - horizon : -horizon]
    column, row = np.nonzero(np.isfinite(target[:, origins]).T)
    return past.indicators_at(origins)[:, row, column].T, target[row, origins[column]]


def published(folder: Path, size: float) -> dict[str, float]:
    """The published model: with ranks as features, and ranges calibrated by a second fit."""
    market, history = market_of(some(size)), history_of(some(size), SESSIONS)
    with Stopwatch() as watch:
        panel = Panel(history, features_of(target_of(history)), FEATURES)
        model = Boosting(window=WINDOW, at_most=ALL, months=1)  # as the peer: fitted each month

        def forecast(cutoff: int) -> object:
            past = panel.until(history.sessions[cutoff])
            origin = history.sessions[[cutoff]]
            asked = Origins(np.array([cutoff]), {h: market.session_after(origin, h) for h in HORIZONS})
            return model.forecast(model.fit(past), past, asked)

        each_month(forecast)
    return {"seconds": watch.seconds}


def each_month(forecast: Callable[[int], T]) -> list[T]:
    """The forecasts at each cutoff, the months side by side as the pipeline trains them."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(forecast, CUTOFFS.tolist()))


def features_of(target: Grid) -> np.ndarray:
    """(10, symbols, sessions); NaN until the longest of them is known."""
    made = np.full((10, *target.shape), np.nan, np.float32)
    for row, values in enumerate(target):
        start = int(np.flatnonzero(np.isfinite(values))[0])
        known = values[start:]
        columns = [known, *(_lagged(known, lag) for lag in range(1, 5))]
        columns += [talib.SMA(known, length) for length in (5, 20, 60)]
        columns += [talib.STDDEV(known, length) * np.sqrt(length / (length - 1)) for length in (20, 60)]
        made[:, row, start:] = columns
    return made


def _lagged(values: Grid, lag: int) -> Grid:
    return np.concatenate([np.full(lag, np.nan), values[:-lag]])
