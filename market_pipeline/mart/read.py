"""What readers ask the mart, in SQL and as Arrow tables. Opens read-only and closes at once.

What a caller leaves out arrives as NULL and restricts nothing.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from market_pipeline.errors import MarketPipelineError

SIGNALS = "from signals order by market, symbol, horizon"
LEADERBOARD = "from leaderboard order by market, horizon, question, model"
ONE_SYMBOL = """
select s.*, p.close, p.adj_close, p.adj_close * exp(s.expected_return) as expected_price,
    p.adj_close * exp(s.low_80) as low_price, p.adj_close * exp(s.high_80) as high_price
from signals s join prices p on p.market = s.market and p.symbol = s.symbol and p.session = s.as_of
where upper(s.symbol) = upper($symbol) order by s.market, s.horizon
"""
_SAID = """
    ($market is null or market = $market)
    and ($horizon is null or horizon = $horizon) and ($model is null or model = $model)
    and ($since is null or origin >= $since::date) and ($until is null or origin <= $until::date)
"""
_ASKED = " where ($symbol is null or upper(symbol) = upper($symbol)) and" + _SAID
_NEWEST = "and (not $newest or (market, origin) in (select (market, max(origin)) from forecasts group by market))\n"
_ORDER = "order by market, symbol, origin, horizon, model"
_PRICES = """
from prices
where ($symbol is null or upper(symbol) = upper($symbol)) and ($market is null or market = $market)
    and ($since is null or session >= $since::date) and ($until is null or session <= $until::date)
order by market, symbol, session
"""
DAILY_SCORES = "from daily_scores where" + _SAID + "order by market, horizon, model, origin"
ROWS = {
    "prices": _PRICES,
    "forecasts": "from forecasts" + _ASKED + _NEWEST + _ORDER,
    "forecast_prices": "from forecast_prices" + _ASKED + _NEWEST + _ORDER,
    "scores": "from scores" + _ASKED + _ORDER,
    "ranks": "from ranks" + _ASKED + _NEWEST + _ORDER,
}
"""The rows of a table that were asked for."""

SYMBOLS = "select distinct symbol from prices order by symbol"
META = "from meta order by market"


def query(mart: Path, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
    """The answer of the published mart; raises MarketPipelineError when none was published yet."""
    if not mart.exists():
        raise MarketPipelineError(
            f"No mart is published at {mart}. Fill it first: make demo for a simulated market, or "
            "market-pipeline backfill --market stocks --start 2024-01-02 --end <newest session>. If another folder has "
            "one, name it in MARKET_PIPELINE_HOME."
        )
    with duckdb.connect(str(mart), read_only=True) as connection:
        return connection.execute(sql, dict(parameters or {})).to_arrow_table()


def read_signals(mart: Path) -> pa.Table:
    """The newest signal of every market, symbol and horizon."""
    return query(mart, SIGNALS)


def read_verdicts(mart: Path) -> pa.Table:
    """The leaderboard of every market."""
    return query(mart, LEADERBOARD)


def read_forecast(mart: Path, symbol: str) -> pa.Table:
    """The signals of one symbol with their prices; raises MarketPipelineError for a symbol the mart does not have."""
    rows = query(mart, ONE_SYMBOL, {"symbol": symbol})
    if not rows.num_rows:
        raise MarketPipelineError(f"The mart has no forecast of {symbol!r}. {_nearest(mart, symbol)}")
    return rows


def read_rows(mart: Path, table: str, symbol: str | None, asked: Mapping[str, Any]) -> pa.Table:
    """The rows that were asked for of a table of ROWS; raises MarketPipelineError for a symbol without prices."""
    rows = query(mart, ROWS[table], {"symbol": symbol, **asked})
    if not rows.num_rows and symbol is not None and not _holds(mart, symbol):
        raise MarketPipelineError(f"The mart has no symbol {symbol!r}. {_nearest(mart, symbol)}")
    return rows


def read_daily_scores(mart: Path, asked: Mapping[str, Any]) -> pa.Table:
    """The daily means that were asked for; they are of no symbol."""
    return query(mart, DAILY_SCORES, asked)


def _holds(mart: Path, symbol: str) -> bool:
    return symbol.upper() in {known.upper() for known in query(mart, SYMBOLS)["symbol"].to_pylist()}


def _nearest(mart: Path, symbol: str) -> str:
    """Which symbols may have been meant."""
    from difflib import get_close_matches

    known = query(mart, SYMBOLS)["symbol"].to_pylist()
    near = get_close_matches(symbol.upper(), known, n=3, cutoff=0.4)
    if near:
        return f"Did you mean {', '.join(near)}?"
    return f"It has {', '.join(known[:10])}." if known else "It has none yet."
