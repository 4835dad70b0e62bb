"""Everything that is forecast at the origins of one month, as rows: a piece of work for any process of this host."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from market_pipeline.config.markets import Market
from market_pipeline.forecasts.holdings import holdings_at
from market_pipeline.forecasts.issue import is_live, issue
from market_pipeline.forecasts.ledger import ledger_rows
from market_pipeline.forecasts.portfolios import portfolio_rows
from market_pipeline.forecasts.ranks import rank_rows
from market_pipeline.models.features.panel import Panel
from market_pipeline.models.registry.training import Month
from market_pipeline.storage.artifacts import load
from market_pipeline.storage.grids import Days
from market_pipeline.storage.store import Store
from market_pipeline.storage.tables.forecasts import FORECASTS, LEDGER, RANKS, TAILS


@dataclass(frozen=True)
class Known:
    """What the months of a run are forecast from."""

    market: Market
    panel: Panel
    """It reaches to the last origin of the run."""
    traded: pa.Table
    """Bars as traded, as holdings_at takes them."""
    models: Store


class Asked(NamedTuple):
    """A month with its origins, and the registry rows of its models."""

    month: Month
    origins: Days
    fits: Sequence[Mapping[str, str]]


class Made(NamedTuple):
    """What was forecast at the origins of a month."""

    tables: Mapping[str, pa.Table]
    """Rows by the names of their tables."""
    missing: Mapping[str, tuple[str, ...]]
    """By configured portfolio the symbols for which it had no row at some origin."""
    faults: tuple[str, ...]
    """Of own models."""


def forecast_month(known: Known, asked: Asked) -> Made:
    """Forecast the origins of a month; the rows of an origin depend on nothing after it."""
    month, origins, fits = asked
    market, faults = known.market, list[str]()
    parameters = {row["model"]: load(known.models, row["path"], row["sha256"]) for row in fits}
    panel, now = known.panel.until(origins[-1]), dt.datetime.now(dt.UTC)
    # First: of thousands of symbols, these matrices and the rows of forecasts do not fit in memory together.
    ranks = rank_rows(panel.history, market, origins)
    issued = issue(panel, market, origins, parameters, np.datetime64(month.cutoff), now, report=faults.append)
    held = holdings_at(market.portfolios, origins, known.traded)
    portfolios = portfolio_rows(panel.history, market, origins, issued.distributions, held)
    ledger = ledger_rows(panel.history, origins, fits, is_live(market, origins, now), now)
    tables = {FORECASTS.name: issued.forecasts, TAILS.name: issued.tails, RANKS.name: ranks, LEDGER.name: ledger}
    return Made(tables | portfolios.tables, portfolios.missing, tuple(faults))
