"""HAR: the coming volatility from that of the last day, week, month and year; one regression for all symbols."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from market_pipeline.models.calibration.conformal import TRACKED
from market_pipeline.models.calibration.residuals import tracked_residuals
from market_pipeline.models.features.panel import Panel
from market_pipeline.models.features.returns import session_returns
from market_pipeline.models.features.volatility import WARM_UP, range_variance, trailing_mean
from market_pipeline.models.forecasters.zero_mean import ZeroMean
from market_pipeline.prices.history import History
from market_pipeline.storage.artifacts import Parameters
from market_pipeline.storage.grids import Grid
from market_pipeline.storage.tables.forecasts import HORIZONS

LAGS = (1, 5, 22, 250)
"""Sessions over which past variance is averaged: a day, a week, a month (Corsi 2009), and a year."""

LEAST = 22
"""Sessions that an average asks for, or its length if that is shorter; half of them may be holes."""

LEAST_SHARE = 0.05
"""Lower limit of an average, as a share of the year's: the logarithm of a day without any move is minus infinity."""


@dataclass(frozen=True)
class Har(ZeroMean):
    """Log variance of the coming sessions = a linear function of past log variances; mean 0.

    Corsi (2009), "A Simple Approximate Long-Memory Model of Realized Volatility", in logarithms, on a daily variance of
    overnight move and range; pooled over symbols, with the market's variance beside each symbol's (Bollerslev, Hood,
    Huss & Pedersen 2018, "Risk Everywhere"). Quantiles are those of past returns in units of the volatility that was
    forecast for them: filtered historical simulation (Barone-Adesi, Giannopoulos & Vosper 1999) of whole horizons.
    """

    name: str = "har"
    window: int = 1000
    """Sessions to learn from."""
    at_most: int = 500_000
    """Samples to learn from."""

    def fit(self, past: Panel) -> Parameters:
        history = past.history
        recent = np.arange(len(history.sessions))[-max(self.window + max(HORIZONS), TRACKED) :]
        terms = log_variances(history, recent)
        learned = {
            f"coefficients_{horizon}": self._coefficients(history, recent, terms, horizon) for horizon in HORIZONS
        }
        return learned | tracked_residuals(history, _scales(learned, terms), recent)

    def scales(self, parameters: Parameters, /, history: History, positions: np.ndarray) -> Mapping[int, Grid]:
        return _scales(parameters, log_variances(history, positions))

    def _coefficients(self, history: History, recent: np.ndarray, terms: Grid, horizon: int) -> Grid:
        """Least squares on the last `window` sessions; the constant is the last coefficient."""
        following = _following_variance(history, horizon)[:, recent]
        known = np.isfinite(terms).all(axis=0) & np.isfinite(following) & (following > 0)
        known[:, recent < len(history.sessions) - horizon - self.window] = False
        chosen = np.flatnonzero(known)
        chosen = chosen[:: max(1, -(-len(chosen) // self.at_most))]
        design = np.column_stack([terms.reshape(len(terms), -1)[:, chosen].T, np.ones(len(chosen))])
        return np.asarray(np.linalg.lstsq(design, np.log(following.reshape(-1)[chosen]))[0], np.float64)


def log_variances(history: History, positions: np.ndarray) -> Grid:
    """Log variances known at some closes, for each lag the symbol's, then the market's relative to its year.

    (2 x lags - 1, symbols, positions); NaN without a bar or before the random walk has a forecast.
    """
    variance, count = range_variance(history), len(LAGS)
    year = _mean(variance, LAGS[-1])
    grid = np.empty((2 * count - 1, len(year), len(positions)))
    for place, sessions in enumerate(LAGS):
        mean = year if sessions == LAGS[-1] else _mean(variance, sessions)
        with np.errstate(divide="ignore", invalid="ignore"):
            log = np.log(np.maximum(mean[:, positions], LEAST_SHARE * year[:, positions]))
        grid[place] = np.where(np.isfinite(log), log, np.nan)
    for place in range(count - 1):
        relative = grid[place] - grid[count - 1]
        known = np.isfinite(relative)
        # Symbol by symbol: numpy adds one session's values in another order than those of many, to other last digits.
        total = np.add.accumulate(np.where(known, relative, 0.0), axis=0)[-1]
        grid[count + place] = total / np.maximum(known.sum(axis=0), 1)
    old_enough = np.cumsum(np.isfinite(session_returns(history)), axis=1) >= WARM_UP
    grid[:, ~(history.present & old_enough)[:, positions]] = np.nan
    return grid


def _mean(variance: Grid, sessions: int) -> Grid:
    return trailing_mean(variance, sessions, least=(min(sessions, LEAST) + 1) // 2)


def _following_variance(history: History, horizon: int) -> Grid:
    """Mean variance of the `horizon` sessions after each; (symbols, sessions), NaN unless all of them have one."""
    mean = trailing_mean(range_variance(history), horizon, least=horizon)
    following = np.full_like(mean, np.nan)
    following[:, :-horizon] = mean[:, horizon:]
    return following


def _scales(parameters: Parameters, terms: Grid) -> dict[int, Grid]:
    """Volatility of the return over each horizon, up to a constant factor, which the residuals contain.

    Term by term, not as a matrix product, whose last digits depend on the number of rows.
    """
    scales = {}
    for horizon in HORIZONS:
        *slopes, constant = parameters[f"coefficients_{horizon}"]
        log = np.full(terms.shape[1:], constant)
        for slope, term in zip(slopes, terms, strict=True):
            log = log + slope * term
        scales[horizon] = np.exp(log / 2) * np.sqrt(horizon)
    return scales


HAR = Har()
