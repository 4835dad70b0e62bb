"""Portfolios at a range of origins, by every joint model, from what was known at each origin.

The joint models differ in how symbols move together and in whose ranges they take; the draws are the same.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from market_pipeline.models.calibration.distribution import Distribution
from market_pipeline.models.features.returns import forward_returns, session_returns
from market_pipeline.models.joint import correlations
from market_pipeline.models.joint.correlations import Dependence, in_units_of_volatility, triangular
from market_pipeline.models.joint.draws import DRAWS, Shocks, scenarios
from market_pipeline.models.joint.levels import levels_of
from market_pipeline.models.joint.portfolio_risk import (
    PARTS,
    Outlook,
    Scenarios,
    contributions,
    outlook,
    single_shortfalls,
    total,
)
from market_pipeline.models.joint.unchosen import MINIMUM_VARIANCE, Chances, fixed_weights, minimum_variance, widest
from market_pipeline.prices.history import History
from market_pipeline.storage.grids import Grid, Mask
from market_pipeline.storage.tables.forecasts import BASELINE, HORIZONS
from market_pipeline.storage.tables.portfolios import CONSTANT, FACTORS, HISTORY, SHRUNK, WEIGHTED

LEAST_RETURNS = 60
"""Returns that a symbol needs for a correlation."""

RANGES_OF = {CONSTANT: BASELINE, WEIGHTED: "har", SHRUNK: "har", FACTORS: "har"}
"""Whose distributions of the single symbols each simulated model takes.

