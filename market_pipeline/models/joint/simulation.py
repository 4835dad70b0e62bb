"""Portfolios at a range of origins, by every joint model, from what was known at each origin.

The joint models differ in how symbols move together and in whose ranges they take; the draws are the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from market_pipeline.models.calibration.distribution import Distribution
from market_pipeline.models.joint.curves import ascending_scenarios, simple_curves
from market_pipeline.models.joint.draws import scenarios
from market_pipeline.models.joint.estimates import Estimates, estimates_of
from market_pipeline.models.joint.held import Held, Wanted, held_at
from market_pipeline.models.joint.levels import Scenarios
from market_pipeline.models.joint.own_past import of_own_past
from market_pipeline.models.joint.portfolio_risk import (
    Forecasts,
    Outlook,
    Parts,
    Positions,
    contributions,
    held_only,
    outlook,
    shortfalls_of_ascending,
    single_losses,
    usable,
)
from market_pipeline.prices.history import History
from market_pipeline.storage.grids import Grid
from market_pipeline.storage.tables.forecasts import BASELINE, HORIZONS
from market_pipeline.storage.tables.portfolios import CONSTANT, FACTORS, SHRUNK, WEIGHTED

RANGES_OF = {CONSTANT: BASELINE, WEIGHTED: "har", SHRUNK: "har", FACTORS: "har"}
"""Whose distributions of the single symbols each simulated model takes.

The baseline has the random walk's. The others have HAR's, whatever model is selected: which one that is depends on
scores, and a forecast that depends on scores could not be repeated from its own provenance.
"""


@dataclass(frozen=True)
class Found:
    """What the joint models forecast at one origin."""

    weights: Mapping[str, Mapping[str, float]]
    """Of each portfolio that has a forecast, by symbol."""
    outlooks: Mapping[tuple[str, int], Outlook]
    """By model and horizon, in the order of `weights`."""
    parts: Parts
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
    """The forecasts at the sessions at `positions`, ascending; `wanted` are the configured portfolios of each.

    `ranges` has the distributions of the models in RANGES_OF, (symbols, positions). `history` may reach beyond the last
    position; nothing after an origin is used there. Symbols are taken in the order of their names, and each origin
    alone, so neither their order nor other origins change a bit.
    """
    curves = simple_curves(ranges, {*RANGES_OF.values()})
    errors = {(model, horizon): ranges[model][horizon].errors for model, horizon in curves}
    months = history.sessions[positions].astype("datetime64[M]")
    found = list[Found]()
    with threadpool_limits(1):  # in another order of summation the last digits differ
        for month in np.unique(months):
            past = history.until((month.astype("datetime64[D]") - 1).item())
            estimates = estimates_of(past, month, unchosen=unchosen)
            of_month = [
                held_at(
                    estimates,
                    np.isfinite(history.close[estimates.rows, positions[place]]),
                    {key: curve[estimates.rows, place] for key, curve in curves.items()},
                    wanted[place],
                    RANGES_OF,
                )
                for place in np.flatnonzero(months == month).tolist()
            ]
            found += _month(estimates, of_month, errors)
    return found


def _month(estimates: Estimates, origins: Sequence[Held], errors: Mapping[tuple[str, int], float]) -> list[Found]:
    from joblib import Parallel, delayed

    past = of_own_past(estimates, origins)
    tasks = (delayed(_simulated)(estimates, held, errors) for held in origins)
    found = []
    for held, own, simulated in zip(origins, past, Parallel(n_jobs=-1, prefer="threads")(tasks), strict=True):
        rows = zip(held.names, held.weights, strict=True)
        weights = {name: _named(row, estimates.symbols) for name, row in rows}
        (outlooks, parts), (more_outlooks, more_parts) = simulated, own
        found.append(Found(weights, outlooks | more_outlooks, parts | more_parts, held.missing))
    return found


def _named(row: Grid, symbols: tuple[str, ...]) -> dict[str, float]:
    held = np.flatnonzero(row)
    return dict(zip([symbols[at] for at in held.tolist()], row[held].tolist(), strict=True))


def _simulated(estimates: Estimates, held: Held, errors: Mapping[tuple[str, int], float]) -> Forecasts:
    """What the simulated models forecast at one origin."""
    if not held.names:
        return Forecasts({}, {})
    count, mine = held.configured, held.weights[: held.configured]
    ascending = {key: ascending_scenarios(curve) for key, curve in held.curves.items()}
    losses = {key: single_losses(mine, shortfalls_of_ascending(values)) for key, values in ascending.items()}
    keys = [(model, horizon) for model in estimates.places for horizon in HORIZONS]
    returns, parts, positions = list[Scenarios](), Parts(), Positions(held.weights)
    for model, horizon in keys:
        of_symbols = (RANGES_OF[model], horizon)
        symbols = scenarios(estimates.places[model], ascending[of_symbols])
        returns.append(positions.total(symbols))
        if count:
            added = contributions(mine, symbols, returns[-1][:count])
            named = zip(held.names, held_only(mine, added, losses[of_symbols]), strict=False)  # they are the first
            parts |= {(model, horizon, name): one for name, one in named}
    behind = np.repeat([errors[RANGES_OF[model], horizon] for model, horizon in keys], len(held.names))
    whole = outlook(np.concatenate(returns), behind)
    rows = np.arange(len(behind)).reshape(len(keys), len(held.names))
    outlooks = {key: whole.some(some) for key, some in zip(keys, rows, strict=True)}
    return Forecasts(outlooks, usable(outlooks, parts, held.names))
