"""A stored forecast made once more, from its pins: the same to the last bit, or which pin is missing."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from market_pipeline.config.markets import Market
from market_pipeline.errors import HistoryError, MarketPipelineError
from market_pipeline.forecasts.issue import issue
from market_pipeline.forecasts.ledger import code_version, data_digests, models_digest
from market_pipeline.storage.tables.indicators import NAMES
from market_pipeline.indicators.compute import compute_indicators
from market_pipeline.models.features.samples import Panel
from market_pipeline.prices.history import History, read_history
from market_pipeline.storage.artifacts import Parameters, load
from market_pipeline.storage.warehouse import Warehouse

STORED = """
select symbol, origin, horizon, model, * exclude (market, symbol, origin, horizon, model, made_at, mode)
from forecasts where market = $market and origin = $origin
"""
REGISTRY = "select model, path, sha256 from models where market = $market and month = $month"


@dataclass(frozen=True)
class Replayed:
    """What came of making the forecasts of one origin again."""

    made_at: dt.datetime
    mode: str
    rows: int
    differing: int
    """Rows that are not the same in every bit."""
    missing: tuple[str, ...]
    """The pins that could not be had as they were, in words."""


def replay(warehouse: Warehouse, market: Market, origin: dt.date, folder: Path) -> Replayed:
    """Make the forecasts of an origin again and hold them against the stored ones.

    The bars are those of today if their digest is the one of then, else those that were known when it was made. Raises
    HistoryError when nothing is stored, or an artifact is lost: without it there is nothing to replay.
    """
    named = {"market": market.name, "origin": origin}
    pins = warehouse.read("select * from ledger where market = $market and origin = $origin", named).to_pylist()
    if not pins:
        raise HistoryError(
            f"{market.name}: no forecast of {origin} is in the ledger. Forecast it first: market-pipeline backfill "
            f"--market {market.name} --start {origin} --end {origin}"
        )
    [pin] = pins
    registry = warehouse.read(REGISTRY, {"market": market.name, "month": origin.replace(day=1)}).to_pylist()
    missing = []
    if pin["code"] != code_version():
        missing.append(f"the code: it was {pin['code']}, now it is {code_version()}")
    if pin["models"] != models_digest(registry):
        missing.append("the models: the month has been trained again since")
    history, restated = _known_then(warehouse, market, origin, pin)
    if restated:
        missing.append("the bars: what was known then can no longer be put together")
    try:
        parameters = {row["model"]: load(folder / row["path"], row["sha256"]) for row in registry}
    except MarketPipelineError as error:
        raise HistoryError(f"The forecasts of {origin} cannot be replayed: {error}") from error
    again = made_again(panel_of(history), market, origin, parameters)
    stored = warehouse.read(STORED, named)
    return Replayed(pin["made_at"], pin["mode"], stored.num_rows, differing(stored, again), tuple(missing))


def made_again(known: Panel, market: Market, origin: dt.date, parameters: Mapping[str, Parameters]) -> pa.Table:
    """The forecasts of one origin, but for when they were made."""
    cutoff = market.sessions_between(market.start, origin.replace(day=1) - dt.timedelta(days=1))[-1]
    rows = issue(known, market, np.array([origin], "datetime64[D]"), parameters, cutoff, dt.datetime.now(dt.UTC))
    return rows.drop_columns(["made_at", "mode"])


def differing(stored: pa.Table, again: pa.Table) -> int:
    """How many rows of either have no twin of the same bits in the other."""
    order = stored.column_names
    one, other = ({tuple(row.values()) for row in table.select(order).to_pylist()} for table in (stored, again))
    return len(one ^ other)


def panel_of(history: History) -> Panel:
    """The panel that a history amounts to, its indicators computed anew."""
    grids = compute_indicators(history)
    return Panel(history, np.stack([grids[name] for name in NAMES]).astype(np.float32), NAMES)


def _known_then(warehouse: Warehouse, market: Market, origin: dt.date, pin: Mapping[str, Any]) -> tuple[History, bool]:
    """The bars that the pin stands for, and False; or today's, and True."""
    today = read_history(warehouse, market, origin)
    if data_digests(today)[-1] == pin["bars"]:
        return today, False
    then = read_history(warehouse, market, origin, known_at=pin["made_at"])
    return (then, False) if data_digests(then)[-1] == pin["bars"] else (today, True)
