"""B16: the models of one month of 60 stocks, trained from nothing as the monthly job does.

Pooled learners see the features of B5; those of single symbols need closes alone.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import scipy.stats  # noqa: F401  as sklearn and statsforecast, not within the seconds of either side
import sklearn.ensemble  # noqa: F401
import statsforecast.models  # noqa: F401
from generated import history_of, sixty
from stopwatch import Stopwatch
from walk_forward import ALL, FEATURES, SESSIONS, WINDOW, features_of, target_of

from market_pipeline.compute.threads import THREADS
from market_pipeline.models.features.panel import Panel
from market_pipeline.models.features.shared_results import SharedResults
from market_pipeline.models.forecasters.boosting import Boosting
from market_pipeline.models.forecasters.catalogue import BUILT_IN
from market_pipeline.models.forecasters.linear import Linear
from market_pipeline.models.forecasters.protocol import Forecaster
from market_pipeline.models.registry.training import Month, fit_months, pieces_of


def data(folder: Path, size: float) -> None:
    """Closes and the target of every stock, as the other side reads them; 100 sessions warm the volatility up."""
    history = history_of(sixty(size), SESSIONS)
    arrays = {"sessions": history.sessions[100:], "target": target_of(history)[:, 100:]}
    np.savez(folder / "month.npz", close=history.close, **arrays)


def pooled(folder: Path, size: float) -> dict[str, float]:
    """Boosting and the ridge regression, with the second fit by which their ranges are calibrated."""
    return _trained(size, (Boosting(window=WINDOW, at_most=ALL), Linear(window=WINDOW)))


def single(folder: Path, size: float) -> dict[str, float]:
    """GARCH, ETS and Theta, the last two also at the past origins that calibrate their ranges."""
    return _trained(size, [model for model in BUILT_IN if model.name in {"garch", "ets", "theta"}])


def _trained(size: float, models: Sequence[Forecaster]) -> dict[str, float]:
    history = history_of(sixty(size), SESSIONS)
    month = Month(history.sessions[-1].item(), history.sessions[-1].item())
    with Stopwatch() as watch:
        panel = Panel(history, features_of(target_of(history)), FEATURES, shared=SharedResults())
        for _ in THREADS.each(fit_months, panel, pieces_of(models, [month])):
            pass
    return {"seconds": watch.seconds}
