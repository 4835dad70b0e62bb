"""What readers get: the published database and the report; and, for notebooks, its tables as pandas frames.

    from market_pipeline import mart
    mart.forecasts("AAPL", newest=True)

Every call opens the mart of MARKET_PIPELINE_HOME read-only and closes it at once: the pipeline may publish at any time,
and the next call sees what it published. Days are pandas timestamps, returns log returns, probabilities fractions.
A missing mart or an unknown symbol raises MarketPipelineError, which says what to do.
"""

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Day: TypeAlias = dt.date | str
"""A day, or how one is written: 2024-01-02."""


def path() -> Path:
    """Where the mart is, or will be: `mart.duckdb` in MARKET_PIPELINE_HOME."""
    from market_pipeline.config.settings import home_of, mart_of

    return mart_of(home_of())


def sql(query: str, **parameters: Any) -> "pd.DataFrame":
    """The answer to any query on the mart; `$name` in it takes the parameter of that name.

    DuckDB's own error is raised for SQL that cannot be, and for SQL that would change something.
    """
    from market_pipeline.mart import read

    return _frame(read.query(path(), query, parameters))


def prices(
    symbol: str | None = None, *, market: str | None = None, since: Day | None = None, until: Day | None = None
) -> "pd.DataFrame":
    """Bars as they were traded, and `adj_close`; one row per market, symbol and session, in this order."""
    return _rows("prices", symbol, market=market, since=since, until=until)


def forecasts(
    symbol: str | None = None,
    *,
    market: str | None = None,
    horizon: int | None = None,
    model: str | None = None,
    since: Day | None = None,
    until: Day | None = None,
    newest: bool = False,
    in_prices: bool = False,
) -> "pd.DataFrame":
    """What every model said at every origin, in log returns; one row per symbol, origin, horizon and model.

    `since` and `until` are origins; `newest` keeps the newest origin of each market; `in_prices` gives the same
    quantiles as prices, with the close they start from.
    """
    table = "forecast_prices" if in_prices else "forecasts"
    asked = {"market": market, "horizon": horizon, "model": model, "since": since, "until": until, "newest": newest}
    return _rows(table, symbol, **asked)


def scores(
    symbol: str | None = None,
    *,
    market: str | None = None,
    horizon: int | None = None,
    model: str | None = None,
    since: Day | None = None,
    until: Day | None = None,
) -> "pd.DataFrame":
    """How wrong each forecast was that came due; `since` and `until` are origins."""
    return _rows("scores", symbol, market=market, horizon=horizon, model=model, since=since, until=until)


def daily_scores(
    *,
    market: str | None = None,
    horizon: int | None = None,
    model: str | None = None,
    since: Day | None = None,
    until: Day | None = None,
) -> "pd.DataFrame":
    """The means of `scores` over the symbols of a market, beside the random walk's; a row per origin, horizon, model.

    What a plot over time or a comparison of models needs, some hundred times smaller than the scores themselves.
    """
    from market_pipeline.mart import read

    asked = {"market": market, "horizon": horizon, "model": model, "since": since, "until": until}
    return _frame(read.read_daily_scores(path(), asked))


def ranks(
    symbol: str | None = None,
    *,
    market: str | None = None,
    horizon: int | None = None,
    model: str | None = None,
    since: Day | None = None,
    until: Day | None = None,
    newest: bool = False,
) -> "pd.DataFrame":
    """The chances of ending in each fifth of the market, lowest returns first; arguments as of `forecasts`."""
    asked = {"market": market, "horizon": horizon, "model": model, "since": since, "until": until, "newest": newest}
    return _rows("ranks", symbol, **asked)


def leaderboard() -> "pd.DataFrame":
    """Each model against the random walk, by market, horizon and question, with the verdict."""
    from market_pipeline.mart import read

    return _frame(read.read_verdicts(path()))


def signals(symbol: str | None = None) -> "pd.DataFrame":
    """What is served now; of one symbol with its prices: close, expected, and both ends of the 80 % range."""
    from market_pipeline.mart import read

    return _frame(read.read_signals(path()) if symbol is None else read.read_forecast(path(), symbol))


def _rows(table: str, symbol: str | None, **asked: Any) -> "pd.DataFrame":
    from market_pipeline.mart.read import read_rows

    return _frame(read_rows(path(), table, symbol, asked))


def _frame(rows: "pa.Table") -> "pd.DataFrame":
    """As pandas, with days as timestamps."""
    frame: pd.DataFrame = rows.to_pandas(date_as_object=False)
    return frame
