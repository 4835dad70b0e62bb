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
from market_pipeline.mart.read import query
from market_pipeline.mart.report.forecasts import RankForecast, SelectedModel, rank_forecasts, selected_models
from market_pipeline.mart.report.queries import CLOSES, QUERIES
from market_pipeline.mart.report.range_chart import chart_of
from market_pipeline.mart.report.rows import Row, Rows, grouped
from market_pipeline.mart.report.verdicts import VerdictMatrix, verdict_matrix


@dataclass(frozen=True)
class MarketPage:
    """One market's part of the report; empty where the mart has no rows."""

    name: str
    newest: dt.date | None
    symbols: tuple[str, ...]
    stale: Rows
    """Symbols that end before the newest session."""
    matrix: VerdictMatrix | None
    selected: tuple[SelectedModel, ...]
    rankings: tuple[RankForecast, ...]
    chart: Row
    changes: Mapping[str, Rows]
    """By each of KINDS."""
    rows: Mapping[str, Rows]
    """Of each of QUERIES, as the mart has them."""


def read_markets(mart: Path) -> tuple[MarketPage, ...]:
    """A page for every market that has prices, verdicts, signals or coverage, in order of name."""
    found = {name: grouped(query(mart, text).to_pylist(), "market") for name, text in QUERIES.items()}
    closes = query(mart, CLOSES)
    names = {name for table in ("symbols", "leaderboard", "signals", "coverage") for name in found[table]}
    return tuple(page_of(name, found, closes.filter(pc.field("market") == name)) for name in sorted(names))


def page_of(name: str, found: Mapping[str, Mapping[str, Rows]], closes: pa.Table) -> MarketPage:
    """The page of one market from the rows of each of QUERIES by market."""
    rows = {table: by_market.get(name, []) for table, by_market in found.items()}
    symbols = tuple(row["symbol"] for row in rows["symbols"])
    newest = max((row["newest"] for row in rows["symbols"]), default=None)
    selected = selected_models(rows["signals"])
    return MarketPage(
        name=name,
        newest=newest,
        symbols=symbols,
        stale=[row for row in rows["symbols"] if row["newest"] < newest],
        matrix=verdict_matrix(rows["leaderboard"], rows["tests"]),
        selected=selected,
        rankings=rank_forecasts(rows["ranks"], rows["leaderboard"]),
        chart=chart_of(closes, selected, symbols),
        changes={kind: [row for row in rows["changes"] if row["kind"] == kind] for kind in KINDS},
        rows=rows,
    )
