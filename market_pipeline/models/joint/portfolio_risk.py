"""What a portfolio may gain and lose over a horizon, from scenarios of its symbols.

All returns are simple, as a share of the capital that the weights refer to: simple returns of symbols add up to those
of the portfolio, at any weights, and they scale with them. Losses are negative. Knows arrays; no model, no market.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from market_pipeline.models.calibration.tails import FEWEST
from market_pipeline.models.joint.levels import Scenarios, chance_above_zero, quantiles_at, tail_weights
from market_pipeline.storage.grids import Grid
from market_pipeline.storage.tables.forecasts import LEVELS, TAIL_LEVELS

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Singles: TypeAlias = tuple[Grid, Grid]
"""The shortfall of one unit of each symbol, and of one unit short; (symbols,)."""

BLOCK = 16
"""Portfolios of many symbols that are computed together."""

FEW = 64
"""Symbols in a portfolio up to which summing them one by one is faster."""

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

    def some(self, rows: np.ndarray) -> "Outlook":
        """Those of some portfolios, by position."""
        return Outlook(self.mean[rows], self.quantiles[rows], self.p_up[rows], self.var[rows], self.es[rows])


Parts: TypeAlias = dict[tuple[str, int, str], tuple[Grid, Grid]]
"""By model, horizon and configured portfolio: contributions and single shortfalls, in the order of its symbols."""


class Forecasts(NamedTuple):
    """Of portfolios at one origin."""

    outlooks: dict[tuple[str, int], Outlook]
    """By model and horizon."""
    parts: Parts


def outlook(returns: Scenarios, errors: float | Grid = np.inf) -> Outlook:
    """The numbers of portfolios from their returns (portfolios, scenarios), NaN for a scenario they do not have.

    A level of which fewer than FEWEST of the `errors` behind the scenarios (of all, or of each portfolio) are expected
    beyond has no value at risk and no shortfall, as for single symbols.
    """
    count = len(returns)
    found = Outlook(*(np.full((count, *shape), np.nan) for shape in ((), (len(LEVELS),), (), (3,), (3,))))
    for where, rows in _by_number(returns):
        found.mean[where] = rows.sum(axis=1) / rows.shape[1]
        found.quantiles[where] = quantiles_at(rows, np.array(LEVELS))
        found.p_up[where] = chance_above_zero(rows)
        found.var[where] = quantiles_at(rows, np.array(TAIL_LEVELS))
        for place, level in enumerate(TAIL_LEVELS):
            found.es[where, place] = _weighted(rows, tail_weights(rows.shape[1], level))
    refused = np.less(np.outer(np.broadcast_to(errors, count) + 1, TAIL_LEVELS), FEWEST)
    found.var[refused], found.es[refused] = np.nan, np.nan
    return found


def contributions(weights: Grid, symbols: Scenarios, returns: Scenarios) -> Grid:
    """The part of each symbol in a portfolio's shortfall at PARTS_AT; NaN with too few scenarios.

    `weights` and the result are (portfolios, symbols), `symbols` (symbols, scenarios), `returns` (portfolios,
    scenarios). The part is the mean of weight x return in the scenarios of the shortfall (Tasche 1999, "Risk
    contributions and performance measurement"), so the parts sum to the whole.
    """
    shares, few = _shares(returns), np.count_nonzero(weights, axis=1) <= FEW
    means = np.zeros(weights.shape)
    for row in np.flatnonzero(few).tolist():
        held, worst = np.flatnonzero(weights[row]), np.flatnonzero(shares[row])
        means[row, held] = np.einsum("sk,k->s", symbols[held[:, None], worst], shares[row, worst])
    means[~few] = _in_blocks(shares[~few], symbols.T)
    parts = np.where(weights != 0, weights * means, 0.0)
    return np.where(np.isnan(shares[:, :1]), np.nan, parts)


def _shares(returns: Scenarios) -> Scenarios:
    """The weight of each scenario in the shortfall at PARTS_AT, in the shape of `returns`; NaN with too few."""
    found = np.zeros_like(returns)
    known = np.isfinite(returns).sum(axis=1)
    found[known < LEAST_SCENARIOS] = np.nan
    for number in np.unique(known[known >= LEAST_SCENARIOS]).tolist():
        share = tail_weights(number, PARTS_AT)
        where = np.flatnonzero(known == number)[:, None]
        rows = returns[where[:, 0]]
        worst = np.sort(np.argpartition(rows, len(share) - 1, axis=1)[:, : len(share)], axis=1)
        order = np.argsort(np.take_along_axis(rows, worst, axis=1), axis=1, kind="stable")
        found[where, np.take_along_axis(worst, order, axis=1)] = share
    return found


def single_shortfalls(symbols: Scenarios) -> Singles:
    """The shortfall at PARTS_AT of one unit of each symbol, and of one unit short; (symbols,), NaN with too few."""
    long, short = np.full(len(symbols), np.nan), np.full(len(symbols), np.nan)
    for where, rows in _by_number(symbols):
        long[where], short[where] = shortfalls_of_ascending(rows)
    return long, short


def shortfalls_of_ascending(rows: Scenarios) -> Singles:
    """The same for scenarios (symbols, count) that ascend, none missing."""
    share = tail_weights(rows.shape[1], PARTS_AT)
    low, high = rows[:, : len(share)], rows[:, : -len(share) - 1 : -1]
    return _weighted(low, share), _weighted(-high, share)


def single_losses(weights: Grid, singles: Singles) -> Grid:
    """The shortfall of each position alone; (portfolios, symbols) as `weights`."""
    losses: Grid = np.where(weights > 0, *singles) * np.abs(weights)
    return losses


def usable(outlooks: Mapping[tuple[str, int], Outlook], parts: Parts, names: Sequence[str]) -> Parts:
    """The parts of portfolios that have a shortfall; `names` are in the order of the outlooks."""
    place = {name: at for at, name in enumerate(names)}
    return {key: one for key, one in parts.items() if np.isfinite(outlooks[key[:2]].es[place[key[2]], PARTS])}


def held_only(weights: Grid, added: Grid, single: Grid) -> list[tuple[Grid, Grid]]:
    """Of each portfolio, both values of the symbols that it holds; all (portfolios, symbols)."""
    held = [np.flatnonzero(row) for row in weights]
    return [(more[some], alone[some]) for some, more, alone in zip(held, added, single, strict=True)]


@dataclass(frozen=True)
class Positions:
    """The weights (portfolios, symbols) of some portfolios, as they are multiplied with scenarios again and again.

    No portfolio depends on others: one of few symbols is summed symbol by symbol, and the others are multiplied in
    blocks of one size, because in a product of another size the last digits may differ.
    """

    weights: Grid

    @cached_property
    def _few(self) -> np.ndarray:
        few: np.ndarray = np.count_nonzero(self.weights, axis=1) <= FEW
        return few

    @cached_property
    def _one_by_one(self) -> "csr_array":
        from scipy.sparse import csr_array

        return csr_array(self.weights[self._few].astype(np.float32))

    @cached_property
    def _in_blocks(self) -> Scenarios:
        exact: Scenarios = self.weights[~self._few].astype(np.float32)
        return exact

    def total(self, symbols: Scenarios) -> Scenarios:
        """The returns (portfolios, scenarios) from those of `symbols`; NaN where a symbol that is held has none."""
        found = np.empty((len(self.weights), symbols.shape[1]), np.float32)
        found[self._few] = self._one_by_one @ symbols
        found[~self._few] = _in_blocks(self._in_blocks, symbols)
        return found


def _in_blocks(rows: Scenarios, columns: Scenarios) -> Scenarios:
    """The product of both, BLOCK rows at a time."""
    found = np.empty((len(rows), columns.shape[1]), np.float32)
    for first in range(0, len(rows), BLOCK):
        some = rows[first : first + BLOCK]
        block = np.zeros((BLOCK, rows.shape[1]), np.float32)
        block[: len(some)] = some
        found[first : first + BLOCK] = _product(block, columns)[: len(some)]
    return found


def _product(block: Scenarios, columns: Scenarios) -> Scenarios:
    """NaN where a value is missing whose weight is not 0."""
    found: Scenarios = block @ columns
    if np.isnan(found).any():
        missing = np.isnan(columns)
        found = block @ np.where(missing, np.float32(0), columns)
        without = np.flatnonzero(missing.any(axis=1))
        found[(block[:, without] != 0).astype(np.float32) @ missing[without].astype(np.float32) > 0] = np.nan
    return found


def _by_number(returns: Scenarios) -> Iterator[tuple[np.ndarray, Scenarios]]:
    """The rows that have the same number of scenarios, and enough of them: which, and their values, ascending."""
    known = np.isfinite(returns).sum(axis=1)
    ascending = np.sort(returns, axis=1)  # NaN last
    for number in np.unique(known[known >= LEAST_SCENARIOS]):
        where = np.flatnonzero(known == number)
        yield where, ascending[where, :number]


def _weighted(rows: Scenarios, share: Grid) -> Grid:
    """The weighted mean of the first values of each row; row by row the same, whatever the other rows."""
    found: Grid = np.add.accumulate(rows[:, : len(share)] * share, axis=1)[:, -1]
    return found
