"""Yahoo Finance through yfinance: one request per symbol and range, rate-limited, every failure named.

The only file that knows yfinance. Yahoo's terms allow personal use.
"""

import datetime as dt
import logging
import tempfile
import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from platformdirs import user_cache_path

from market_pipeline.compute.rate import shared_rate
from market_pipeline.config.markets import Market
from market_pipeline.sources.protocol import BAR_COLUMNS, Fetched, Status
from market_pipeline.sources.retry import RetryPolicy
from market_pipeline.sources.split_adjustment import as_traded, without_empty_rows
from market_pipeline.sources.vendor import fetch_each

COLUMNS = {
    "Open": "open", "High": "high", "Low": "low", "Close": "close", "Volume": "volume",
    "Dividends": "dividend", "Stock Splits": "split_ratio",
}  # fmt: skip


class YahooSource:
    """Asks for one symbol after the other; a symbol that fails is an outcome and stops no other."""

    name = "yahoo"

    def __init__(
        self,
        *,
        interval: float = 0.5,
        rate_file: Path | None = None,
        timeout: float = 20.0,
        policy: RetryPolicy | None = None,
    ) -> None:
        """One request every `interval` seconds by all processes that share `rate_file`."""
        self.timeout, self.policy = timeout, policy or RetryPolicy()
        self.turn = shared_rate(rate_file or user_cache_path("market-pipeline") / "yahoo-rate.sqlite", interval)

    def problem(self) -> str | None:
        return None

    def fetch(self, market: Market, symbols: Sequence[str], first: dt.date, last: dt.date) -> Fetched:
        def bars(symbol: str) -> pd.DataFrame:
            self.turn()
            _forget_answers()
            return bars_of(symbol, _history(symbol, first, self.timeout), first, last)

        return fetch_each(market, symbols, first, last, bars, _status, self.policy)


class OtherSymbolError(Exception):
    """The vendor answered for another symbol than it was asked for."""


def bars_of(symbol: str, answer: pd.DataFrame, first: dt.date, last: dt.date) -> pd.DataFrame:
    """The bars from `first` to `last` in BAR_COLUMNS, as traded, from an answer that reaches to now.

    A bar's session is the exchange's local day: the answer's index carries the exchange's time zone.
    """
    rows = answer[list(COLUMNS)].rename(columns=COLUMNS).astype(np.float64)
    rows["session"] = pd.DatetimeIndex(answer.index).tz_localize(None).normalize().astype("datetime64[s]")
    rows["symbol"] = symbol
    rows["split_ratio"] = rows["split_ratio"].where(rows["split_ratio"] > 0, 1.0)
    splits = rows.loc[rows["split_ratio"] != 1, ["symbol", "session", "split_ratio"]]
    bars = as_traded(without_empty_rows(rows[list(BAR_COLUMNS)].reset_index(drop=True)), splits)
    asked = (bars["session"] >= pd.Timestamp(first)) & (bars["session"] <= pd.Timestamp(last))
    kept: pd.DataFrame = bars[asked].reset_index(drop=True)
    return kept


def _history(symbol: str, first: dt.date, timeout: float) -> pd.DataFrame:
    """Everything from `first` to now, so that every later split is known; raises whatever went wrong."""
    ticker = _client().Ticker(symbol)
    tomorrow = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=2)
    with warnings.catch_warnings():
        # yfinance puts its own filters back at import, and pandas 3 warns at each of its steps.
        warnings.simplefilter("ignore")
        history: pd.DataFrame = ticker.history(
            start=first.isoformat(), end=tomorrow.isoformat(), interval="1d", timeout=timeout,
            auto_adjust=False, actions=True, keepna=True, repair=False,
        )  # fmt: skip
    if pd.DatetimeIndex(history.index).hasnans:
        raise ValueError("Yahoo answered with bars that have no date")
    answered = str(ticker.history_metadata["symbol"])
    if answered.upper() != symbol.upper():
        raise OtherSymbolError(f"asked for {symbol}, Yahoo answered with the bars of {answered}")
    return history


@cache
def _client() -> Any:
    """yfinance, set to raise instead of swallowing, quiet, with a cache folder of this process alone."""
    import yfinance as yf

    yf.config.debug.hide_exceptions = False
    yf.set_tz_cache_location(_cache_folder().name)
    logging.getLogger("yfinance").setLevel(logging.CRITICAL)
    return yf


@cache
def _cache_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder that goes when the process ends: shared, or left by a crash, yfinance's caches have broken."""
    return tempfile.TemporaryDirectory(prefix="market-pipeline-yfinance-", ignore_cleanup_errors=True)


def _forget_answers() -> None:
    """Let go of answers that yfinance keeps for the life of the process, failed ones among them."""
    _client()
    from yfinance.data import YfData

    YfData().cache_get.cache_clear()


def _status(error: BaseException) -> tuple[Status, str]:
    """What an exception of yfinance means for its symbol."""
    from yfinance.exceptions import YFPricesMissingError, YFRateLimitError, YFTzMissingError

    words = str(error).splitlines()[0] if str(error) else type(error).__name__
    if isinstance(error, YFRateLimitError):
        return "rate_limited", words
    if "No data found" in words or "404" in words or isinstance(error, YFTzMissingError):
        return "unknown_symbol", f"Yahoo does not know it: {words}"
    if "Data doesn't exist" in words:
        return "hole", words
    if isinstance(error, OtherSymbolError):
        return "rejected", words
    if isinstance(error, YFPricesMissingError):
        return "unavailable", "Yahoo answered without any price or reason"  # the client guesses: possibly delisted
    return "unavailable", f"{type(error).__name__}: {words}"
