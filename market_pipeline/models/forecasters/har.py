"""HAR: tomorrow's volatility from that of the last day, week, month and year, one regression for all symbols."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from market_pipeline.models.calibration.conformal import TRACKED, tracked_quantiles
from market_pipeline.models.calibration.distribution import Distribution, location_scale
from market_pipeline.models.features.samples import Panel, base_rate, forward_returns
from market_pipeline.models.features.volatility import WARM_UP, range_variance, session_returns, trailing_mean
from market_pipeline.models.forecasters.protocol import Origins
from market_pipeline.prices.history import History
from market_pipeline.storage.artifacts import Parameters
from market_pipeline.storage.grids import Grid
from market_pipeline.storage.tables.forecasts import HORIZONS

MEMORIES = (1, 5, 22, 250)
"""Sessions over which past variance is averaged: a day, a week, a month (Corsi 2009), and a year."""

LEAST = 22
"""Sessions that a memory asks for, or its length if that is shorter; half of them may be holes."""

FLOOR = 0.05
"""Share of its year's variance below which a symbol's shorter memory is not taken at its word: the logarithm of a day
without any move is minus infinity."""


@dataclass(frozen=True)
class Har:
    """Log variance of the sessions to come = a linear function of log variances past; mean 0.

    Corsi (2009), "A Simple Approximate Long-Memory Model of Realized Volatility", in logarithms, on a daily variance of
    overnight move and range; pooled over symbols, with the market's own variance beside each symbol's (Bollerslev,
    Hood, Huss & Pedersen 2018, "Risk Everywhere"). Quantiles are those of past returns in units of the volatility that
    was forecast for them: filtered historical simulation (Barone-Adesi, Giannopoulos & Vosper 1999) of whole horizons.
    """

    name: str = "har"
    window: int = 1000
    """Sessions to learn from."""
    at_most: int = 500_000
    """Samples to learn from."""

    def fit(self, past: Panel) -> Parameters:
        history = past.history
        recent = np.arange(len(history.sessions))[-max(self.window + max(HORIZONS), TRACKED) :]
        memories = memories_at(history, recent)
        learned: dict[str, Grid] = {}
        for horizon in HORIZONS:
            newest = len(history.sessions) - horizon
            following = _following(history, horizon)[:, recent]
            known = np.isfinite(memories).all(axis=0) & np.isfinite(following) & (following > 0)
            known[:, recent < newest - self.window] = False
            learning = np.flatnonzero(known)
            learning = learning[:: max(1, -(-len(learning) // self.at_most))]
            terms, target = memories.reshape(len(memories), -1)[:, learning].T, following.reshape(-1)[learning]
            coefficients = _least_squares(terms, np.log(target))
            scale = _scale(coefficients, memories, horizon)
            learned[f"coefficients_{horizon}"] = coefficients
            off = forward_returns(history, horizon)[:, recent] / scale
            learned[f"residuals_{horizon}"] = tracked_quantiles(off, horizon)
        return learned

    def forecast(self, parameters: Parameters, known: Panel, origins: Origins) -> Mapping[int, Distribution]:
        memories = memories_at(known.history, origins.position)
        said = {}
        for horizon in HORIZONS:
            scale = _scale(parameters[f"coefficients_{horizon}"], memories, horizon)
            said[horizon] = location_scale(
                mean=np.where(np.isfinite(scale), 0.0, np.nan),
                scale=scale,
                residuals=parameters[f"residuals_{horizon}"],
                p_up=np.where(np.isfinite(scale), base_rate(known.history, horizon)[:, origins.position], np.nan),
            )
        return said


def memories_at(history: History, positions: np.ndarray) -> Grid:
    """Log variances known at some closes, the symbol's and then the market's; (memories, symbols, positions)."""
    variance, count = range_variance(history), len(MEMORIES)
    year = _mean(variance, MEMORIES[-1])
    grid = np.empty((2 * count - 1, len(year), len(positions)))
    for place, sessions in enumerate(MEMORIES):
        memory = year if sessions == MEMORIES[-1] else _mean(variance, sessions)
        with np.errstate(divide="ignore", invalid="ignore"):
            log = np.log(np.maximum(memory[:, positions], FLOOR * year[:, positions]))
        grid[place] = np.where(np.isfinite(log), log, np.nan)
    for place in range(count - 1):
        beyond = grid[place] - grid[count - 1]
        known = np.isfinite(beyond)
        # Symbol by symbol: numpy adds a single session's in another order than those of many, and to other bits.
        total = np.add.accumulate(np.where(known, beyond, 0.0), axis=0)[-1]
        grid[count + place] = total / np.maximum(known.sum(axis=0), 1)
    # No sooner than the random walk, which stands beside every forecast.
    old_enough = np.cumsum(np.isfinite(session_returns(history)), axis=1) >= WARM_UP
    grid[:, ~(history.present & old_enough)[:, positions]] = np.nan
    return grid


def _mean(variance: Grid, sessions: int) -> Grid:
    return trailing_mean(variance, sessions, least=(min(sessions, LEAST) + 1) // 2)


def _following(history: History, horizon: int) -> Grid:
    """Mean variance of the `horizon` sessions after each; NaN unless all of them have one; (symbols, sessions)."""
    mean = trailing_mean(range_variance(history), horizon, least=horizon)
    following = np.full_like(mean, np.nan)
    following[:, :-horizon] = mean[:, horizon:]
    return following


def _least_squares(terms: Grid, target: Grid) -> Grid:
    """Coefficients, the constant last."""
    design = np.column_stack([terms, np.ones(len(terms))])
    return np.asarray(np.linalg.lstsq(design, target)[0], np.float64)


def _scale(coefficients: Grid, memories: Grid, horizon: int) -> Grid:
    """Volatility of the return over the horizon, but for a constant that the residuals make good.

    Term by term rather than as a matrix product, whose last digits depend on how many rows it has.
    """
    log = np.full(memories.shape[1:], coefficients[-1])
    for coefficient, memory in zip(coefficients[:-1], memories, strict=True):
        log = log + coefficient * memory
    scale: Grid = np.exp(log / 2) * np.sqrt(horizon)
    return scale


HAR = Har()
