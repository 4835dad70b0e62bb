"""Stored forecasts issued again from their provenance: the same to the last bit, or what has changed since."""

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
from market_pipeline.forecasts.ledger import bars_digests, code_version, models_digest
from market_pipeline.indicators.compute import compute_indicators
from market_pipeline.models.features.panel import Panel
from market_pipeline.prices.history import History, read_history
from market_pipeline.storage.artifacts import Parameters, load
from market_pipeline.storage.tables.indicators import NAMES
from market_pipeline.storage.warehouse import Warehouse

STORED = """
select * exclude (market, made_at, mode) from forecasts where market = $market and origin = $origin
"""
REGISTRY = "select model, path, sha256 from models where market = $market and month = $month"


@dataclass(frozen=True)
class Replay:
    """The comparison of an origin's stored forecasts with the same forecasts issued again."""

    made_at: dt.datetime
    mode: str
    rows: int
    differing: int
    """Rows that are not the same in every bit."""
    changed: tuple[str, ...]
    """What of the provenance has changed since, in words."""


def replay(warehouse: Warehouse, market: Market, origin: dt.date, folder: Path) -> Replay:
    """Issue the forecasts of an origin again and compare them with the stored ones.

    The bars are those of today if their digest is the stored one, else those that were known when the forecasts were
    made. Raises HistoryError when nothing is stored or an artifact is lost.
    """
    named = {"market": market.name, "origin": origin}
    found = warehouse.read("select * from ledger where market = $market and origin = $origin", named).to_pylist()
    if not found:
        raise HistoryError(
            f"{market.name}: no forecast of {origin} is in the ledger. Forecast it first: market-pipeline backfill "
            f"--market {market.name} --start {origin} --end {origin}"
        )
    [provenance] = found
    registry = warehouse.read(REGISTRY, {"market": market.name, "month": origin.replace(day=1)}).to_pylist()
    changed = []
    if provenance["code"] != code_version():
        changed.append(f"the code: it was {provenance['code']}, now it is {code_version()}")
    if provenance["models"] != models_digest(registry):
        changed.append("the models: the month has been trained again since")
    history = _history_then(warehouse, market, origin, provenance)
    if history is None:
        changed.append("the bars: those known then cannot be restored")
        history = read_history(warehouse, market, origin)
    try:
        parameters = {row["model"]: load(folder / row["path"], row["sha256"]) for row in registry}
    except MarketPipelineError as error:
        raise HistoryError(f"The forecasts of {origin} cannot be replayed: {error}") from error
    again = reissued(panel_of(history), market, origin, parameters)
    stored = warehouse.read(STORED, named)
    return Replay(provenance["made_at"], provenance["mode"], stored.num_rows, differing(stored, again), tuple(changed))


def reissued(known: Panel, market: Market, origin: dt.date, parameters: Mapping[str, Parameters]) -> pa.Table:
    """The forecasts of one origin, without when they were made."""
    cutoff = market.sessions_between(market.start, origin.replace(day=1) - dt.timedelta(days=1))[-1]
    rows = issue(known, market, np.array([origin], "datetime64[D]"), parameters, cutoff, dt.datetime.now(dt.UTC))
    return rows.drop_columns(["made_at", "mode"])


def differing(stored: pa.Table, again: pa.Table) -> int:
    """How many rows of either table have no equal row, in every bit, in the other."""
    order = stored.column_names
    one, other = ({tuple(row.values()) for row in table.select(order).to_pylist()} for table in (stored, again))
    return len(one ^ other)


def panel_of(history: History) -> Panel:
    """The panel of a history, its indicators computed again."""
    grids = compute_indicators(history)
    return Panel(history, np.stack([grids[name] for name in NAMES]).astype(np.float32), NAMES)


def _history_then(
    warehouse: Warehouse, market: Market, origin: dt.date, provenance: Mapping[str, Any]
) -> History | None:
    """The bars whose digest is the stored one: today's, or those known then; None if neither are."""
    for known_at in (None, provenance["made_at"]):
        history = read_history(warehouse, market, origin, known_at=known_at)
        if bars_digests(history)[-1] == provenance["bars"]:
            return history
    return None
