"""Queries of readers, answered by the published mart as Arrow tables.

Each call opens the file read-only and closes it at once, so that the pipeline may replace it at any time.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from numbers import Integral
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from market_pipeline.errors import MarketPipelineError
from market_pipeline.storage.catalog import MART
from market_pipeline.storage.publication import REPLACED, UNPUBLISHED
from market_pipeline.storage.tables.forecasts import BASELINE, FORECASTS
from market_pipeline.storage.tables.portfolios import PORTFOLIO_SCORES
from market_pipeline.storage.tables.scores import DAILY_SCORES, VERDICTS
from market_pipeline.storage.unusable import UNUSABLE, refuse

FILTERS = {
    "symbol": "upper(symbol) = upper($symbol)",
    "market": "market = $market",
    "horizon": "horizon = $horizon",
    "model": "model = $model",
    "portfolio": "upper(portfolio) = upper($portfolio)",
    "since": "{day} >= $since::date",
    "until": "{day} <= $until::date",
    "newest": "(not $newest or (market, origin) in (select (market, max(origin)) from forecasts group by market))",
}
"""What a reader may ask for, as a condition; `day` is the table's date column, the origin where it has one."""

ORDERS = {
    "forecast_prices": FORECASTS.key,
    "leaderboard": ("horizon", "question", "model"),
    "daily_scores": DAILY_SCORES.order,
    "portfolio_scores": PORTFOLIO_SCORES.order,
}
"""The order of rows for readers within a market, where it is not the table's key."""

ONE_SYMBOL = """
select s.*, p.close, p.adj_close, p.adj_close * exp(s.expected_return) as expected_price,
    p.adj_close * exp(s.low_80) as low_price, p.adj_close * exp(s.high_80) as high_price
from signals s join prices p on p.market = s.market and p.symbol = s.symbol and p.session = s.as_of
where upper(s.symbol) = upper($symbol) order by s.market, s.horizon
"""


RISK = """
with newest as (select market, max(origin) as origin from forecasts where model = $walk group by market),
known as (select distinct market, horizon, model from forecasts semi join newest using (market, origin)),
champion as (
    select market, horizon, max_by(model, since) as model from champions where question = 'tail' group by all
),
selected as (
    select w.market, w.horizon, coalesce(k.model, w.model) as model
    from known w left join champion c using (market, horizon)
    left join known k on k.market = w.market and k.horizon = w.horizon and k.model = c.model
    where w.model = $walk
),
judged as (select market, horizon, model, verdict from leaderboard where question = 'tail'),
tested as (
    select market, horizon, if(bool_or(verdict <> $insufficient), $no_evidence, $insufficient)
        as of_walk from judged group by all
)
select market, symbol, origin as as_of, horizon, f.target_session, model, q10 as low_80, q90 as high_80,
    t.* exclude (market, symbol, origin, horizon, target_session, model),
    coalesce(verdict, of_walk, $insufficient) as verdict, 'tail' as question
from forecasts f join newest using (market, origin) join selected using (market, horizon, model)
left join (from tails semi join newest using (market, origin)) t using (market, symbol, origin, horizon, model)
left join judged using (market, horizon, model) left join tested using (market, horizon)
where $symbol is null or upper(symbol) = upper($symbol) order by market, symbol, horizon
"""
"""The newest forecast of each horizon's champion of the tail, or of the random walk where there is none."""

_, NO_EVIDENCE, _, INSUFFICIENT_DATA = VERDICTS

CORRUPT = "Corrupt database"
"""How DuckDB begins to report a damaged block, without the name of the file."""

MAGIC = b"DUCK"
"""The bytes 8 to 11 of a DuckDB file."""

IS_MART = "select 1 from duckdb_tables() where table_name = 'meta'"


def require_published(mart: Path) -> None:
    """Raise MarketPipelineError where there is no mart at this path."""
    if not mart.exists():
        raise MarketPipelineError(
            f"No mart is published at {mart}. {UNPUBLISHED} If another directory has one, name it in "
            "MARKET_PIPELINE_HOME."
        )


