"""B16: the same learners on the same windows, fitted once by mlforecast and by statsforecast."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
from stopwatch import Stopwatch

os.environ["OMP_NUM_THREADS"] = str(os.cpu_count())

WINDOW, LONGEST, BARS, RETURNS = 750, 60, 250, 1000


def ml_forecast(folder: Path, size: float) -> dict[str, float]:
    """Trees and a ridge regression for horizons of 1, 5 and 20 sessions, without calibrated ranges."""
    from mlforecast import MLForecast
    from mlforecast.lag_transforms import RollingMean, RollingStd
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import Ridge

    with np.load(folder / "month.npz") as stored:
        target = stored["target"].astype(np.float32)[:, -WINDOW - LONGEST :]
    trees = HistGradientBoostingRegressor(
        learning_rate=0.05, max_iter=80, max_leaf_nodes=8, min_samples_leaf=max(20, len(target) * WINDOW // 100),
        l2_regularization=1.0, early_stopping=False, random_state=0,
    )  # fmt: skip
    ridge = Ridge(alpha=0.1 * target.size, solver="cholesky")
    rolling = [RollingMean(5), RollingMean(20), RollingMean(60), RollingStd(20), RollingStd(60)]
    with Stopwatch() as watch:
        model = MLForecast(
            {"trees": trees, "ridge": ridge}, freq=1, lags=[1, 2, 3, 4, 5], lag_transforms={1: rolling}, num_threads=2
        )
        model.fit(_long(target), horizons=[1, 5, 20], static_features=[])
    return {"seconds": watch.seconds}


def stats_forecast(folder: Path, size: float) -> dict[str, float]:
    """Exponential smoothing, Theta and GARCH(1, 1) of each stock on all cores, fitted at the last origin alone."""
    from statsforecast import StatsForecast
    from statsforecast.models import GARCH, AutoETS, Theta

    with np.load(folder / "month.npz") as stored:
        close = np.log(stored["close"])
    levels, returns = _long(close[:, -BARS:]), _long(np.diff(close)[:, -RETURNS:] * 100)
    with Stopwatch() as watch:
        smoothing = [AutoETS(season_length=1, model="AZN"), Theta(season_length=1)]
        StatsForecast(models=smoothing, freq=1, n_jobs=-1).fit(levels)
        StatsForecast(models=[GARCH(1, 1)], freq=1, n_jobs=-1).fit(returns)
    return {"seconds": watch.seconds}


def _long(values: np.ndarray) -> pd.DataFrame:
    count, length = values.shape
    names, days = np.repeat(np.arange(count), length), np.tile(np.arange(length), count)
    return pd.DataFrame({"unique_id": names, "ds": days, "y": values.ravel()})
