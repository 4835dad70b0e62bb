"""What readers ask the mart: the newest forecasts, the verdicts, one symbol. Opens read-only, closes at once."""

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
SYMBOLS = "select distinct symbol from prices order by symbol"
META = "from meta order by market"


def query(mart: Path, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
    """The answer of the published mart; raises MarketPipelineError when none was published yet."""
    if not mart.exists():
        raise MarketPipelineError(
            f"No mart is published at {mart}. Fill it first: make demo for a simulated market, or "
            "market-pipeline backfill --market stocks --start 2024-01-02 --end <newest session>."
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
        from difflib import get_close_matches

        known = query(mart, SYMBOLS)["symbol"].to_pylist()
        near = get_close_matches(symbol.upper(), known, n=3, cutoff=0.4)
        hint = f"Did you mean {', '.join(near)}?" if near else f"It has {', '.join(known[:10])}."
        raise MarketPipelineError(f"The mart has no forecast of {symbol!r}. {hint}")
    return rows
