"""What the report has of each market: rows of the published mart, grouped as the page shows them.

Knows the mart's tables. Wording is in sentences.py and page/, how things look in page/.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from market_pipeline.mart.changes import KINDS
from market_pipeline.mart.portfolios import read_largest_parts, read_portfolios
from market_pipeline.mart.read import opened, query
from market_pipeline.mart.report.embedded import data_of
from market_pipeline.mart.report.forecasts import RankForecast, SelectedModel, rank_forecasts, selected_models
from market_pipeline.mart.report.queries import CLOSES, PAST, QUERIES
from market_pipeline.mart.report.rows import Row, Rows, grouped
from market_pipeline.mart.report.verdicts import VerdictMatrix, verdict_matrix
from market_pipeline.storage.warehouse import MEMORY_LIMIT

LARGEST_PARTS = 5
"""Symbols of a portfolio whose part of its loss is listed, at each horizon."""


@dataclass(frozen=True)
class MarketPage:
    """One market's part of the report; empty where the mart has no rows."""

    name: str
    newest: dt.date | None
    symbols: tuple[str, ...]
    """All that are configured or have bars."""
    stale: Rows
    """Rows of `symbols` whose bars end before the newest session."""
    without: Rows
    """Rows of `symbols` without a forecast of the newest session."""
    matrix: VerdictMatrix | None
    selected: tuple[SelectedModel, ...]
    rankings: tuple[RankForecast, ...]
    data: Row
    """What the scripts read."""
    changes: Mapping[str, Rows]
    """By each of KINDS."""
    rows: Mapping[str, Rows]
    """Of each of QUERIES, as the mart has them; and of portfolios with their largest parts."""


def read_markets(mart: Path) -> tuple[MarketPage, ...]:
    """A page for every market that has prices, verdicts, signals or coverage, in order of name."""
    with opened(mart) as connection:
        connection.execute(f"set memory_limit = '{MEMORY_LIMIT}'")
        found = {name: grouped(query(mart, text).to_pylist(), "market") for name, text in QUERIES.items()}
        found["portfolios"] = grouped(read_portfolios(mart).to_pylist(), "market")
        found["portfolio_parts"] = grouped(read_largest_parts(mart, LARGEST_PARTS).to_pylist(), "market")
        grids = (query(mart, CLOSES), query(mart, PAST))
    names = {name for table in ("symbols", "leaderboard", "signals", "coverage") for name in found[table]}
    return tuple(
        page_of(name, found, *(rows.filter(pc.field("market") == name) for rows in grids)) for name in sorted(names)
    )


def page_of(name: str, found: Mapping[str, Mapping[str, Rows]], closes: pa.Table, past: pa.Table) -> MarketPage:
    """The page of one market from the rows of each of QUERIES by market, its rows of CLOSES, and of PAST."""
    rows = {table: by_market.get(name, []) for table, by_market in found.items()}
    symbols = tuple(row["symbol"] for row in rows["symbols"])
    ends = [row["newest_session"] for row in rows["symbols"] if row["newest_session"]]
    selected = selected_models(rows["signals"])
    return MarketPage(
        name=name,
        newest=max(ends, default=None),
        symbols=symbols,
        stale=[row for row in rows["symbols"] if row["newest_session"] and row["newest_session"] < max(ends)],
        without=[row for row in rows["symbols"] if row["no_forecast"]],
        matrix=verdict_matrix(rows["leaderboard"], rows["tests"]),
        selected=selected,
        rankings=rank_forecasts(rows["ranks"], rows["leaderboard"]),
        data=data_of(name, rows, selected, closes, past),
        changes={kind: [row for row in rows["changes"] if row["kind"] == kind] for kind in KINDS},
        rows=rows,
    )
