"""B5: the same walk-forward by mlforecast's cross_validation, with scikit-learn's learner on both sides."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
from stopwatch import Stopwatch

# Its fits follow each other, so their threads are all that can use a second core.
os.environ["OMP_NUM_THREADS"] = str(os.cpu_count())

WINDOW, LONGEST, MONTHS, MONTH = 750, 60, 6, 21


def cross_validation(folder: Path, size: float) -> dict[str, float]:
    """Fits on 750 whole rows of each symbol; fails when it expects something else than ours one session ahead."""
    from mlforecast import MLForecast
    from mlforecast.lag_transforms import RollingMean, RollingStd
    from sklearn.ensemble import HistGradientBoostingRegressor

    with np.load(folder / "walk.npz") as stored:
        sessions, target = stored["sessions"], stored["target"].astype(np.float32)
    count = len(target)
    long = pd.DataFrame(
        {
            "unique_id": np.repeat(np.arange(count), len(sessions)),
            "ds": np.tile(np.arange(len(sessions)), count),
            "y": target.ravel(),
        }
    )
    trees = HistGradientBoostingRegressor(
        learning_rate=0.05, max_iter=80, max_leaf_nodes=8, min_samples_leaf=max(20, count * WINDOW // 100),
        l2_regularization=1.0, early_stopping=False, random_state=0,
    )  # fmt: skip
    rolling = [RollingMean(5), RollingMean(20), RollingMean(60), RollingStd(20), RollingStd(60)]
    with Stopwatch() as watch:
        model = MLForecast({"trees": trees}, freq=1, lags=[1, 2, 3, 4, 5], lag_transforms={1: rolling}, num_threads=2)
        forecasts = model.cross_validation(
            long,
            n_windows=MONTHS,
            h=20,
            step_size=MONTH,
            refit=True,
            horizons=[1, 5, 20],
            input_size=WINDOW + LONGEST,
            static_features=[],
        )
    compare(folder, forecasts)
    return {"seconds": watch.seconds}


def compare(folder: Path, forecasts: pd.DataFrame) -> None:
    """The expectations one session ahead are ours but for what 32 bits lose at the borders of bins."""
    first = forecasts[forecasts["ds"] == forecasts["cutoff"] + 1]
    theirs = first.pivot(index="unique_id", columns="cutoff", values="trees").to_numpy()
    with np.load(folder / "walked.npz") as stored:
        mine = stored["expected"]
    together = np.corrcoef(mine.ravel(), theirs.ravel())[0, 1]
    if mine.shape != theirs.shape or not together > 0.99:
        raise AssertionError(f"the two expect different returns: correlation {together:.4f}")
