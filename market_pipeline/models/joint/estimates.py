"""What joint models estimate from the past, once a month, as all models: on the sessions before the month.

The correlations, the order of the scenarios that follows from them, and the past returns of what may be held. Knows
bars; no distribution of a symbol, no weight.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from market_pipeline.models.features.returns import forward_returns, session_returns
from market_pipeline.models.joint import correlations
from market_pipeline.models.joint.correlations import Dependence, in_units_of_volatility, triangular
from market_pipeline.models.joint.draws import Shocks
from market_pipeline.models.joint.levels import Scenarios
from market_pipeline.models.joint.unchosen import Chances, widest
from market_pipeline.prices.history import History
from market_pipeline.storage.grids import Grid, Mask
from market_pipeline.storage.tables.forecasts import HORIZONS
from market_pipeline.storage.tables.portfolios import CONSTANT, FACTORS, SHRUNK, WEIGHTED

LEAST_RETURNS = 60
"""Returns that a symbol needs for a correlation."""

MEMORY = 250
"""Sessions before the window from which volatilities start: what lies before them has a weight of 2e-7."""

_DEPENDENCE: dict[str, Callable[[Grid, Grid], Dependence]] = {
    CONSTANT: lambda plain, _: triangular(correlations.constant(plain)),
    WEIGHTED: lambda _, scaled: triangular(correlations.weighted(scaled)),
    SHRUNK: lambda _, scaled: triangular(correlations.shrunk(scaled)),
    FACTORS: lambda _, scaled: correlations.factors(scaled),
}
"""From returns, plain and in units of volatility."""


@dataclass(frozen=True)
class Estimates:
    """Of one month; the symbols of its cross-section are in the order of their names."""

    symbols: tuple[str, ...]
    rows: np.ndarray
    """Where they are in the history."""
    places: Mapping[str, pa.Array]
    """Of their scenarios by simulated model, see `Shocks.places`."""
    past: Mapping[int, Scenarios]
    """Their simple returns by horizon, (symbols, sessions)."""
    chances: Chances | None
    """Theirs, where there are portfolios that nobody chose."""
    widest: np.ndarray
    """Those in portfolios of least variance, by position."""
    correlations: Mapping[str, Grid]
    """Of these, by simulated model."""


def estimates_of(past: History, month: np.datetime64, *, unchosen: bool) -> Estimates:
    """The estimates for a month from the sessions before it."""
    plain, scaled = session_returns(past), in_units_of_volatility(past.last(correlations.WINDOW + MEMORY))
    rows = np.array(sorted(np.flatnonzero(_enough(plain, scaled)).tolist(), key=past.symbols.__getitem__), np.int64)
    symbols = tuple(past.symbols[row] for row in rows.tolist())
    chances = Chances.of(symbols) if unchosen else None
    some = widest(chances) if chances else rows[:0]
    places, between = {}, {}
    if len(rows):
        plain, scaled, shocks = plain[rows], scaled[rows], Shocks(month, len(rows))
        for model, make in _DEPENDENCE.items():
            one = make(plain, scaled)
            places[model] = shocks.places(one)
            between[model] = one.loadings[some] @ one.loadings[some].T
            np.fill_diagonal(between[model], 1.0)
    returns = {horizon: _simple(past, horizon)[rows] for horizon in HORIZONS}
    return Estimates(symbols, rows, places, returns, chances, some, between)


def _enough(plain: Grid, scaled: Grid) -> Mask:
    """Which symbols have returns enough, of which two are not 0 of late."""
    enough = np.isfinite(plain).sum(axis=1) >= LEAST_RETURNS
    for grid in (plain, scaled):
        enough &= (np.nan_to_num(grid[:, -correlations.WINDOW :]) != 0).sum(axis=1) > 1
    return np.asarray(enough, np.bool_)


def _simple(past: History, horizon: int) -> Scenarios:
    """Simple returns over a horizon; (symbols, sessions whose target session is over)."""
    return np.expm1(forward_returns(past, horizon)[:, :-horizon].astype(np.float32))
