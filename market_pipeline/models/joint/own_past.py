"""What the past of the portfolios themselves forecasts: their returns over each horizon, at the weights of the origin.

No simulation and no correlation: the plainest forecast of a portfolio.
"""

from collections.abc import Sequence

import numpy as np

from market_pipeline.models.joint.estimates import Estimates
from market_pipeline.models.joint.held import Held
from market_pipeline.models.joint.levels import Scenarios
from market_pipeline.models.joint.portfolio_risk import (
    Forecasts,
    Positions,
    contributions,
    held_only,
    outlook,
    single_losses,
    single_shortfalls,
    usable,
)
from market_pipeline.storage.grids import Grid
from market_pipeline.storage.tables.portfolios import HISTORY


def of_own_past(estimates: Estimates, origins: Sequence[Held]) -> list[Forecasts]:
    """The forecasts at each origin of the month of `estimates`; weights that stay the same are computed once."""
    found = [Forecasts({}, {}) for _ in origins]
    place, rows = dict[bytes, int](), list[Grid]()
    for row in (row for held in origins for row in held.weights):
        if row.tobytes() not in place:
            place[row.tobytes()] = len(rows)
            rows.append(row)
    if not rows:
        return found
    mine = sorted({place[row.tobytes()] for held in origins for row in held.weights[: held.configured]})
    for horizon, symbols in estimates.past.items():
        returns = Positions(np.array(rows)).total(symbols)
        whole = outlook(returns, symbols.shape[1] / horizon)
        parts = _parts(np.array(rows)[mine], symbols, returns[mine]) if mine else []
        for held, forecasts in zip(origins, found, strict=True):
            if not held.names:
                continue
            places = [place[row.tobytes()] for row in held.weights]
            forecasts.outlooks[HISTORY, horizon] = whole.some(np.array(places))
            named = zip(held.names, places[: held.configured], strict=False)  # they are the first
            every = {(HISTORY, horizon, name): parts[mine.index(at)] for name, at in named}
            forecasts.parts.update(usable(forecasts.outlooks, every, held.names))
    return found


def _parts(weights: Grid, symbols: Scenarios, returns: Scenarios) -> Sequence[tuple[Grid, Grid]]:
    return held_only(
        weights, contributions(weights, symbols, returns), single_losses(weights, single_shortfalls(symbols))
    )
