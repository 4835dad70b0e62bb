"""Seeded draws of all symbols together: in which order of its own outcomes each symbol's scenarios come.

A Student-t copula: only the order of draws is used, so the margins are whatever the caller puts in. Knows correlations
and a day; no return, no portfolio.
"""

import numpy as np
import numpy.typing as npt

from market_pipeline.models.joint.correlations import Dependence
from market_pipeline.models.joint.portfolio_risk import Scenarios

DRAWS = 999
"""Scenarios: the k-th of a symbol, in ascending order, has the level k / 1000, so all published levels are met."""

POSITIONS = 1024
"""The power of two above DRAWS."""

DEGREES = 8
"""Degrees of freedom of the copula: in a bad session, symbols that are little related fall together."""


class Shocks:
    """The independent draws of a day, which all joint models share: a difference between models is not luck.

    Half of them are drawn, the others are their mirror images, as likely in a market without direction.
    """

    def __init__(self, day: np.datetime64, symbols: int) -> None:
        """`symbols` are those of the cross-section, in order of their names."""
        seed = np.random.SeedSequence([int(day.astype("datetime64[D]").astype(np.int64)), 20190331])
        draw = np.random.Generator(np.random.PCG64(seed))
        half = (DRAWS + 1) // 2
        self._common = draw.standard_normal((symbols, half), np.float32)
        self._own = draw.standard_normal((symbols, half), np.float32)
        self._stretch = np.sqrt(DEGREES / draw.chisquare(DEGREES, half)).astype(np.float32)

    def orders(self, dependence: Dependence) -> np.ndarray:
        """For each symbol the scenario of its lowest value, of its second, and so on; (symbols, DRAWS)."""
        loadings = dependence.loadings.astype(np.float32)
        values = loadings @ self._common[: loadings.shape[1]]
        if dependence.specific is not None:
            values += dependence.specific.astype(np.float32)[:, None] * self._own
        values *= self._stretch
        return order_of(np.concatenate([values, -values], axis=1)[:, :DRAWS])


def order_of(values: npt.NDArray[np.float32]) -> np.ndarray:
    """The positions of each row's values in ascending order; (rows, up to 1024), equal ones from the left.

    Values that agree in 14 binary digits count as equal: with the position in the last ten, whole numbers are sorted,
    which is five times as fast as finding the order of values.
    """
    bits = values.view(np.int32)
    ascending = bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))  # whole numbers in the order of the values
    keys = (ascending & ~np.int32(POSITIONS - 1)) | np.arange(values.shape[1], dtype=np.int32)
    return np.sort(keys, axis=1) & np.int32(POSITIONS - 1)


def scenarios(order: np.ndarray, ascending: Scenarios) -> Scenarios:
    """The values of each symbol in each scenario, from those in ascending order; all (symbols, DRAWS)."""
    found = np.empty(ascending.size, np.float32)
    found[(order + np.arange(0, order.size, order.shape[1])[:, None]).reshape(-1)] = ascending.reshape(-1)
    return found.reshape(ascending.shape)
