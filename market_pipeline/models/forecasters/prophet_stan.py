"""Prophet by the prophet package, one series at a time: slow, with every setting that the package has."""

import logging
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from market_pipeline.storage.grids import Days, Grid

DRAWING = threading.Lock()
"""The package draws from numpy's global generator, and months are trained in parallel threads."""


def forecast_by_stan(
    options: Mapping[str, Any], sessions: Days, level: Grid, targets: Days, *, draws: int, seed: int
) -> tuple[Grid, Grid]:
    """The level at each target (targets,), and half the width of its 80 % range from simulated paths.

    `options` are the package's settings by its own names; with logistic growth, `cap` is the level at which it ends.
    """
    import pandas as pd

    logging.getLogger("prophet").setLevel(logging.WARNING)
    logging.getLogger("prophet.plot").setLevel(logging.CRITICAL)  # no plots are made here
    logging.getLogger("cmdstanpy").disabled = True
    import prophet

    settings = {"daily_seasonality": False} | {name: value for name, value in options.items() if name != "cap"}
    ceiling = {"cap": options["cap"]} if "cap" in options else {}
    model = prophet.Prophet(**settings, interval_width=0.8, uncertainty_samples=draws)
    model.fit(pd.DataFrame({"ds": pd.to_datetime(sessions), "y": level, **ceiling}), seed=seed)
    with DRAWING:
        before = np.random.get_state()  # noqa: NPY002  the package draws from the global generator
        np.random.seed(seed)  # noqa: NPY002  as above
        try:
            # Its vectorised path assumes evenly spaced targets, which sessions are not.
            found = model.predict(pd.DataFrame({"ds": pd.to_datetime(targets), **ceiling}), vectorized=False)
        finally:
            np.random.set_state(before)  # noqa: NPY002  as above
    mean, low, high = (found[column].to_numpy(np.float64) for column in ("yhat", "yhat_lower", "yhat_upper"))
    return mean, (high - low) / 2
