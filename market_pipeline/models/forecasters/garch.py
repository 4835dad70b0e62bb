"""GJR-GARCH with Student's t errors: each symbol's own volatility, which falls may raise more than rises do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from market_pipeline.models.calibration.conformal import tracked_quantiles
from market_pipeline.models.calibration.distribution import Distribution, location_scale
from market_pipeline.models.features.samples import Panel, base_rate, forward_returns
from market_pipeline.models.features.volatility import session_returns
from market_pipeline.models.forecasters.protocol import Origins
from market_pipeline.prices.history import History
from market_pipeline.storage.artifacts import Parameters
from market_pipeline.storage.grids import Grid
from market_pipeline.storage.tables.forecasts import HORIZONS

PERCENT = 100.0
"""The optimiser is at home with returns in percent."""

LASTING = 0.9995
"""The most of a shock that a session may leave over: without a mean to return to, a variance has no forecast."""

FEW = 50
"""Symbols that are fitted sooner than worker processes start."""


@dataclass(frozen=True)
class Garch:
    """Variance = omega + (alpha + gamma [return < 0]) return² + beta variance; mean 0.

    Glosten, Jagannathan & Runkle (1993) with errors of Student's t (Bollerslev 1987), fitted by `arch` to each symbol's
    last returns; omega follows from their variance (variance targeting: Engle & Mezrich 1996). Quantiles are those of
    past returns in units of the volatility that was forecast for them, all symbols pooled: filtered historical
    simulation (Barone-Adesi, Giannopoulos & Vosper 1999) of whole horizons.
    """

    name: str = "garch"
    window: int = 1000
    """Returns of a symbol to learn from."""
    least: int = 250
    """Returns below which it says nothing of a symbol."""
    own: float = 0.5
    """Weight of a symbol's own alpha, gamma and beta beside the market's medians: a thousand returns tell little."""

    def fit(self, past: Panel) -> Parameters:
        from joblib import Parallel, delayed

        history = past.history
        series = [row[np.isfinite(row)][-self.window :] for row in session_returns(history) * PERCENT]
        enough = [len(row) >= self.least and bool(row.any()) for row in series]
        jobs = -1 if sum(enough) > FEW else 1
        fitted = Parallel(n_jobs=jobs)(delayed(_fitted)(row) for row, fit in zip(series, enough, strict=True) if fit)
        parameters = np.full((len(series), 4), np.nan)
        if fitted:
            typical = np.median(fitted, axis=0)
            parameters[enough, 1:] = self.own * np.array(fitted) + (1 - self.own) * typical
            parameters[enough, 0] = [np.mean(row**2) for row, fit in zip(series, enough, strict=True) if fit]
        learned = {"symbols": np.array(history.symbols), "parameters": parameters}
        for horizon in HORIZONS:
            off = forward_returns(history, horizon) / _volatility(learned, history, horizon)
            learned[f"residuals_{horizon}"] = tracked_quantiles(off, horizon)
        return learned

    def forecast(self, parameters: Parameters, known: Panel, origins: Origins) -> Mapping[int, Distribution]:
        said = {}
        for horizon in HORIZONS:
            scale = _volatility(parameters, known.history, horizon)[:, origins.position]
            spoken = np.isfinite(scale)
            said[horizon] = location_scale(
                mean=np.where(spoken, 0.0, np.nan),
                scale=scale,
                residuals=parameters[f"residuals_{horizon}"],
                p_up=np.where(spoken, base_rate(known.history, horizon)[:, origins.position], np.nan),
            )
        return said


def _fitted(returns: Grid) -> Grid:
    """Alpha, gamma and beta of one symbol's returns in percent."""
    from arch import arch_model

    model = arch_model(returns, mean="Zero", vol="GARCH", p=1, o=1, q=1, dist="t", rescale=False)
    found = model.fit(disp="off", show_warning=False).params.to_numpy()[1:4]
    return np.asarray(found, np.float64)


def _volatility(learned: Mapping[str, Any], history: History, horizon: int) -> Grid:
    """Volatility of the return over the horizon, forecast at each close; (symbols, sessions), NaN where it is unknown.

    Each session's expected variance lies between the next one's and the long-run mean: the sum of a geometric series.
    """
    place = {symbol: row for row, symbol in enumerate(learned["symbols"].tolist())}
    unknown = np.full((1, 4), np.nan)
    rows = [place.get(symbol, -1) for symbol in history.symbols]
    mean, alpha, gamma, beta = np.concatenate([learned["parameters"], unknown])[rows].T
    left = np.minimum(alpha + gamma / 2 + beta, LASTING)
    following = _next_variance(session_returns(history) * PERCENT, mean * (1 - left), alpha, gamma, beta, mean)
    summed = horizon * mean[:, None] + (following - mean[:, None]) * ((1 - left**horizon) / (1 - left))[:, None]
    return np.where(history.present & (summed > 0), np.sqrt(np.maximum(summed, 0.0)) / PERCENT, np.nan)


def _next_variance(returns: Grid, omega: Grid, alpha: Grid, gamma: Grid, beta: Grid, start: Grid) -> Grid:
    """Variance of the next session's return as known at each close; a session without a return leaves it as it was."""
    shocks = np.where(returns < 0, (alpha + gamma)[:, None], alpha[:, None]) * returns**2 + omega[:, None]
    known = np.isfinite(returns)
    variance, newest = np.empty_like(returns), start
    for session in range(returns.shape[1]):
        newest = np.where(known[:, session], shocks[:, session] + beta * newest, newest)
        variance[:, session] = newest
    return variance


GARCH = Garch()
