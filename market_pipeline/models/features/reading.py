"""What a model may know at a session, read from the warehouse."""

import datetime as dt

import numpy as np

from market_pipeline.config.markets import Market
from market_pipeline.models.features.samples import Panel
from market_pipeline.models.registry.training import WINDOW
from market_pipeline.prices.history import read_history
from market_pipeline.storage.grids import fill_grids
from market_pipeline.storage.tables.indicators import NAMES
from market_pipeline.storage.warehouse import Warehouse


def read_panel(warehouse: Warehouse, market: Market, until: dt.date, *, since: dt.date) -> Panel:
    """Every bar up to `until`, and the indicators from `since` to `until`."""
    history = read_history(warehouse, market, until)
    read = history.sessions[history.sessions >= np.datetime64(since)]
    recent = np.full((len(NAMES), len(market.symbols), len(read)), np.nan, np.float32)
    rows = warehouse.stream(
        "select * from indicators where market = $market and session between $since and $until",
        {"market": market.name, "since": since, "until": until},
    )
    for piece in rows:
        fill_grids(dict(zip(NAMES, recent, strict=True)), piece, market.symbols, read)
    return Panel(history, recent, NAMES)


def training_start(market: Market, cutoff: dt.date) -> dt.date:
    """The first session whose indicators training at `cutoff` may read."""
    sessions = market.sessions_between(market.start, cutoff)
    first: dt.date = sessions[max(0, len(sessions) - WINDOW)].item()
    return first
