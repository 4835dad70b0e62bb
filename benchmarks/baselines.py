"""B6: what the pipeline forecasts beside every model, for a month of origins of many symbols."""

from pathlib import Path

import numpy as np
import scipy.optimize  # noqa: F401  every run has loaded it; B8 counts the time of all that a process loads
from generated import TEN_YEARS, history_of, many, market_of
from stopwatch import Stopwatch

ORIGINS = 21


def ours(folder: Path, size: float) -> dict[str, float]:
    """Random walk, EWMA and drift: fitted once, forecast at each origin and horizon."""
    from market_pipeline.models.features.panel import Panel
    from market_pipeline.models.forecasters.drift import DRIFT
    from market_pipeline.models.forecasters.protocol import Origins
    from market_pipeline.models.forecasters.random_walk import EWMA, RANDOM_WALK
    from market_pipeline.storage.tables.forecasts import HORIZONS

    history, market = history_of(many(size), TEN_YEARS), market_of(many(size))
    panel = Panel(history, np.empty((0, *history.close.shape), np.float32), ())
    position = np.arange(TEN_YEARS - ORIGINS, TEN_YEARS)
    targets = {horizon: market.session_after(history.sessions[position], horizon) for horizon in HORIZONS}
    with Stopwatch() as watch:
        past = panel.until(history.sessions[TEN_YEARS - ORIGINS - 1])
        for model in (RANDOM_WALK, EWMA, DRIFT):
            model.forecast(model.fit(past), panel, Origins(position, targets))
    return {"seconds": watch.seconds}
