"""Whether a model's training saw its future: fitted again on a panel whose future was noise before it was cut off."""

import numpy as np
from threadpoolctl import threadpool_limits

from market_pipeline.config.markets import Market
from market_pipeline.models.features.samples import Panel
from market_pipeline.models.forecasters.protocol import Forecaster, Origins
from market_pipeline.storage.artifacts import Parameters
from market_pipeline.storage.tables.forecasts import HORIZONS

COMPARED = 5
"""Origins at whose forecasts the two fits are held against each other."""


def saw_its_future(
    forecaster: Forecaster, stored: Parameters, wide: Panel, cutoff: np.datetime64, market: Market
) -> bool:
    """Whether what was learned forecasts otherwise than what the sessions up to `cutoff` yield, in any bit.

    `wide` may reach further. Held against each other at the last sessions of the training itself.
    """
    past = wide.with_future_noise(cutoff, seed=int(cutoff.astype("datetime64[D]").astype(np.int64))).until(cutoff)
    with threadpool_limits(1):  # as training does
        again = forecaster.fit(past)
    position = np.arange(max(0, len(past.history.sessions) - COMPARED), len(past.history.sessions))
    days = past.history.sessions[position]
    asked = Origins(position, {horizon: market.session_after(days, horizon) for horizon in HORIZONS})
    one, other = (forecaster.forecast(learned, past, asked) for learned in (stored, again))
    return not all(
        np.array_equal(getattr(one[horizon], part), getattr(other[horizon], part), equal_nan=True)
        for horizon in HORIZONS
        for part in ("mean", "quantiles", "p_up")
    )
