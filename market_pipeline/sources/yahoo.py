"""Yahoo Finance through yfinance: one request per symbol and range, asked politely, every failure named.

The only file that knows yfinance. Yahoo's terms allow personal use.
"""

import datetime as dt
import logging
import tempfile
import time
import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from market_pipeline.markets import Market
from market_pipeline.sources.protocol import BAR_COLUMNS, Fetched, Outcome, Status, outcome_of
from market_pipeline.sources.rebasing import as_traded, without_empty_rows

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
        pause: float = 0.5,
        attempts: int = 5,
        first_wait: float = 2.0,
        longest_wait: float = 120.0,
        timeout: float = 20.0,
    ) -> None:
        """`pause` seconds between symbols; waits between `attempts` grow at random up to `longest_wait`."""
        self.pause, self.timeout = pause, timeout
        self.retrying = Retrying(
            retry=retry_if_exception(_may_heal),
            stop=stop_after_attempt(attempts),
            wait=wait_random_exponential(multiplier=first_wait, max=longest_wait),
            before=_forget_answers,
            reraise=True,
        )

    def problem(self) -> str | None:
        return None

    def fetch(self, market: Market, symbols: Sequence[str], first: dt.date, last: dt.date) -> Fetched:
        frames, outcomes = [], []
        for place, symbol in enumerate(symbols):
            if place:
                time.sleep(self.pause)
            try:
                answer = self.retrying(_history, symbol, first, self.timeout)
            except Exception as error:  # noqa: BLE001  every failure of one symbol is its outcome
                outcomes.append(Outcome(symbol, *_status(error)))
                continue
            bars = bars_of(symbol, answer, first, last)
            frames.append(bars)
            found = bars["session"].to_numpy().astype("datetime64[D]")
            outcomes.append(outcome_of(market, symbol, found, first, last))
        bars = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(BAR_COLUMNS))
        return Fetched(bars, tuple(outcomes))


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
    client = _client()
    tomorrow = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=2)
    with warnings.catch_warnings():
        # yfinance puts its own filters back at import, and pandas 3 warns at each of its steps.
        warnings.simplefilter("ignore")
        history: pd.DataFrame = client.Ticker(symbol).history(
            start=first.isoformat(), end=tomorrow.isoformat(), interval="1d", timeout=timeout,
            auto_adjust=False, actions=True, keepna=True, repair=False,
        )  # fmt: skip
    return history


@cache
def _client() -> Any:
    """yfinance, set to raise instead of swallowing, quiet, with a cache folder of this process alone."""
    import yfinance as yf

    yf.config.debug.hide_exceptions = False
    yf.set_tz_cache_location(tempfile.mkdtemp(prefix="market-pipeline-yfinance-"))
    logging.getLogger("yfinance").setLevel(logging.CRITICAL)
    return yf


def _forget_answers(_: RetryCallState) -> None:
    """Let go of answers that yfinance keeps for the life of the process, failed ones among them."""
    _client()
    from yfinance.data import YfData

    YfData().cache_get.cache_clear()


def _status(error: BaseException) -> tuple[Status, str]:
    """What an exception of yfinance means for its symbol."""
    from yfinance.exceptions import YFRateLimitError, YFTzMissingError

    words = str(error).splitlines()[0] if str(error) else type(error).__name__
    if isinstance(error, YFRateLimitError):
        return "rate_limited", words
    if "No data found" in words or "404" in words or isinstance(error, YFTzMissingError):
        return "unknown_symbol", f"Yahoo does not know it: {words}"
    if "Data doesn't exist" in words:
        return "hole", words
    return "unavailable", f"{type(error).__name__}: {words}"


def _may_heal(error: BaseException) -> bool:
    return isinstance(error, Exception) and _status(error)[0] in ("rate_limited", "unavailable")
