"""What makes a bar impossible: each rule is the sentence that a bad bar makes false.

Every rule looks at a bar and at most the LOOKBACK sessions before it, so a bar is judged alike in any batch.
"""

import datetime as dt

import numpy as np
import pandas as pd

from market_pipeline.config.markets import Market
from market_pipeline.storage.grids import Mask

LOOKBACK = 10
"""Sessions before a bar whose median close it is held against."""

TOLERANCE = 1e-6
"""Relative: adjusted prices of vendors leave the day's range by rounding alone."""

PRICES = ["open", "high", "low", "close"]


def broken_rule(bars: pd.DataFrame, market: Market, now: dt.datetime) -> np.ndarray:
    """The first rule that each bar breaks, '' for a good one; shape (bars,), in the order of `bars`.

    `bars` has the columns of BAR_COLUMNS as traded, in any order of rows; identical rows count once.
    """
    values = bars[PRICES].to_numpy(np.float64)
    high, low = values[:, 1], values[:, 2]
    session = bars["session"].to_numpy().astype("datetime64[D]")
    today = np.datetime64(pd.Timestamp(now).tz_convert(market.timezone).date())
    lowest, highest = values.min(axis=1), values.max(axis=1)
    rules: dict[str, Mask] = {
        "every price is a number": ~np.isfinite(values).all(axis=1),
        "every price is positive": lowest <= 0,
        "the session has begun": session > today,
        "the day is a session of the calendar": ~np.isin(session, market.sessions),
        "no price is above the high": highest > high * (1 + TOLERANCE),
        "no price is below the low": lowest < low * (1 - TOLERANCE),
        "no volume is negative": bars["volume"].to_numpy(np.float64) < 0,
        "a split ratio is positive": ~(bars["split_ratio"].to_numpy(np.float64) > 0),
        "a dividend is not negative": ~(bars["dividend"].to_numpy(np.float64) >= 0),
        "a symbol and session appear once": bars.duplicated(["symbol", "session"], keep=False).to_numpy(),
    }
    verdict = np.select(list(rules.values()), list(rules), default="").astype(object)
    good = verdict == ""
    verdict[np.flatnonzero(good)[_absurd(bars[good], market)]] = (
        f"the close is within {market.absurd_factor:g} times its recent median"
    )
    return verdict


def _absurd(bars: pd.DataFrame, market: Market) -> Mask:
    """Closes too far from the median of the LOOKBACK sessions before, splits accounted for; shape (bars,)."""
    if bars.empty:
        return np.zeros(0, bool)
    ratio = bars.pivot_table(index="session", columns="symbol", values="split_ratio", dropna=False)
    close = bars.pivot_table(index="session", columns="symbol", values="close", dropna=False)
    days = market.sessions_between(close.index.min().date(), close.index.max().date()).astype("datetime64[s]")
    shares = ratio.reindex(days).fillna(1.0).cumprod()
    level = close.reindex(days) * shares
    median = level.rolling(LOOKBACK, min_periods=1).median().shift(1)
    jump = np.abs(np.log((level / median).to_numpy())) > np.log(market.absurd_factor)
    row = level.index.get_indexer(pd.Index(bars["session"]))
    column = level.columns.get_indexer(pd.Index(bars["symbol"]))
    absurd: Mask = jump[row, column]
    return absurd
