"""What a portfolio may gain and lose over a horizon, from scenarios of its symbols.

All returns are simple, as a share of the capital that the weights refer to: simple returns of symbols add up to those
of the portfolio, at any weights, and they scale with them. Losses are negative. Knows arrays; no model, no market.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from market_pipeline.models.calibration.tails import FEWEST
from market_pipeline.models.joint.levels import chance_above_zero, quantiles_at, tail_weights
from market_pipeline.storage.grids import Grid
from market_pipeline.storage.tables.forecasts import LEVELS, TAIL_LEVELS

Scenarios: TypeAlias = npt.NDArray[np.float32]
"""Simple returns (symbols, scenarios); NaN in a scenario that a symbol does not have."""

BLOCK = 16
"""Portfolios that are computed together."""

LEAST_SCENARIOS = 250
"""Scenarios that a shortfall at 1 % needs: two below it."""

PARTS_AT = 0.025
"""Level of the shortfall that is split by symbol."""

PARTS = TAIL_LEVELS.index(PARTS_AT)


@dataclass(frozen=True)
class Outlook:
    """Numbers of some portfolios; NaN where there are too few scenarios."""

    mean: Grid
    """(portfolios,)"""
    quantiles: Grid
    """(portfolios, 9) at LEVELS."""
    p_up: Grid
    """(portfolios,), probability of a gain."""
    var: Grid
    """(portfolios, 3) at TAIL_LEVELS: the quantile."""
    es: Grid
    """(portfolios, 3) at TAIL_LEVELS: the mean below the quantile."""


def outlook(returns: Grid, errors: float = np.inf) -> Outlook:
    """The numbers of portfolios from their returns (portfolios, scenarios), NaN for a scenario they do not have.

    A level of which fewer than FEWEST of the `errors` behind the scenarios are expected beyond has no value at risk and
    no shortfall, as for single symbols.
    """
    count = len(returns)
    found = Outlook(*(np.full((count, *shape), np.nan) for shape in ((), (len(LEVELS),), (), (3,), (3,))))
    for where, rows in _by_number(returns):
        found.mean[where] = _weighted(rows, np.full(rows.shape[1], 1 / rows.shape[1]))
        found.quantiles[where] = quantiles_at(rows, np.array(LEVELS))
        found.p_up[where] = chance_above_zero(rows)
        found.var[where] = quantiles_at(rows, np.array(TAIL_LEVELS))
        for place, level in enumerate(TAIL_LEVELS):
            found.es[where, place] = _weighted(rows, tail_weights(rows.shape[1], level))
    refused = (errors + 1) * np.array(TAIL_LEVELS) < FEWEST
    found.var[:, refused], found.es[:, refused] = np.nan, np.nan
    return found


def contributions(weights: Grid, symbols: Scenarios, returns: Grid) -> Grid:
    """The part of each symbol that is held in a portfolio's shortfall at PARTS_AT; (held,), NaN with too few scenarios.

    `weights` (symbols,), `symbols` (symbols, scenarios), `returns` (scenarios,) of the portfolio. The part is the mean
    of weight x return in the scenarios of the shortfall (Tasche 1999, "Risk contributions and performance
    measurement"), so the parts sum to the whole.
    """
    count = int(np.isfinite(returns).sum())
    if count < LEAST_SCENARIOS:
        return np.full(np.count_nonzero(weights), np.nan)
    share = tail_weights(count, PARTS_AT)
    worst = np.argsort(returns, kind="stable")[: len(share)]
    held = np.flatnonzero(weights)
    return weights[held] * _weighted(symbols[:, worst][held].astype(np.float64), share)


def single_shortfalls(symbols: Scenarios) -> tuple[Grid, Grid]:
    """The shortfall at PARTS_AT of one unit of each symbol, and of one unit short; (symbols,), NaN with too few."""
    if (np.diff(symbols, axis=1) >= 0).all():
        share = tail_weights(symbols.shape[1], PARTS_AT)
        low, high = symbols[:, : len(share)], symbols[:, : -len(share) - 1 : -1]
        return _weighted(low.astype(np.float64), share), _weighted(-high.astype(np.float64), share)
    long, short = np.full(len(symbols), np.nan), np.full(len(symbols), np.nan)
    for where, rows in _by_number(symbols):
        share = tail_weights(rows.shape[1], PARTS_AT)
        long[where], short[where] = _weighted(rows, share), _weighted(-rows[:, ::-1], share)
    return long, short


def total(weights: Grid, symbols: Scenarios) -> Grid:
    """The returns (portfolios, scenarios) of `weights` (portfolios, symbols); NaN where a symbol that is held has none.

    In blocks of one size: in a product of another size the last digits may differ, and no portfolio may depend on how
    many there are.
    """
    missing = np.isnan(symbols)
    single = np.nan_to_num(symbols) if missing.any() else symbols
    found = np.zeros((len(weights), symbols.shape[1]), np.float32)
    for first in range(0, len(weights), BLOCK):
        some = weights[first : first + BLOCK]
        block = np.zeros((BLOCK, weights.shape[1]), np.float32)
        block[: len(some)] = some
        found[first : first + BLOCK] = (block @ single)[: len(some)]
    if missing.any():
        without = np.flatnonzero(missing.any(axis=1))
        holes = (weights[:, without] != 0).astype(np.float32) @ missing[without].astype(np.float32)
        found[holes > 0] = np.nan
    return found.astype(np.float64)


def _by_number(returns: Grid | Scenarios) -> Iterator[tuple[np.ndarray, Grid]]:
    """The rows that have the same number of scenarios, and enough of them: which, and their values, ascending."""
    known = np.isfinite(returns).sum(axis=1)
    ascending = np.sort(returns, axis=1)  # NaN last
    for number in np.unique(known[known >= LEAST_SCENARIOS]):
        where = np.flatnonzero(known == number)
        yield where, ascending[where, :number].astype(np.float64)


def _weighted(rows: Grid, share: Grid) -> Grid:
    """The weighted mean of the first values of each row; row by row the same, whatever the other rows."""
    found: Grid = np.add.accumulate(rows[:, : len(share)] * share, axis=1)[:, -1]
    return found
