"""B1: Prophet at every origin of a walk-forward; ours, and the package in a loop on all cores."""

import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
from generated import history_of, market_of, some
from stopwatch import Stopwatch

ORIGINS, BARS, SAMPLE = 60, 750, 8


def ours(folder: Path, size: float) -> dict[str, float]:
    """Every symbol's range at 60 origins in a row, each from the 750 bars before it."""
    from market_pipeline.models.calibration.distribution import FINE_LEVELS
    from market_pipeline.models.features.panel import Panel
    from market_pipeline.models.forecasters.prophet import PROPHET
    from market_pipeline.models.forecasters.protocol import Origins
    from market_pipeline.storage.tables.forecasts import HORIZONS

    history, market = history_of(some(size), BARS + ORIGINS + 10), market_of(some(size))
    position = np.arange(BARS, BARS + ORIGINS)
    targets = {horizon: market.session_after(history.sessions[position], horizon) for horizon in HORIZONS}
    panel = Panel(history, np.empty((0, *history.close.shape), np.float32), ())
    # Only the width of its ranges is learned monthly: what it is does not change the work at an origin.
    learned = {f"residuals_{horizon}": np.linspace(-1, 1, len(FINE_LEVELS)) for horizon in HORIZONS}
    with Stopwatch() as watch:
        forecasts = PROPHET.forecast(learned, panel, Origins(position, targets))
    if not np.isfinite(forecasts[1].mean).all():
        raise AssertionError("some origin has no forecast")
    return {"seconds": watch.seconds}


def package(folder: Path, size: float) -> dict[str, float]:
    """Eight fits and forecasts on all cores, scaled to the whole walk-forward."""
    from joblib import Parallel, delayed

    history = history_of(SAMPLE, BARS + ORIGINS)
    with Parallel(n_jobs=-1) as pool:
        pool(delayed(one_fit)(history.sessions[:BARS], history.close[row, :BARS]) for row in range(2))
        began = time.perf_counter()
        pool(
            delayed(one_fit)(history.sessions[1 : BARS + 1], history.close[row, 1 : BARS + 1]) for row in range(SAMPLE)
        )
        seconds = time.perf_counter() - began
    return {"seconds": seconds * some(size) * ORIGINS / SAMPLE}


def one_fit(sessions: np.ndarray, close: np.ndarray) -> Any:
    import pandas as pd
    from prophet import Prophet

    logging.getLogger("cmdstanpy").setLevel(logging.CRITICAL)
    frame = pd.DataFrame({"ds": sessions.astype("datetime64[s]"), "y": np.log(close)})
    model = Prophet(uncertainty_samples=400).fit(frame)
    return model.predict(pd.DataFrame({"ds": frame["ds"].iloc[-1] + pd.to_timedelta([1, 7, 28], "D")}))
