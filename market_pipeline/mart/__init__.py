"""The published database for readers, and its tables as pandas frames.

    from market_pipeline import mart
    mart.forecasts("AAPL", newest=True)

Each call opens the newest mart of MARKET_PIPELINE_STORE, or else of MARKET_PIPELINE_HOME, read-only and closes it: the
pipeline may publish at any time, and the next call reads what it published. A mart of a store is copied to this machine
once. A mart ages while none is published: `mart.freshness()` has how many sessions it is
behind. Days are pandas timestamps, returns log returns (`numpy.expm1` makes simple ones of them), probabilities
fractions. A missing mart or an unknown symbol raises MarketPipelineError with the fix.
"""

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Day: TypeAlias = dt.date | str
"""A day, or its text: 2024-01-02."""


def path() -> Path:
    """The mart as a file of this machine: `mart.duckdb` in MARKET_PIPELINE_HOME, or a copy of the newest in the store.

    The next publication replaces it, or has a file of its own. Raises MarketPipelineError where the store has none.
    """
    from market_pipeline.storage.publication import published

    return published().newest()


def sql(query: str, **parameters: Any) -> "pd.DataFrame":
    """The result of any query; `$name` in it takes the parameter of that name.

    Raises DuckDB's own error for invalid SQL, and for SQL that would change something.
    """
    from market_pipeline.mart import read

    return _frame(read.query(path(), query, parameters))


def freshness() -> "pd.DataFrame":
    """How old each market is now: its newest session, and `sessions_behind`, how many are due after it.

    A session is due when the daily run of its market starts. Missing for a market without a calendar in `meta`.
    """
    import pandas as pd

    from market_pipeline.mart.ages import read_freshness

    found = read_freshness(path(), dt.datetime.now(dt.UTC))
    rows = [(one.market, one.newest, one.behind) for one in found]
    frame = pd.DataFrame(rows, columns=["market", "newest_session", "sessions_behind"])
    return frame.astype({"newest_session": "datetime64[s]", "sessions_behind": "Int64"})


def prices(
    symbol: str | None = None, *, market: str | None = None, since: Day | None = None, until: Day | None = None
) -> "pd.DataFrame":
    """Bars as traded, and `adj_close`; one row per market, symbol and session, in this order."""
    return _rows("prices", symbol=symbol, market=market, since=since, until=until)


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
    """Every model's forecasts in log returns; one row per symbol, origin, horizon and model.

    `since` and `until` are origins; `newest` keeps the newest origin of each market; `in_prices` gives the same
    quantiles as prices, with the close at the origin.
    """
    table = "forecast_prices" if in_prices else "forecasts"
    filters = {"market": market, "horizon": horizon, "model": model, "since": since, "until": until}
    return _rows(table, symbol=symbol, newest=newest, **filters)


def scores(
    symbol: str | None = None,
    *,
    market: str | None = None,
    horizon: int | None = None,
    model: str | None = None,
    since: Day | None = None,
    until: Day | None = None,
) -> "pd.DataFrame":
    """The losses of each forecast whose target date is reached; `since` and `until` are origins."""
    return _rows("scores", symbol=symbol, market=market, horizon=horizon, model=model, since=since, until=until)


def daily_scores(
    *,
    market: str | None = None,
    horizon: int | None = None,
    model: str | None = None,
    since: Day | None = None,
    until: Day | None = None,
) -> "pd.DataFrame":
    """Mean `scores` over the symbols of a market, beside the random walk's; one row per origin, horizon and model.

    For plots over time and comparisons of models: some hundred times smaller than the scores.
    """
    return _rows("daily_scores", market=market, horizon=horizon, model=model, since=since, until=until)


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
    """The probability of each quintile of the market's returns, lowest first; arguments as of `forecasts`."""
    filters = {"market": market, "horizon": horizon, "model": model, "since": since, "until": until}
    return _rows("ranks", symbol=symbol, newest=newest, **filters)


def tails(
    symbol: str | None = None,
    *,
    market: str | None = None,
    horizon: int | None = None,
    model: str | None = None,
    since: Day | None = None,
    until: Day | None = None,
    newest: bool = False,
) -> "pd.DataFrame":
    """Value at risk and expected shortfall at 1, 2.5 and 5 %, losses negative; arguments as of `forecasts`.

    Of the models that claim the range; missing where too few past errors lie beyond a level.
    """
    filters = {"market": market, "horizon": horizon, "model": model, "since": since, "until": until}
    return _rows("tails", symbol=symbol, newest=newest, **filters)


def portfolios(
    portfolio: str | None = None,
    *,
    market: str | None = None,
    horizon: int | None = None,
    model: str | None = None,
    since: Day | None = None,
    until: Day | None = None,
    newest: bool = False,
) -> "pd.DataFrame":
    """What portfolios may gain and lose, by joint model, in simple returns; arguments as of `forecasts`.

    Names that begin with test_ are portfolios that nobody chose, on which joint models are judged.
    """
    filters = {"market": market, "horizon": horizon, "model": model, "since": since, "until": until}
    return _rows("portfolios", portfolio=portfolio, newest=newest, **filters)


def portfolio_parts(
    portfolio: str | None = None,
    *,
    market: str | None = None,
    horizon: int | None = None,
    model: str | None = None,
    since: Day | None = None,
    until: Day | None = None,
    newest: bool = False,
) -> "pd.DataFrame":
    """What each symbol adds to a portfolio's expected shortfall at 2.5 %; arguments as of `portfolios`."""
    filters = {"market": market, "horizon": horizon, "model": model, "since": since, "until": until}
    return _rows("portfolio_parts", portfolio=portfolio, newest=newest, **filters)


def portfolio_scores(
    portfolio: str | None = None,
    *,
    market: str | None = None,
    horizon: int | None = None,
    model: str | None = None,
    since: Day | None = None,
    until: Day | None = None,
) -> "pd.DataFrame":
    """What portfolios returned, with the losses of their forecasts; `since` and `until` are origins."""
    filters = {"market": market, "horizon": horizon, "model": model, "since": since, "until": until}
    return _rows("portfolio_scores", portfolio=portfolio, **filters)


def leaderboard() -> "pd.DataFrame":
    """Each model against the baseline of its question, by market, horizon and question, with the verdict."""
    return _rows("leaderboard")


def signals(symbol: str | None = None) -> "pd.DataFrame":
    """The newest published forecasts; of one symbol with prices: close, expected, and both ends of the 80 % range."""
    from market_pipeline.mart import read

    return _rows("signals") if symbol is None else _frame(read.read_forecast(path(), symbol))


def _rows(table: str, **filters: Any) -> "pd.DataFrame":
    from market_pipeline.mart import read

    return _frame(read.read_rows(path(), table, **filters))


def _frame(rows: "pa.Table") -> "pd.DataFrame":
    """As pandas, with days as timestamps."""
    frame: pd.DataFrame = rows.to_pandas(date_as_object=False)
    return frame
