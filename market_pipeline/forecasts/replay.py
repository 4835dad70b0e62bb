"""Stored forecasts issued again from their provenance: the same to the last bit, or what has changed since."""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from market_pipeline.config.markets import Market
from market_pipeline.errors import HistoryError, MarketPipelineError
from market_pipeline.forecasts.issue import Issued, issue
from market_pipeline.forecasts.ledger import (
    bars_digests,
    code_version,
    differences,
    library_versions,
    models_digest,
    plugin_digests,
)
from market_pipeline.forecasts.portfolio_replay import differing_portfolios, portfolios_again, stored_portfolios
from market_pipeline.indicators.compute import compute_indicators
from market_pipeline.models.features.panel import Panel
from market_pipeline.prices.history import History, read_history
from market_pipeline.storage.artifacts import Parameters, load
from market_pipeline.storage.store import Store
from market_pipeline.storage.tables.indicators import NAMES
from market_pipeline.storage.warehouse import Warehouse

LEDGER_ROWS = "select * from ledger where market = $market and origin = $origin order by made_at"
STORED = """
select f.* exclude (market, made_at, mode), t.* exclude (market, symbol, origin, horizon, target_session, model)
from forecasts f
left join (from tails where market = $market and origin = $origin) t using (market, symbol, origin, horizon, model)
where f.market = $market and f.origin = $origin and f.made_at = $made_at
"""
OF_OTHER_RUNS = """
select symbol, horizon, model from forecasts where market = $market and origin = $origin and made_at <> $made_at
"""
REGISTRY = "select model, path, sha256 from models where market = $market and month = $month"

LOST = "the bars: those known then cannot be restored"


@dataclass(frozen=True)
class Replay:
    """The comparison of the forecasts that one run stored of an origin with the same forecasts issued again."""

    made_at: dt.datetime
    mode: str
    rows: int
    differing: int | None
    """Rows that are not the same in every bit; None where nobody knows which symbols they were made from."""
    changed: tuple[str, ...]
    """What of the provenance has changed since, in words."""


@dataclass(frozen=True)
class Past:
    """What the forecasts of a ledger row were made from."""

    market: Market
    """With the symbols of then."""
    history: History
    restated: bool
    """Whether bars have changed since."""


def replay(warehouse: Warehouse, market: Market, origin: dt.date, models: Store) -> tuple[Replay, ...]:
    """Issue the forecasts of an origin again and compare them with the stored ones: those of each run, oldest first.

    The symbols are those of the ledger. The bars are those of today if their digest is the stored one, else those that
    were known when the forecasts were made. Raises HistoryError when nothing is stored or an artifact is lost.
    """
    named = {"market": market.name, "origin": origin}
    found = warehouse.read(LEDGER_ROWS, named).to_pylist()
    if not found:
        raise HistoryError(
            f"{market.name}: no forecast of {origin} is in the ledger. Forecast it first: market-pipeline backfill "
            f"--market {market.name} --start {origin} --end {origin}"
        )
    registry = warehouse.read(REGISTRY, {"market": market.name, "month": origin.replace(day=1)}).to_pylist()
    try:
        parameters = {row["model"]: load(models, row["path"], row["sha256"]) for row in registry}
    except MarketPipelineError as error:
        raise HistoryError(f"The forecasts of {origin} cannot be replayed: {error}") from error
    return tuple(_compared(warehouse, market, row, registry, parameters) for row in found)


def _compared(
    warehouse: Warehouse,
    market: Market,
    provenance: Mapping[str, Any],
    registry: list[dict[str, str]],
    parameters: Mapping[str, Parameters],
) -> Replay:
    origin, made_at = provenance["origin"], provenance["made_at"]
    stored, others = stored_rows(warehouse, market, origin, made_at)
    changed, differ = [*changes_of(provenance, registry)], None
    past = past_of(warehouse, market, provenance)
    if past is None:
        changed.append(LOST)
    if past is None and provenance["symbols"] is not None:
        market = of_then(market, provenance)
        past = Past(market, read_history(warehouse, market, origin), restated=True)
    if past is not None:
        issued = issued_again(panel_of(past.history), past.market, origin, parameters)
        differ = differing(stored, without(rows_of(issued), others))
        if not others.num_rows:  # else a later run may have added portfolios, from later bars
            portfolios = stored_portfolios(warehouse, market, origin)
            again = portfolios_again(portfolios, past.history, past.market, origin, issued.distributions)
            differ += differing_portfolios(portfolios, again)
    return Replay(made_at, provenance["mode"], stored.num_rows, differ, tuple(changed))


