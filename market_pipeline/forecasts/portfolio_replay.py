"""Stored portfolio forecasts of an origin made again, from what is stored of what was held."""

import datetime as dt
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from market_pipeline.config.markets import Market
from market_pipeline.config.portfolios import RESERVED
from market_pipeline.forecasts.holdings import Holding
from market_pipeline.forecasts.portfolios import portfolio_rows
from market_pipeline.models.calibration.distribution import Distribution
from market_pipeline.prices.history import History
from market_pipeline.storage.tables.portfolios import PORTFOLIO_PARTS, PORTFOLIO_WEIGHTS, PORTFOLIOS
from market_pipeline.storage.warehouse import Warehouse

Tables: TypeAlias = Mapping[str, pa.Table]
"""Rows of the three tables of portfolio forecasts, by name."""

STORED = {
    PORTFOLIOS.name: "select * exclude (market) from portfolios where market = $market and origin = $origin",
    PORTFOLIO_PARTS.name: "select * exclude (market) from portfolio_parts where market = $market and origin = $origin",
    PORTFOLIO_WEIGHTS.name: (
        "select * exclude (market) from portfolio_weights where market = $market and origin = $origin"
    ),
}


def stored_portfolios(warehouse: Warehouse, market: Market, origin: dt.date) -> Tables:
    """What is stored of the portfolios of an origin."""
    with warehouse.snapshot():
        return {name: warehouse.read(sql, {"market": market.name, "origin": origin}) for name, sql in STORED.items()}


def portfolios_again(
    stored: Tables,
    known: History,
    market: Market,
    origin: dt.date,
    distributions: Mapping[str, Mapping[int, Distribution]],
) -> Tables:
    """The same tables made again: the configured portfolios as they were held, and those that nobody chose.

    `known` ends at the origin or later; `distributions` are those of the single symbols at the origin.
    """
    held: dict[str, tuple[dict[str, float], dict[str, float]]] = {}
    for row in stored[PORTFOLIO_WEIGHTS.name].sort_by("symbol").to_pylist():
        if not row["portfolio"].startswith(RESERVED):
            weights, values = held.setdefault(row["portfolio"], ({}, {}))
            weights[row["symbol"]] = row["weight"]
            values |= {} if row["value"] is None else {row["symbol"]: row["value"]}
    holdings = [Holding(name, *parts) for name, parts in sorted(held.items())]
    return portfolio_rows(known, market, np.array([origin], "datetime64[D]"), distributions, [holdings]).tables


def differing_portfolios(stored: Tables, again: Tables) -> int:
    """How many rows have no equal row, in every bit, on the other side; 0 where nothing is stored.

    An earlier version stored no portfolios.
    """
    if not any(rows.num_rows for rows in stored.values()):
        return 0
    count = 0
    for name, rows in stored.items():
        one, other = (
            {tuple(row[column] for column in rows.column_names) for row in table.to_pylist()}
            for table in (rows, again[name])
        )
        count += len(one ^ other)
    return count
