"""Whether a forecast saw its future: made again from a panel that ends at its origin, or goes on as noise."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from market_pipeline.config.markets import Market
from market_pipeline.forecasts.replay import differing, made_again
from market_pipeline.models.features.samples import Panel
from market_pipeline.storage.artifacts import Parameters


def saw_their_future(
    stored: pa.Table, cut: Panel, wide: Panel, market: Market, parameters: Mapping[str, Parameters]
) -> int:
    """How many stored forecasts of an origin, the last session of `cut`, are not those that its past yields.

    `cut` is what the one reader gives up to the origin; where `wide` reaches further, noise takes the future's place.
    `stored` has the columns of replay.STORED, `parameters` are those of the origin's month.
    """
    origin = cut.history.sessions[-1].astype("datetime64[D]").item()
    panels = [cut]
    if len(wide.history.sessions) > len(cut.history.sessions):
        panels.append(wide.with_future_noise(np.datetime64(origin), seed=origin.toordinal()))
    return max(differing(stored, made_again(panel, market, origin, parameters)) for panel in panels)