def changes_of(provenance: Mapping[str, Any], registry: list[dict[str, str]]) -> Iterator[str]:
    """What of the provenance has changed, apart from the bars."""
    if provenance["code"] != code_version():
        yield f"the code: it was {provenance['code']}, now it is {code_version()}"
    if provenance["models"] != models_digest(registry):
        yield "the models: the month has been trained again since"
    if provenance["symbols"] is None:
        yield "the ledger: an earlier version made them, and did not record symbols, libraries and own models"
        return
    yield from differences(provenance["libraries"], library_versions())
    now = plugin_digests(row["model"] for row in registry)
    yield from (f"own model {change}" for change in differences(provenance["plugins"], now))


def stored_rows(
    warehouse: Warehouse, market: Market, origin: dt.date, made_at: dt.datetime
) -> tuple[pa.Table, pa.Table]:
    """The forecasts of an origin that were made at one moment, each with its tail, and the keys of the others."""
    named = {"market": market.name, "origin": origin, "made_at": made_at}
    return warehouse.read(STORED, named), warehouse.read(OF_OTHER_RUNS, named)


def past_of(warehouse: Warehouse, market: Market, provenance: Mapping[str, Any]) -> Past | None:
    """The symbols and bars of a ledger row: today's bars, or those known then; None if neither have its digest.

    An earlier version did not record the symbols. Then they were probably those of today, or those with a forecast.
    """
    origin, recorded = provenance["origin"], provenance["symbols"] is not None
    candidates = [of_then(market, provenance)]
    if not recorded:
        stored, _ = stored_rows(warehouse, market, origin, provenance["made_at"])
        forecast = {*stored["symbol"].unique().to_pylist()}
        if some := tuple(symbol for symbol in market.symbols if symbol in forecast):
            candidates.append(replace(market, symbols=some))
    for candidate in candidates:
        for known_at in (None, provenance["made_at"]):
            history = read_history(warehouse, candidate, origin, known_at=known_at)
            if bars_digests(history, by_name=recorded)[-1] == provenance["bars"]:
                return Past(candidate, history, restated=known_at is not None)
    return None


def of_then(market: Market, provenance: Mapping[str, Any]) -> Market:
    """The market with the symbols of a ledger row; with today's where none are recorded."""
    symbols = tuple(provenance["symbols"] or market.symbols)
    return market if symbols == market.symbols else replace(market, symbols=symbols)


def issued_again(known: Panel, market: Market, origin: dt.date, parameters: Mapping[str, Parameters]) -> Issued:
    """What is forecast at one origin."""
    cutoff = market.sessions_between(market.start, origin.replace(day=1) - dt.timedelta(days=1))[-1]
    return issue(known, market, np.array([origin], "datetime64[D]"), parameters, cutoff, dt.datetime.now(dt.UTC))


def reissued(known: Panel, market: Market, origin: dt.date, parameters: Mapping[str, Parameters]) -> pa.Table:
    """The forecasts of one origin with their tails, without when they were made."""
    return rows_of(issued_again(known, market, origin, parameters))


def rows_of(issued: Issued) -> pa.Table:
    """The forecasts with their tails, without when they were made."""
    return issued.with_tails.drop_columns(["made_at", "mode"])


def without(rows: pa.Table, others: pa.Table) -> pa.Table:
    """The forecasts whose key is not among `others`: of a live origin, a later run stores only what is new."""
    return rows.join(others, others.column_names, join_type="left anti") if others.num_rows else rows


def differing(stored: pa.Table, again: pa.Table) -> int:
    """How many rows of either table have no equal row, in every bit, in the other."""
    order = stored.column_names
    one, other = ({tuple(row.values()) for row in table.select(order).to_pylist()} for table in (stored, again))
    return len(one ^ other)


def panel_of(history: History) -> Panel:
    """The panel of a history, its indicators computed again."""
    grids = compute_indicators(history)
    return Panel(history, np.stack([grids[name] for name in NAMES]).astype(np.float32), NAMES)
