"""Whether an indicator saw its future: computed again from bars that end at a session, or go on as noise."""

import numpy as np

from market_pipeline.indicators.compute import compute_indicators
from market_pipeline.panel import Grid
from market_pipeline.prices.history import History


def saw_their_future(stored: dict[str, Grid], history: History, place: int) -> list[str]:
    """The indicators whose stored values (symbols,) at the session at `place` are not those that its past yields.

    `history` may reach further. Compared bit by bit, NaN being equal to NaN.
    """
    session = history.sessions[place]
    cut = compute_indicators(history.until(session.astype("datetime64[D]").item()))
    garbled = compute_indicators(history.garbled(session, seed=place))
    return [
        name
        for name, values in stored.items()
        if not all(np.array_equal(values, grids[name][:, place], equal_nan=True) for grids in (cut, garbled))
    ]
