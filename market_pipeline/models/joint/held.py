"""What is held at an origin: the configured portfolios and those that nobody chose, as one matrix of weights.

Knows the month's estimates and the symbols' curves; no simulation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from market_pipeline.models.joint.curves import Curves, ascending_scenarios
from market_pipeline.models.joint.estimates import Estimates
from market_pipeline.models.joint.unchosen import MINIMUM_VARIANCE, fixed_weights, minimum_variance
from market_pipeline.storage.grids import Grid, Mask
from market_pipeline.storage.tables.forecasts import HORIZONS


@dataclass(frozen=True)
class Wanted:
    """A configured portfolio at an origin."""

    name: str
    weights: Mapping[str, float]
    """By symbol; their unit is the capital."""


@dataclass(frozen=True)
class Held:
    """The portfolios at one origin."""

    weights: Grid
    """(portfolios, symbols) of the month's cross-section; the configured ones come first."""
    names: tuple[str, ...]
    configured: int
    """How many of them are configured."""
    curves: Curves
    """Of the symbols, (symbols, nodes); 0 for one without a forecast at the origin, which nobody holds."""
    missing: Mapping[str, tuple[str, ...]]
    """Of each configured portfolio without a forecast, the symbols that have none."""


def held_at(
    estimates: Estimates, present: Mask, curves: Curves, wanted: Sequence[Wanted], ranges_of: Mapping[str, str]
) -> Held:
    """The portfolios of which each symbol is `present`, so has a bar, and has all `curves`; both (symbols, ...).

    `ranges_of` names the model whose curves a joint model takes.
    """
    there = present & np.all([np.isfinite(curve).all(axis=1) for curve in curves.values()], axis=0)
    known = {key: np.where(there[:, None], curve, np.float32(0)) for key, curve in curves.items()}
    place = {estimates.symbols[row]: row for row in np.flatnonzero(there).tolist()}
    missing = {one.name: tuple(sorted({*one.weights} - {*place})) for one in wanted}
    weights = {one.name: _dense(one.weights, place, len(there)) for one in wanted if not missing[one.name]}
    configured = len(weights)
    weights |= _unchosen(estimates, there, known, ranges_of)
    matrix = np.array([*weights.values()]).reshape(len(weights), len(there))
    lacking = {name: symbols for name, symbols in missing.items() if symbols}
    return Held(matrix, tuple(weights), configured, known, lacking)


def _dense(weights: Mapping[str, float], place: Mapping[str, int], count: int) -> Grid:
    found = np.zeros(count)
    found[[place[symbol] for symbol in weights]] = [*weights.values()]
    return found


def _unchosen(
    estimates: Estimates, there: Mask, curves: Curves, ranges_of: Mapping[str, str]
) -> dict[str, Grid]:  # fmt: skip
    """The portfolios that nobody chose, of the symbols that are there."""
    found = dict[str, Grid]()
    if estimates.chances is None:
        return found
    for name, weights in fixed_weights(estimates.chances.some(np.flatnonzero(there))).items():
        found[name] = np.zeros(len(there))
        found[name][there] = weights
    among = there[estimates.widest]
    some = estimates.widest[among]
    for model, correlation in estimates.correlations.items() if found else ():
        spread = ascending_scenarios(curves[ranges_of[model], min(HORIZONS)][some]).std(axis=1)
        found[f"{MINIMUM_VARIANCE}{model}"] = np.zeros(len(there))
        found[f"{MINIMUM_VARIANCE}{model}"][some] = minimum_variance(correlation[np.ix_(among, among)], spread)
    return found
