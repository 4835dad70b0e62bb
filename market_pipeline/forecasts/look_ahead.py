"""Whether a forecast used its future: issued again from a panel that ends at its origin, or with future noise."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from market_pipeline.config.markets import Market
from market_pipeline.forecasts.replay import differing, reissued, without
from market_pipeline.models.features.panel import Panel
from market_pipeline.storage.artifacts import Parameters

NONE = pa.table({name: pa.array([], pa.string()) for name in ("symbol", "horizon", "model")})


def saw_their_future(
    stored: pa.Table,
    cut: Panel,
    wide: Panel,
    market: Market,
    parameters: Mapping[str, Parameters],
    others: pa.Table = NONE,
) -> int:
    """How many stored forecasts of an origin, the last session of `cut`, differ from those issued without its future.

    `cut` ends at the origin. `wide` may reach further; its future is replaced by noise. `stored` and `others` are as
    from replay.stored_rows, `parameters` are those of the origin's month.
    """
    origin = cut.history.sessions[-1].astype("datetime64[D]").item()
    panels = [cut]
    if len(wide.history.sessions) > len(cut.history.sessions):
        panels.append(wide.with_future_noise(np.datetime64(origin), seed=origin.toordinal()))
    return max(differing(stored, without(reissued(panel, market, origin, parameters), others)) for panel in panels)
