"""Daily candles of a crypto exchange through ccxt's public interface: a few requests per symbol, no account.

The only file that knows ccxt. Volumes are in coins, where Yahoo's are in dollars; candles open at midnight UTC.
"""

import datetime as dt
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from platformdirs import user_cache_path

from market_pipeline.compute.rate import shared_rate
from market_pipeline.config.markets import Market
from market_pipeline.errors import SourceError
from market_pipeline.sources.protocol import BAR_COLUMNS, Fetched, Status
from market_pipeline.sources.retry import RetryPolicy
from market_pipeline.sources.vendor import fetch_each

PAGE = 300
"""Candles per request: the smallest limit among the large exchanges."""

DAY = 86_400_000
"""Milliseconds, the unit of ccxt's stamps."""


class ExchangeSource:
    """Pairs such as BTC-USD from the exchange that the market names; one that fails is an outcome."""

    name = "exchange"

    def __init__(
        self,
        exchange: str | None = None,
        *,
        interval: float = 0.5,
        rate_file: Path | None = None,
        timeout: float = 20.0,
        policy: RetryPolicy | None = None,
        address: str | None = None,
    ) -> None:
        """Ask `exchange` instead of the market's own; `address` takes the place of its public address."""
        self.exchange, self.timeout, self.address = exchange, timeout, address
        self.policy = policy or RetryPolicy()
        self.turn = shared_rate(rate_file or user_cache_path("market-pipeline") / "exchange-rate.sqlite", interval)
        self._clients: dict[str, Any] = {}

    def problem(self) -> str | None:
        return None

    def fetch(self, market: Market, symbols: Sequence[str], first: dt.date, last: dt.date) -> Fetched:
        client = self._client(self.exchange or market.exchange)
        bars = partial(self._history, client, first=first, last=last)
        return fetch_each(market, symbols, first, last, bars, _status, self.policy)

    def _client(self, exchange: str) -> Any:
        import ccxt

        if exchange not in ccxt.exchanges:
            raise SourceError(
                f"{exchange!r} is not an exchange that ccxt knows. Name one such as coinbaseexchange, bitstamp or "
                "kraken in the markets file."
            )
        if exchange not in self._clients:
            client = getattr(ccxt, exchange)({"timeout": round(1000 * self.timeout), "enableRateLimit": False})
            client.enableLastJsonResponse = True
            if not client.has["fetchOHLCV"]:
                raise SourceError(f"{exchange} gives no daily candles. Name another exchange in the markets file.")
            if self.address:
                client.urls["api"] = dict.fromkeys(client.urls["api"], self.address)
            self._clients[exchange] = client
        return self._clients[exchange]

    def _history(self, client: Any, symbol: str, first: dt.date, last: dt.date) -> pd.DataFrame:
        """The bars from `first` to `last`, page by page; raises whatever went wrong."""
        if not client.markets:
            self.turn()
            client.load_markets()
        since, until = _stamp(first), _stamp(last)
        candles = list[list[float]]()
        while since <= until:
            self.turn()
            page = client.fetch_ohlcv(symbol.replace("-", "/"), "1d", since, PAGE)
            if not isinstance(client.last_json_response, list | dict):
                # ccxt takes a page of HTML for an answer without candles.
                raise NoJSONError("the exchange's answer is no JSON")
            candles.extend(page)
            newest = max((candle[0] for candle in page), default=0)
            # Nothing in the page's days: the coin was listed later.
            since = newest + DAY if newest >= since else since + PAGE * DAY
        return bars_of(symbol, candles, first, last)


class NoJSONError(Exception):
    """What came is no answer of the exchange."""


class OtherHoursError(Exception):
    """The exchange's days do not begin at midnight UTC."""


def bars_of(symbol: str, candles: Sequence[Sequence[float]], first: dt.date, last: dt.date) -> pd.DataFrame:
    """The bars from `first` to `last` in BAR_COLUMNS, from candles of (milliseconds, o, h, l, c, volume)."""
    rows = pd.DataFrame(candles, columns=["stamp", *BAR_COLUMNS[2:7]]).astype({"stamp": "int64"})
    if (rows["stamp"] % DAY != 0).any():
        raise OtherHoursError("its days do not begin at midnight UTC, as those of the calendar do")
    rows = rows[rows["stamp"].between(_stamp(first), _stamp(last))].drop_duplicates(ignore_index=True)
    rows["session"] = pd.to_datetime(rows["stamp"], unit="ms").astype("datetime64[s]")
    rows = rows.assign(symbol=symbol, dividend=0.0, split_ratio=1.0)
    bars: pd.DataFrame = rows[list(BAR_COLUMNS)].astype(dict.fromkeys(BAR_COLUMNS[2:], np.float64))
    return bars


def _stamp(day: dt.date) -> int:
    return (day - dt.date(1970, 1, 1)).days * DAY


def _status(error: BaseException) -> tuple[Status, str]:
    """What an exception of ccxt means for its symbol."""
    import ccxt

    words = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
    if isinstance(error, (ccxt.RateLimitExceeded, ccxt.DDoSProtection)):
        return "rate_limited", words
    if isinstance(error, ccxt.BadSymbol):
        return "unknown_symbol", f"{words}; pairs are spelt like BTC-USD"
    if isinstance(error, OtherHoursError):
        return "rejected", words
    return "unavailable", f"{type(error).__name__}: {words}"