The baseline has the random walk's. The others have HAR's, whatever model is selected: which one that is depends on
scores, and a forecast that depends on scores could not be repeated from its own provenance.
"""

_DEPENDENCE: dict[str, Callable[[Grid, Grid], Dependence]] = {
    CONSTANT: lambda plain, _: triangular(correlations.constant(plain)),
    WEIGHTED: lambda _, scaled: triangular(correlations.weighted(scaled)),
    SHRUNK: lambda _, scaled: triangular(correlations.shrunk(scaled)),
    FACTORS: lambda _, scaled: correlations.factors(scaled),
}
"""From returns, plain and in units of volatility."""

NODES = np.array([0, 1, 2, 3, 5, 7, 10, 13, 16, 20, 25, *range(30, 501, 10)]) / (DRAWS + 1)
NODES = np.concatenate([NODES, 1 - NODES[-2::-1]])
"""Levels at which a symbol's quantile function is read; linear between them. All published levels are among
them, the kink at the chance of a fall is not."""


NOTHING: tuple[Grid, Grid] = (np.empty(0), np.empty(0))


@dataclass(frozen=True)
class Wanted:
    """A configured portfolio at an origin."""

    name: str
    weights: Mapping[str, float]
    """By symbol; their unit is the capital."""


@dataclass(frozen=True)
class Found:
    """What the joint models forecast at one origin."""

    weights: Mapping[str, Mapping[str, float]]
    """Of each portfolio that has a forecast, by symbol."""
    outlooks: Mapping[tuple[str, int], Outlook]
    """By model and horizon, in the order of `weights`."""
    parts: Mapping[tuple[str, int, str], tuple[Grid, Grid]]
    """By model, horizon and configured portfolio: contributions and single shortfalls, in the order of its symbols."""
    missing: Mapping[str, tuple[str, ...]]
    """Of each configured portfolio without a forecast, the symbols that have none."""


def forecast_portfolios(
    history: History,
    positions: np.ndarray,
    ranges: Mapping[str, Mapping[int, Distribution]],
    wanted: Sequence[Sequence[Wanted]],
    *,
    unchosen: bool = True,
) -> list[Found]:
    """The forecasts at the sessions at `positions`; `wanted` are the configured portfolios of each.

    `ranges` has the distributions of the models in RANGES_OF, (symbols, positions). `history` may reach beyond the last
    position; nothing after an origin is used there. Symbols are taken in the order of their names, and each origin
    alone, so neither their order nor other origins change a bit.
    """
    from joblib import Parallel, delayed

    by_name = np.array(sorted(range(len(history.symbols)), key=history.symbols.__getitem__))
    market = _Market(history.some(by_name), unchosen=unchosen)
    curves = {
        (model, horizon): one.quantile_function(NODES)[by_name]
        for model in sorted({*RANGES_OF.values()})
        for horizon, one in ranges[model].items()
        if one.quantile_function is not None
    }
    for model, horizon in curves:
        market.errors[model, horizon] = ranges[model][horizon].errors
    tasks = (
        delayed(market.at)(end, {key: curve[:, place] for key, curve in curves.items()}, wanted[place])
        for place, end in enumerate(positions.tolist())
    )
    with threadpool_limits(1):  # in another order of summation the last digits differ
        return list(Parallel(n_jobs=-1, prefer="threads")(tasks))


class _Market:
    """The returns of a market, its symbols in the order of their names."""

    def __init__(self, history: History, *, unchosen: bool) -> None:
        self.symbols, self.sessions, self.present = history.symbols, history.sessions, history.present
        self.plain, self.scaled = session_returns(history), in_units_of_volatility(history)
        self.forward = {horizon: np.expm1(forward_returns(history, horizon)).astype(np.float32) for horizon in HORIZONS}
        self.chances = Chances.of(history.symbols) if unchosen else None
        self.errors = dict[tuple[str, int], float]()
        """How many past errors the distributions of the single symbols come from, by model and horizon."""

    def at(self, end: int, curves: Mapping[tuple[str, int], Grid], wanted: Sequence[Wanted]) -> Found:
        """The forecasts at the session at `end`; `curves` (symbols, NODES) are log returns by model and horizon."""
        there = self._with_forecast(end, curves)
        chosen = np.flatnonzero(there)
        place = {self.symbols[at]: number for number, at in enumerate(chosen.tolist())}
        missing = {one.name: tuple(sorted({*one.weights} - {*place})) for one in wanted}
        weights = {one.name: _dense(one.weights, place) for one in wanted if not missing[one.name]}
        configured = [*weights]
        chances = self.chances.some(chosen) if self.chances else None
        weights |= fixed_weights(chances) if chances else {}
        lacking = {name: symbols for name, symbols in missing.items() if symbols}
        if not weights:
            return Found({}, {}, {}, lacking)
        plain, scaled = (grid[chosen, : end + 1] for grid in (self.plain, self.scaled))
        dependence = {model: make(plain, scaled) for model, make in _DEPENDENCE.items()}
        single = {key: simple_scenarios(curve[chosen]) for key, curve in curves.items()}
        if chances and len(weights) > len(configured):
            weights |= _least_variance(dependence, single, widest(chances))
        shocks = Shocks(self.sessions[end], len(chosen))
        matrix = np.array([*weights.values()])
        outlooks, parts = dict[tuple[str, int], Outlook](), dict[tuple[str, int, str], tuple[Grid, Grid]]()

        def add(model: str, horizon: int, symbols: Scenarios, alone: tuple[Grid, Grid], errors: float) -> None:
            returns = total(matrix, symbols)
            outlooks[model, horizon] = outlook(returns, errors)
            for name, row in zip(configured, returns, strict=False):  # they are the first
                sizes = weights[name]
                single = (np.where(sizes > 0, *alone) * np.abs(sizes))[sizes != 0]
                if np.isfinite(outlooks[model, horizon].es[configured.index(name), PARTS]):
                    parts[model, horizon, name] = contributions(sizes, symbols, row), single

        shortfalls = {key: single_shortfalls(ascending) for key, ascending in single.items()} if configured else {}
        for model in _DEPENDENCE:
            order = shocks.orders(dependence[model])
            for horizon in HORIZONS:
                key = (RANGES_OF[model], horizon)
                add(model, horizon, scenarios(order, single[key]), shortfalls.get(key, NOTHING), self.errors[key])
        for horizon in HORIZONS:
            past = self.forward[horizon][chosen, : max(0, end + 1 - horizon)]
            alone = single_shortfalls(past) if configured else NOTHING
            add(HISTORY, horizon, past, alone, past.shape[1] / horizon)
        return Found({name: self._named(row, chosen) for name, row in weights.items()}, outlooks, parts, lacking)

    def _with_forecast(self, end: int, curves: Mapping[tuple[str, int], Grid]) -> Mask:
        """Which symbols have a bar, enough returns of which one is not 0, and every distribution."""
        plain = self.plain[:, : end + 1]
        enough = (np.isfinite(plain).sum(axis=1) >= LEAST_RETURNS) & self.present[:, end]
        for grid in (plain, self.scaled[:, : end + 1]):
            recent = np.nan_to_num(grid[:, -correlations.WINDOW :])
            enough &= (recent != 0).sum(axis=1) > 1
        for curve in curves.values():
            enough &= np.isfinite(curve).all(axis=1)
        return np.asarray(enough, np.bool_)

    def _named(self, row: Grid, chosen: np.ndarray) -> dict[str, float]:
        return {self.symbols[chosen[at]]: float(row[at]) for at in np.flatnonzero(row).tolist()}


def _dense(weights: Mapping[str, float], place: Mapping[str, int]) -> Grid:
    found = np.zeros(len(place))
    for symbol, weight in weights.items():
        found[place[symbol]] = weight
    return found


def _least_variance(
    dependence: Mapping[str, Dependence], single: Mapping[tuple[str, int], Scenarios], some: np.ndarray
) -> dict[str, Grid]:
    """The portfolio of least variance of each simulated model, of the symbols at `some` positions."""
    found = {}
    for model, one in dependence.items():
        correlation = one.loadings[some] @ one.loadings[some].T
        np.fill_diagonal(correlation, 1.0)
        values = single[RANGES_OF[model], min(HORIZONS)]
        weights = np.zeros(len(values))
        weights[some] = minimum_variance(correlation, values[some].std(axis=1))
        found[f"{MINIMUM_VARIANCE}{model}"] = weights
    return found


def simple_scenarios(curve: Grid) -> Scenarios:
    """The DRAWS simple returns of each symbol in ascending order, from log returns at NODES; (symbols, DRAWS).

    The lowest and the highest stand for all that lies beyond the second, so that shortfalls are those of the curve.
    """
    values = np.expm1(curve.astype(np.float32) @ _INTERPOLATION)
    values[:, 1] = (values[:, 0] / 2 + values[:, 1]) / 1.5
    values[:, -2] = (values[:, -1] / 2 + values[:, -2]) / 1.5
    return np.ascontiguousarray(values[:, 1:-1])


def _interpolation() -> Scenarios:
    """From values at NODES to those at 0, at the levels of the draws, and at 1; (nodes, DRAWS + 2)."""
    levels = np.concatenate([[0.0], levels_of(DRAWS), [1.0]])
    found = np.stack([np.interp(levels, NODES, unit) for unit in np.eye(len(NODES))])
    return np.where(np.abs(found - found.round()) < 1e-9, found.round(), found).astype(np.float32)


_INTERPOLATION = _interpolation()
