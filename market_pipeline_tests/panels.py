"""Panels of random walks, for tests that need a market but no warehouse."""

import datetime as dt

import numpy as np

from market_pipeline.models.features.panel import Panel
from market_pipeline.prices.history import History
from market_pipeline.storage.grids import Grid

MONDAY = dt.date(2020, 1, 6)


def walk_panel(
    seed: int = 0, symbols: int = 4, sessions: int = 420, features: int = 6, *, autocorrelation: float = 0.0
) -> Panel:
    """A panel of weekdays: returns of 2 % a session, a few holes, features of noise, but for the last return."""
    draw = np.random.default_rng(seed)
    returns = draw.normal(0, 0.02, (symbols, sessions))
    for t in range(1, sessions):
        returns[:, t] += autocorrelation * returns[:, t - 1]
    close = 100 * np.exp(np.cumsum(returns, axis=1))
    close[draw.random(close.shape) < 0.01] = np.nan
    days = np.busday_offset(np.datetime64(MONDAY), np.arange(sessions))
    noise = draw.normal(size=(features, symbols, sessions)).astype(np.float32)
    noise[0] = returns / 0.02
    return Panel(history_of(close, days), noise, tuple(f"feature_{n}" for n in range(features)))


def history_of(close: Grid, days: np.ndarray) -> History:
    """Bars with one price each and a volume of a million shares."""
    names = tuple(f"S{n}" for n in range(len(close)))
    return History(names, days, close, close, close, close, np.where(np.isnan(close), np.nan, 1e6))


def with_noise_after(panel: Panel, position: int, seed: int = 1) -> Panel:
    """The same panel with noise in everything after a position; independent of `Panel.with_future_noise`."""
    draw = np.random.default_rng(seed)
    close, features = panel.history.close.copy(), panel.recent.copy()
    close[:, position + 1 :] = draw.uniform(1, 1000, close[:, position + 1 :].shape)
    features[:, :, position + 1 :] = draw.normal(0, 9, features[:, :, position + 1 :].shape)
    return Panel(history_of(close, panel.history.sessions), features, panel.feature_names)
