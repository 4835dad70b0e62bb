"""Returns as people read them: tables hold log returns, and only simple returns may have a per cent sign."""

from typing import overload

import numpy as np

from market_pipeline.storage.grids import Grid


@overload
def simple_returns(log_returns: float) -> float: ...
@overload
def simple_returns(log_returns: Grid) -> Grid: ...
def simple_returns(log_returns: float | Grid) -> float | Grid:
    """The change of a price as a share of it, from the change of its logarithm; NaN where that is NaN.

    >>> round(simple_returns(-0.37), 3), round(simple_returns(0.37), 3)
    (-0.309, 0.448)
    """
    changes: Grid = np.expm1(log_returns)
    return changes
