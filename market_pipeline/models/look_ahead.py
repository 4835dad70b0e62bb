"""Whether a fit used anything after its cutoff: it is repeated on a panel whose future was noise before it was cut."""

import numpy as np
from threadpoolctl import threadpool_limits

from market_pipeline.config.markets import Market
from market_pipeline.models.features.panel import Panel
from market_pipeline.models.forecasters.protocol import Forecaster, Origins
from market_pipeline.storage.artifacts import Parameters
from market_pipeline.storage.tables.forecasts import HORIZONS

COMPARED = 5
"""Origins at which the forecasts of the two fits are compared: the last sessions of the training itself."""


def saw_its_future(
    forecaster: Forecaster, stored: Parameters, wide: Panel, cutoff: np.datetime64, market: Market
) -> bool:
    """Whether forecasts from the `stored` fit differ in any bit from those of a fit on the sessions up to `cutoff`.

    `wide` may reach beyond the cutoff.
    """
    past = wide.with_future_noise(cutoff, seed=int(cutoff.astype("datetime64[D]").astype(np.int64))).until(cutoff)
    with threadpool_limits(1):  # as in training
        again = forecaster.fit(past)
    position = np.arange(max(0, len(past.history.sessions) - COMPARED), len(past.history.sessions))
    days = past.history.sessions[position]
    origins = Origins(position, {horizon: market.session_after(days, horizon) for horizon in HORIZONS})
    one, other = (forecaster.forecast(learned, past, origins) for learned in (stored, again))
    return not all(
        np.array_equal(getattr(one[horizon], part), getattr(other[horizon], part), equal_nan=True)
        for horizon in HORIZONS
        for part in ("mean", "quantiles", "p_up")
    )
