"""Whether a forecast used its future: issued again from a panel that ends at its origin, or with future noise."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from market_pipeline.config.markets import Market
from market_pipeline.forecasts.replay import differing, reissued
from market_pipeline.models.features.panel import Panel
from market_pipeline.storage.artifacts import Parameters


def saw_their_future(
    stored: pa.Table, cut: Panel, wide: Panel, market: Market, parameters: Mapping[str, Parameters]
) -> int:
    """How many stored forecasts of an origin, the last session of `cut`, differ from those issued without its future.

    `cut` ends at the origin. `wide` may reach further; its future is replaced by noise. `stored` has the columns of
    replay.STORED, `parameters` are those of the origin's month.
    """
    origin = cut.history.sessions[-1].astype("datetime64[D]").item()
    panels = [cut]
    if len(wide.history.sessions) > len(cut.history.sessions):
        panels.append(wide.with_future_noise(np.datetime64(origin), seed=origin.toordinal()))
    return max(differing(stored, reissued(panel, market, origin, parameters)) for panel in panels)
