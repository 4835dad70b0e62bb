"""What the configured portfolios hold at each origin, as weights: given ones, or what quantities are worth there.

Knows portfolios and bars as traded; no forecast.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from market_pipeline.config.portfolios import Held, Portfolio
from market_pipeline.storage.grids import Days


@dataclass(frozen=True)
class Holding:
    """One portfolio at the close of one origin."""

    name: str
    weights: Mapping[str, float]
    """Share of the capital by symbol; NaN where a quantity has no price."""
    values: Mapping[str, float]
    """In quote currency, of quantities; empty for weights."""


def holdings_at(portfolios: Iterable[Portfolio], origins: Days, traded: pa.Table) -> list[list[Holding]]:
    """For each origin the portfolios that hold something there.

    `traded` has symbol, session, close and split_ratio of final bars as traded, for symbols that are held by quantity:
    the bars of the origins and those of splits. The rows of an origin depend on no later bar.
    """
    closes = dict[tuple[str, dt.date], float]()
    splits = dict[str, list[tuple[dt.date, float]]]()
    for row in traded.to_pylist():
        closes[row["symbol"], row["session"]] = row["close"]
        if row["split_ratio"] != 1:
            splits.setdefault(row["symbol"], []).append((row["session"], row["split_ratio"]))
    found = []
    for day in origins.astype("datetime64[D]").tolist():
        held = ((one, one.on(day)) for one in portfolios)
        found.append([_holding(one, positions, day, closes, splits) for one, positions in held if positions])
    return found


def _holding(
    portfolio: Portfolio, positions: Iterable[Held], day: dt.date, closes: Mapping[Any, float],
    splits: Mapping[str, list[tuple[dt.date, float]]],
) -> Holding:  # fmt: skip
    """Weights are of the sum of the sizes of all positions; a dated number of shares grows with later splits.

    Without a date, the number is taken as that of every origin.
    """
    if portfolio.unit == "weight":
        return Holding(portfolio.name, {held.symbol: held.amount for held in positions if held.amount}, {})
    values = {}
    for held in sorted(positions, key=lambda one: one.symbol):
        shares = held.amount
        for session, ratio in sorted(splits.get(held.symbol, [])) if held.since else ():
            shares *= ratio if held.since and held.since < session <= day else 1.0
        if shares:
            values[held.symbol] = shares * closes.get((held.symbol, day), float("nan"))
    capital = sum(abs(value) for value in values.values())
    return Holding(portfolio.name, {symbol: value / capital for symbol, value in values.items()}, values)
