"""The mart for agents: tools of the Model Context Protocol that read it, and can change nothing.

The docstring of a tool is what an agent reads of it: what its numbers mean, and what they must not be taken for.
"""

import datetime as dt
import json
from collections.abc import Callable
from math import isfinite
from threading import Lock
from typing import TYPE_CHECKING, Any

from market_pipeline import __version__, mart
from market_pipeline.errors import MarketPipelineError
from market_pipeline.mart.ages import read_freshness
from market_pipeline.mart.guarded import MOST_ROWS, select
from market_pipeline.mart.read import read_forecast, read_rows
from market_pipeline.storage.catalog import MART
from market_pipeline.storage.schema import quoted
from market_pipeline.storage.tables.scores import QUESTIONS

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

INSTRUCTIONS = f"""\
Forecasts of daily market prices, each with a verdict against a random walk. Call freshness first: old forecasts are not
forecasts of today. Where the verdict is not beats_baseline, nothing shows that a forecast is better than the random
walk; a verdict holds for its own question only: {", ".join(QUESTIONS)}. Returns in tables are log
returns, probabilities are fractions. Data of the source 'simulated' is made up. Nothing here is financial advice."""

TABLES = """
select table_name as name, comment as description from duckdb_tables() where not internal
union all select view_name, comment from duckdb_views() where not internal order by name
"""
COLUMNS = """
select column_name as name, data_type as type, comment as description from duckdb_columns()
where not internal and table_name = {} order by column_index
"""

ONE_AT_A_TIME = Lock()
"""Tools run in threads, and DuckDB opens a file in one process with one configuration at a time."""


def serve_agents() -> None:
    """Answer on standard input and output, until the client closes them."""
    agent_server().run("stdio")


def agent_server() -> "MCPServer[Any]":
    """The server with its tools; raises MarketPipelineError where the package mcp is not installed."""
    try:
        from mcp.server.mcpserver import MCPServer
        from mcp.types import ToolAnnotations
    except ImportError:
        raise MarketPipelineError(
            "The package mcp is not installed. Install the extra: pip install 'market-pipeline[agents]'."
        ) from None
    server = MCPServer[Any]("market-pipeline", instructions=INSTRUCTIONS, version=__version__, log_level="ERROR")
    read_only = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
    for tool in (freshness, forecast, verdicts, list_tables, describe_table, query):
        server.add_tool(tool, annotations=read_only)
    return server


def freshness() -> str:
    """The source of the data, the newest session of each market, and how many sessions are due after it now."""

    def found() -> list[dict[str, Any]]:
        path = mart.path()  # once: with a store, each call looks for the newest mart
        ages = {one.market: one for one in read_freshness(path, dt.datetime.now(dt.UTC))}
        meta = read_rows(path, "meta").select(["market", "source", "published_at", "newest_session"]).to_pylist()
        return [row | {"sessions_behind": ages[row["market"]].behind} for row in meta]

    return _answer(found)


def forecast(symbol: str) -> str:
    """The published forecasts of one symbol, by horizon in sessions: range, chance of rising, model, verdict.

    expected_return, low_80 and high_80 are log returns from the close at as_of. The verdict is of `question`.
    """
    return _answer(lambda: read_forecast(mart.path(), symbol).to_pylist())


def verdicts(market: str | None = None) -> str:
    """Each model against the random walk, by market, horizon and question: skill, adjusted p-value, verdict."""
    return _answer(lambda: read_rows(mart.path(), "leaderboard", market=market).to_pylist())


def list_tables() -> str:
    """The tables and views of the mart, and what a row of each is."""

    def found() -> list[dict[str, Any]]:
        tables: list[dict[str, Any]] = select(mart.path(), TABLES).rows.to_pylist()
        return tables

    return _answer(found)


def describe_table(name: str) -> str:
    """The columns of one table or view: type, meaning, unit; and the key, the columns that name a row."""

    def found() -> dict[str, Any]:
        columns = select(mart.path(), COLUMNS.format(quoted(name)), MOST_ROWS).rows.to_pylist()
        if not columns:
            raise MarketPipelineError(f"The mart has no table {name!r}. Call list_tables for those it has.")
        return {"columns": columns, "key": ["market", *MART[name].key] if name in MART else None}

    return _answer(found)


def query(sql: str, most_rows: int = 100) -> str:
    """The rows of one SELECT in DuckDB's SQL; `complete` is false where there were more than `most_rows`."""

    def found() -> dict[str, Any]:
        rows, complete = select(mart.path(), sql, most_rows)
        return {"rows": rows.to_pylist(), "complete": complete}

    return _answer(found)


def _answer(read: Callable[[], object]) -> str:
    """What `read` finds, as JSON; its error is an answer as well."""
    from mcp.server.mcpserver.exceptions import ToolError

    try:
        with ONE_AT_A_TIME:
            found = read()
    except MarketPipelineError as error:
        raise ToolError(str(error)) from None
    return json.dumps(_finite(found), default=str)


def _finite(value: object) -> object:
    """The same with null for numbers that JSON cannot state."""
    if isinstance(value, dict):
        return {str(name): _finite(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not isfinite(value) else value