def query(mart: Path, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
    """The result of a query; raises MarketPipelineError when there is no mart at this path, or one that is damaged."""
    with opened(mart) as connection:
        return connection.execute(sql, dict(parameters or {})).to_arrow_table()


def look_up(mart: Path, sql: str, values: Mapping[str, Any]) -> pa.Table:
    """The result of one of our own queries for these names, numbers and days; as `query`.

    The values are literals: with one that Python binds, DuckDB loads pandas, which takes longer than all the rest.
    """
    if not values:
        return query(mart, sql)
    given = ", ".join(f"{name} := {_literal(value)}" for name, value in values.items())
    with opened(mart) as connection:
        connection.execute(f"prepare wanted as {sql}")
        return connection.execute(f"execute wanted({given})").to_arrow_table()


@contextmanager
def opened(mart: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to a mart, as for `query`. While one is open, another of the same process opens at once."""
    require_published(mart)
    if _begins(mart) != MAGIC:  # DuckDB would fetch an extension that reads a file of another kind
        raise MarketPipelineError(
            f"{mart} cannot be read; it may be damaged: it does not begin as a DuckDB file. {REPLACED}"
        )
    try:
        connection = duckdb.connect(str(mart), read_only=True)
    except UNUSABLE as error:
        refuse(mart, error, REPLACED)
    try:
        with connection:
            if not connection.execute(IS_MART).fetchone():
                raise MarketPipelineError(
                    f"{mart} is a DuckDB file of another program: it has no table meta. {REPLACED}"
                )
            yield connection
    except UNUSABLE as error:
        if str(mart) not in str(error) and CORRUPT not in str(error):
            raise  # the query names another file, which is missing
        refuse(mart, error, REPLACED)


def _begins(mart: Path) -> bytes:
    try:
        with mart.open("rb") as file:
            return file.read(12)[8:]
    except OSError:  # DuckDB reports what is wrong
        return MAGIC


def _literal(value: Any) -> str:
    """A value in SQL.

    >>> _literal("O'Neil"), _literal(5), _literal(None), _literal(dt.date(2024, 1, 2))
    ("'O''Neil'", '5', 'null', "'2024-01-02'")
    """
    if value is None or isinstance(value, Integral):
        return "null" if value is None else str(value).lower()
    # SQL text cannot have a NUL character, and no stored name has one.
    return "'" + str(value).replace("'", "''").replace("\0", "\N{REPLACEMENT CHARACTER}") + "'"


def read_rows(mart: Path, table: str, **filters: Any) -> pa.Table:
    """Rows of a table that meet each of FILTERS that is given, in the order for readers; None restricts nothing.

    Raises MarketPipelineError for a symbol that the mart has no prices of.
    """
    rows = look_up(mart, *statement_of(table, filters))
    symbol = filters.get("symbol")
    if not rows.num_rows and symbol is not None:
        known = read_symbols(mart)
        if symbol.upper() not in {name.upper() for name in known}:
            raise MarketPipelineError(f"The mart has no symbol {symbol!r}. {_nearest(symbol, known)}")
    return rows


def statement_of(table: str, filters: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The query for the rows of a table or view that meet FILTERS, in the order for readers, and its parameters."""
    given = {name: value for name, value in filters.items() if value is not None}
    key = ORDERS.get(table) or (MART[table].key if table in MART else ())
    conditions = " and ".join(["true", *(FILTERS[name] for name in given)])
    conditions = conditions.format(day="origin" if "origin" in key else "session")
    return f"from {table} where {conditions} order by {', '.join(('market', *key)) if key else 'all'}", given


def read_forecast(mart: Path, symbol: str) -> pa.Table:
    """The signals of one symbol with their prices; raises MarketPipelineError when it has none."""
    rows = look_up(mart, ONE_SYMBOL, {"symbol": symbol})
    if not rows.num_rows:
        raise MarketPipelineError(f"The mart has no forecast of {symbol!r}. {_nearest(symbol, read_symbols(mart))}")
    return rows


def read_risk(mart: Path, symbol: str | None = None) -> pa.Table:
    """The newest tails of one symbol or of all, by the champion of `tail`, with its verdict on that `question`.

    Raises MarketPipelineError for a symbol without a forecast, and for a mart that an earlier version published.
    """
    if not query(mart, "select 1 from duckdb_tables() where table_name = 'tails'").num_rows:
        raise MarketPipelineError(
            f"The mart {mart} was published by an earlier version, without tails. Publish it again: market-pipeline "
            "backfill --assets mart."
        )
    words = {"walk": BASELINE, "no_evidence": NO_EVIDENCE, "insufficient": INSUFFICIENT_DATA}
    rows = look_up(mart, RISK, {"symbol": symbol, **words})
    if symbol is not None and not rows.num_rows:
        raise MarketPipelineError(f"The mart has no forecast of {symbol!r}. {_nearest(symbol, read_symbols(mart))}")
    return rows


def read_symbols(mart: Path) -> list[str]:
    """Every symbol that has prices, in order."""
    symbols: list[str] = query(mart, "select distinct symbol from prices order by symbol")["symbol"].to_pylist()
    return symbols


def published_at(mart: Path) -> dt.datetime | None:
    """When the mart was published, in UTC; None if it has no prices."""
    found: dt.datetime | None = query(mart, "select max(published_at) as time from meta")["time"][0].as_py()
    return found and found.replace(tzinfo=dt.UTC)


def _nearest(symbol: str, known: list[str]) -> str:
    """A hint at the symbols that may be meant."""
    near = get_close_matches(symbol.upper(), known, n=3, cutoff=0.4)
    if near:
        return f"Did you mean {', '.join(near)}?"
    return f"It has {', '.join(known[:10])}." if known else "It has none yet."
