"""Names that are probably misspelt: settings, and symbols that a vendor spells otherwise."""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from market_pipeline.cli.doctor.finding import Finding
from market_pipeline.config.markets import Market
from market_pipeline.config.places import PREFIX
from market_pipeline.config.settings import variables

COIN = re.compile(r"([A-Z0-9]{2,6})[/_]?(USDT?|EUR|GBP|JPY|BTC)")
"""A pair without Yahoo's hyphen."""

SHARE_CLASS = re.compile(r"([A-Z]+)[./]([A-Z])")
"""BRK.B, which Yahoo writes with a hyphen."""


def misspelt_settings(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Variables with the prefix of the settings that are none of them: nothing reads them."""
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in variables():
            near = get_close_matches(name, variables(), n=1, cutoff=0.8)
            fix = f"Did you mean {near[0]}?" if near else f"The settings are {', '.join(variables())}."
            yield Finding("settings", False, f"{name} is set, but nothing reads it. {fix}")


def suspect_symbols(market: Market) -> Finding | None:
    """Symbols that Yahoo or an exchange probably does not know as they are written, with the likely spelling."""
    likely = {symbol: likely_spelling(symbol, market.calendar_name) for symbol in market.symbols}
    suspect = ", ".join(f"{symbol!r} is probably {near!r}" for symbol, near in likely.items() if near != symbol)
    return Finding(f"symbols of {market.name}", False, f"{suspect}. Correct the markets file.") if suspect else None


def likely_spelling(symbol: str, calendar: str) -> str:
    """The symbol as Yahoo would spell it in a market of this calendar.

    >>> likely_spelling("brk.b", "XNYS"), likely_spelling("SAP.DE", "XETR")
    ('BRK-B', 'SAP.DE')
    >>> likely_spelling("BTCUSD", "24/7"), likely_spelling("eth/usd", "24/7")
    ('BTC-USD', 'ETH-USD')
    """
    plain = symbol.strip().upper()
    found = None
    if calendar == "24/7":
        found = COIN.fullmatch(plain)
    elif calendar in ("XNYS", "XNAS"):  # elsewhere a single letter after a dot is an exchange (VOD.L)
        found = SHARE_CLASS.fullmatch(plain)
    return f"{found[1]}-{found[2]}" if found else plain
