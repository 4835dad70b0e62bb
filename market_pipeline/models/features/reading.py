"""Reads a panel from the warehouse."""

import datetime as dt

import numpy as np

from market_pipeline.config.markets import Market
from market_pipeline.errors import HistoryError
from market_pipeline.models.features.panel import Panel
from market_pipeline.prices.history import read_history
from market_pipeline.storage.grids import fill_grids
from market_pipeline.storage.tables.indicators import NAMES
from market_pipeline.storage.warehouse import Warehouse

TRAINING_WINDOW = 1100
"""Sessions of indicators that training reads: the longest window of a forecaster, plus the longest horizon and more."""

WITHOUT_INDICATORS = """
select distinct session from prices anti join indicators using (market, symbol, session)
where market = $market and final and symbol in (select unnest($symbols)) and session between $since and $until
order by session
"""


def read_panel(warehouse: Warehouse, market: Market, until: dt.date, *, since: dt.date) -> Panel:
    """Every bar up to `until`, and the indicators from `since` to `until`, both ends included."""
    with warehouse.snapshot():
        history = read_history(warehouse, market, until)
        sessions = history.sessions[history.sessions >= np.datetime64(since)]
        recent = np.full((len(NAMES), len(market.symbols), len(sessions)), np.nan, np.float32)
        chunks = warehouse.stream(
            "select * from indicators where market = $market and session between $since and $until",
            {"market": market.name, "since": since, "until": until},
        )
        for rows in chunks:
            fill_grids(dict(zip(NAMES, recent, strict=True)), rows, market.symbols, sessions)
    return Panel(history, recent, NAMES)


def require_indicators(warehouse: Warehouse, market: Market, since: dt.date, until: dt.date) -> None:
    """Raise HistoryError if a bar from `since` to `until` has no indicators: models would be fitted on gaps."""
    named = {"market": market.name, "symbols": list(market.symbols), "since": since, "until": until}
    missing = warehouse.read(WITHOUT_INDICATORS, named)["session"].to_pylist()
    if missing:
        raise HistoryError(
            f"{market.name}: bars of {len(missing)} sessions to {until} have no indicators, the first {missing[0]}. "
            f"Compute them first: market-pipeline backfill --market {market.name} --start {missing[0]} "
            f"--end {missing[-1]} --assets indicators"
        )


def training_start(market: Market, cutoff: dt.date) -> dt.date:
    """The first session whose indicators training at `cutoff` reads."""
    sessions = market.sessions_between(market.start, cutoff)
    first: dt.date = sessions[max(0, len(sessions) - TRAINING_WINDOW)].item()
    return first
