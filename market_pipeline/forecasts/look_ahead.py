"""Whether a forecast saw its future: made again from a panel that ends at its origin, or goes on as noise."""

import datetime as dt
from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from market_pipeline.forecasts.replay import differing, made_again
from market_pipeline.markets import Market
from market_pipeline.models.protocol import Parameters
from market_pipeline.models.samples import Panel


def saw_their_future(
    stored: pa.Table, known: Panel, market: Market, origin: dt.date, parameters: Mapping[str, Parameters]
) -> int:
    """How many stored forecasts of an origin are not those that its past yields; `known` may reach further.

    `stored` has the columns of replay.STORED, `parameters` are those of the origin's month.
    """
    session = np.datetime64(origin)
    panels = (known.until(session), known.garbled(session, seed=origin.toordinal()))
    return max(differing(stored, made_again(panel, market, origin, parameters)) for panel in panels)
