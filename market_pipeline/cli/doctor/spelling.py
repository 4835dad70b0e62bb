"""Names that somebody typed and that mean nothing: settings, and symbols that a vendor spells otherwise."""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from market_pipeline.cli.doctor.finding import Finding
from market_pipeline.config.markets import Market

PREFIX = "MARKET_PIPELINE_"
KNOWN = tuple(PREFIX + name for name in ("HOME", "SOURCE", "FILES", "CONFIG", "ALERTS", "MODELS", "TRACEBACK"))

COIN = re.compile(r"([A-Z0-9]{2,6})[/_]?(USDT?|EUR|GBP|JPY|BTC)")
"""A pair without Yahoo's hyphen."""

SHARE_CLASS = re.compile(r"([A-Z]+)[./]([A-Z])")
"""BRK.B, which Yahoo writes with a hyphen."""


def misspelt_settings(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Variables that begin as the settings do and are none of them: they are read by nobody."""
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in KNOWN:
            near = get_close_matches(name, KNOWN, n=1, cutoff=0.8)
            mend = f"Did you mean {near[0]}?" if near else f"The settings are {', '.join(KNOWN)}."
            yield Finding("settings", well=False, words=f"{name} is set, but nothing reads it. {mend}")


def suspect_symbols(market: Market, source: str) -> Iterator[Finding]:
    """Symbols that Yahoo or an exchange will hardly know as they are written, with the likely spelling."""
    if source not in ("yahoo", "exchange"):
        return
    meant = {symbol: near for symbol in market.symbols if (near := likely(symbol, market)) != symbol}
    if meant:
        words = ", ".join(f"{symbol!r} is probably {near!r}" for symbol, near in meant.items())
        yield Finding(f"symbols of {market.name}", well=False, words=f"{words}. Correct the markets file.")


def likely(symbol: str, market: Market) -> str:
    """The symbol as Yahoo would spell it.

    >>> import datetime as dt
    >>> stocks = Market("stocks", "XNYS", dt.date(2020, 1, 2), ("A",))
    >>> coins = Market("crypto", "24/7", dt.date(2020, 1, 2), ("A",))
    >>> likely("brk.b", stocks), likely("BTCUSD", coins), likely("eth/usd", coins), likely("SAP.DE", stocks)
    ('BRK-B', 'BTC-USD', 'ETH-USD', 'SAP.DE')
    """
    plain = symbol.strip().upper()
    if market.calendar_name == "24/7":
        found = COIN.fullmatch(plain)
        return f"{found[1]}-{found[2]}" if found and "-" not in plain else plain
    found = SHARE_CLASS.fullmatch(plain)
    # A single letter after a dot is a class of shares in New York, and an exchange elsewhere (VOD.L).
    return f"{found[1]}-{found[2]}" if found and market.calendar_name in ("XNYS", "XNAS") else plain
