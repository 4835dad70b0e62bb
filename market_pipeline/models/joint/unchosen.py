"""Portfolios that nobody chose, to judge joint models on: made from the names of the symbols with fixed seeds.

A symbol's numbers depend on its name alone, so another symbol in the market moves a portfolio as little as possible.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from market_pipeline.config.portfolios import RESERVED
from market_pipeline.storage.grids import Grid

COUNT = 20
"""Random portfolios of each kind."""

SIZE = 10
"""Symbols in a random portfolio, or all of a smaller market."""

WIDEST = 30
"""Symbols in a portfolio of least variance: few beside the sessions that its correlations come from."""

LEAST_SYMBOLS = 5
"""Symbols that a market needs for these portfolios."""

EQUAL = f"{RESERVED}equal"
LONG = tuple(f"{RESERVED}long_{number:02d}" for number in range(1, COUNT + 1))
LONG_SHORT = tuple(f"{RESERVED}long_short_{number:02d}" for number in range(1, COUNT + 1))
MINIMUM_VARIANCE = f"{RESERVED}minimum_variance_"
"""Followed by the joint model whose correlations made it."""

RIDGE = 1e-4
"""Added to the diagonal of correlations, so that symbols that are nearly equal have a portfolio of least variance."""


@dataclass(frozen=True)
class Chances:
    """Three numbers of each symbol, uniform in 0 to 1, for each random portfolio: (portfolios, symbols, 3)."""

    numbers: Grid

    @classmethod
    def of(cls, symbols: Sequence[str]) -> "Chances":
        """From the names of the portfolios and of the symbols."""
        names = (*LONG, *LONG_SHORT, MINIMUM_VARIANCE)
        digests = b"".join(
            blake2b(f"{name}\0{symbol}".encode(), digest_size=12).digest() for name in names for symbol in symbols
        )
        numbers = np.frombuffer(digests, "<u4").reshape(len(names), len(symbols), 3)
        return cls((numbers + 0.5) / 2**32)

    def some(self, places: np.ndarray) -> "Chances":
        """Those of some symbols, by position."""
        return Chances(self.numbers[:, places])


def fixed_weights(chances: Chances) -> Mapping[str, Grid]:
    """Equal and random weights (symbols,) of the symbols of `chances`, by portfolio; sizes sum to 1.

    Random weights are uniform over all that sum to 1 (a flat Dirichlet distribution); each is short with a chance of
    one half where shorts are allowed.
    """
    count = chances.numbers.shape[1]
    if count < LEAST_SYMBOLS:
        return {}
    found = {EQUAL: np.full(count, 1 / count)}
    for name, (choice, size, sign) in zip((*LONG, *LONG_SHORT), chances.numbers.transpose(0, 2, 1), strict=False):
        chosen = np.argsort(choice, kind="stable")[:SIZE]
        amounts = -np.log(size[chosen])
        signs = np.where((sign[chosen] < 0.5) & (name in LONG_SHORT), -1.0, 1.0)
        found[name] = np.zeros(count)
        found[name][chosen] = signs * amounts / amounts.sum()
    return found


def widest(chances: Chances) -> np.ndarray:
    """The symbols, by position, of the portfolios of least variance."""
    return np.sort(np.argsort(chances.numbers[-1, :, 0], kind="stable")[:WIDEST])


def minimum_variance(correlation: Grid, volatility: Grid) -> Grid:
    """The weights (symbols,), long and short, with the least variance among those that sum to 1 (Markowitz 1952)."""
    regular = correlation + RIDGE * np.eye(len(correlation))
    amounts = np.linalg.solve(regular, 1 / volatility) / volatility
    weights: Grid = amounts / amounts.sum()
    return weights
