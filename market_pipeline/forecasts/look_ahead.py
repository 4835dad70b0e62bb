"""Whether a forecast used its future: issued again from a panel that ends at its origin, or with future noise."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from market_pipeline.config.markets import Market
from market_pipeline.forecasts.portfolio_replay import Tables, differing_portfolios, portfolios_again
from market_pipeline.forecasts.replay import differing, issued_again, rows_of, without
from market_pipeline.models.features.panel import Panel
from market_pipeline.storage.artifacts import Parameters

NONE = pa.table({name: pa.array([], pa.string()) for name in ("symbol", "horizon", "model")})

NO_PORTFOLIOS: Tables = {}


def saw_their_future(
    stored: pa.Table,
    cut: Panel,
    wide: Panel,
    market: Market,
    parameters: Mapping[str, Parameters],
    others: pa.Table = NONE,
    portfolios: Tables = NO_PORTFOLIOS,
) -> int:
    """How many stored forecasts of an origin, the last session of `cut`, differ from those issued without its future.

    `cut` ends at the origin. `wide` may reach further; its future is replaced by noise. `stored` and `others` are as
    from replay.stored_rows, `portfolios` from stored_portfolios, `parameters` are those of the origin's month.
    """
    origin = cut.history.sessions[-1].astype("datetime64[D]").item()
    panels = [cut]
    if len(wide.history.sessions) > len(cut.history.sessions):
        panels.append(wide.with_future_noise(np.datetime64(origin), seed=origin.toordinal()))
    differ = []
    for panel in panels:
        issued = issued_again(panel, market, origin, parameters)
        count = differing(stored, without(rows_of(issued), others))
        if portfolios:
            again = portfolios_again(portfolios, panel.history, market, origin, issued.distributions)
            count += differing_portfolios(portfolios, again)
        differ.append(count)
    return max(differ)
