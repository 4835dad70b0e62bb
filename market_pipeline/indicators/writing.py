"""The indicators of a range, from stored bars to stored rows, in bounded memory."""

import datetime as dt

from market_pipeline.indicators.compute import compute_indicators
from market_pipeline.markets import Market
from market_pipeline.panel import to_rows
from market_pipeline.prices.history import read_history
from market_pipeline.warehouse import Warehouse


def write_indicators(warehouse: Warehouse, market: Market, first: dt.date, last: dt.date) -> int:
    """Replace the indicators of the sessions from `first` to `last`, from all bars up to each; rows written."""
    history = read_history(warehouse, market, last)
    grids = compute_indicators(history)
    asked = history.sessions >= market.sessions_between(first, last)[0]
    rows = to_rows(
        market.symbols,
        history.sessions[asked],
        {name: grid[:, asked] for name, grid in grids.items()},
        history.present[:, asked],
    )
    return warehouse.replace("indicators", rows, market.name, first, last)
