"""GJR-GARCH with Student's t errors: the volatility of each symbol, which falls may raise more than rises do."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from market_pipeline.models.calibration.residuals import tracked_residuals
from market_pipeline.models.features.panel import Panel
from market_pipeline.models.features.returns import session_returns
from market_pipeline.models.forecasters.zero_mean import ZeroMean
from market_pipeline.prices.history import History
from market_pipeline.storage.artifacts import Parameters
from market_pipeline.storage.grids import Grid
from market_pipeline.storage.tables.forecasts import HORIZONS

PERCENT = 100.0
"""The optimiser works best with returns in percent."""

MOST_PERSISTENT = 0.9995
"""Upper limit of the share of a shock that remains after a session: without a long-run mean there is no forecast."""

FEW = 50
"""Symbols whose fits finish before worker processes would have started."""


@dataclass(frozen=True)
class Garch(ZeroMean):
    """Variance = omega + (alpha + gamma [return < 0]) return² + beta variance; mean 0.

    Glosten, Jagannathan & Runkle (1993) with errors of Student's t (Bollerslev 1987), fitted by `arch` to the last
    returns of each symbol; omega follows from their variance (variance targeting: Engle & Mezrich 1996). Quantiles are
    those of past returns in units of the volatility that was forecast for them, all symbols pooled: filtered historical
    simulation (Barone-Adesi, Giannopoulos & Vosper 1999) of whole horizons.
    """

    name: str = "garch"
    window: int = 1000
    """Returns of a symbol to learn from."""
    least: int = 250
    """Returns below which a symbol has no forecast."""
    own: float = 0.5
    """Weight of a symbol's own alpha, gamma and beta; the rest is the median of the market, because a thousand returns
    determine them poorly."""

    def fit(self, past: Panel) -> Parameters:
        from joblib import Parallel, delayed

        history = past.history
        series = [row[np.isfinite(row)][-self.window :] for row in session_returns(history) * PERCENT]
        enough = [len(row) >= self.least and bool(row.any()) for row in series]
        chosen = [row for row, fit in zip(series, enough, strict=True) if fit]
        found = Parallel(n_jobs=-1 if len(chosen) > FEW else 1)(delayed(fitted)(row) for row in chosen)
        parameters = np.full((len(series), 4), np.nan)
        if found:
            parameters[enough, 1:] = self.own * np.array(found) + (1 - self.own) * np.median(found, axis=0)
            parameters[enough, 0] = [np.mean(row**2) for row in chosen]
        learned = {"symbols": np.array(history.symbols), "parameters": parameters}
        return learned | tracked_residuals(history, self.scales(learned, history, np.arange(len(history.sessions))))

    def scales(self, parameters: Parameters, /, history: History, positions: np.ndarray) -> Mapping[int, Grid]:
        """The sum over a horizon of expected variances, each between the last one and the long-run mean."""
        place = {symbol: row for row, symbol in enumerate(parameters["symbols"].tolist())}
        unknown = np.full((1, 4), np.nan)
        rows = [place.get(symbol, -1) for symbol in history.symbols]
        mean, alpha, gamma, beta = np.concatenate([parameters["parameters"], unknown])[rows].T
        left = np.minimum(alpha + gamma / 2 + beta, MOST_PERSISTENT)
        variance = _next_variance(session_returns(history) * PERCENT, mean * (1 - left), alpha, gamma, beta, mean)
        excess, present = variance[:, positions] - mean[:, None], history.present[:, positions]
        scales = {}
        for horizon in HORIZONS:
            total = horizon * mean[:, None] + excess * ((1 - left**horizon) / (1 - left))[:, None]
            scales[horizon] = np.where(present & (total > 0), np.sqrt(np.maximum(total, 0.0)) / PERCENT, np.nan)
        return scales


def fitted(returns: Grid) -> Grid:
    """Alpha, gamma and beta of one symbol's returns in percent, (3,).

    As `arch_model(...).fit` finds them, by the variance, likelihood, starting values and limits of arch and by the same
    optimiser. But `fit` has the limits on sums of parameters differentiated numerically at each step, which is most of
    its time; they are linear, so here the optimiser gets their coefficients.
    """
    from arch import univariate
    from scipy.linalg import block_diag
    from scipy.optimize import LinearConstraint, minimize

    process, errors, variance = univariate.GARCH(p=1, o=1, q=1), univariate.StudentsT(), np.zeros_like(returns)
    before, limits = process.backcast(returns), process.variance_bounds(returns)
    start = process.starting_values(returns)
    process.compute_variance(start, returns, variance, before, limits)
    degrees = errors.starting_values(returns / np.sqrt(variance))
    (of_process, least), (of_errors, few) = process.constraints(), errors.constraints()
    coefficients = block_diag(of_process, of_errors)

    def loss(parameters: Grid) -> float:
        process.compute_variance(parameters[:4], returns, variance, before, limits)
        return -float(errors.loglikelihood(parameters[4:], returns, variance))

    found = minimize(
        loss,
        np.append(start, degrees),
        method="SLSQP",
        bounds=[*process.bounds(returns), *errors.bounds(returns)],
        constraints=LinearConstraint(coefficients, np.append(least, few)),
    )
    return np.asarray(found.x[1:4], np.float64)


def _next_variance(returns: Grid, omega: Grid, alpha: Grid, gamma: Grid, beta: Grid, start: Grid) -> Grid:
    """Variance of the next return as known at each close; a session without a return does not change it."""
    shocks = np.where(returns < 0, (alpha + gamma)[:, None], alpha[:, None]) * returns**2 + omega[:, None]
    known = np.isfinite(returns)
    variance, newest = np.empty_like(returns), start
    for session in range(returns.shape[1]):
        newest = np.where(known[:, session], shocks[:, session] + beta * newest, newest)
        variance[:, session] = newest
    return variance


GARCH = Garch()
