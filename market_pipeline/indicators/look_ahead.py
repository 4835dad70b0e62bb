"""Whether an indicator depends on its future: computed again from bars that end at a session, or go on as noise."""

import numpy as np

from market_pipeline.indicators.compute import compute_indicators
from market_pipeline.prices.history import History
from market_pipeline.storage.grids import Grid


def saw_their_future(stored: dict[str, Grid], cut: History, wide: History) -> list[str]:
    """The indicators whose stored values (symbols,) at the last session of `cut` differ from those of its past alone.

    `cut` is the history up to that session as it is read; `wide` goes further, and there noise replaces the future.
    Compared bit by bit, NaN equal to NaN.
    """
    session, place = cut.sessions[-1], len(cut.sessions) - 1
    ended = compute_indicators(cut)
    noisy = compute_indicators(wide.with_future_noise(session, seed=place))
    return [
        name
        for name, values in stored.items()
        if not all(np.array_equal(values, grids[name][:, place], equal_nan=True) for grids in (ended, noisy))
    ]
