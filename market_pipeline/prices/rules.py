"""The rules for a bar that is to be stored: each is a sentence that is false for a bad bar.

A rule uses a bar and at most the LOOKBACK sessions before it, so the result does not depend on the batch. Rules for
the values of one bar are declared with the table (`BAR_RULES`); those that need the calendar or other bars are here.
"""

import datetime as dt

import numpy as np
import pandas as pd

from market_pipeline.config.markets import Market
from market_pipeline.storage.grids import Mask
from market_pipeline.storage.tables.prices import BAR_RULES, BAR_VALUES, BARS

LOOKBACK = 10
"""Sessions before a bar whose median close it is compared with."""


def broken_rule(bars: pd.DataFrame, market: Market, now: dt.datetime) -> np.ndarray:
    """The first rule that each bar breaks, '' for a good one; shape (bars,), in the order of `bars`.

    `bars` has the columns of BAR_COLUMNS as traded, in any order of rows, identical rows once. `now` is in UTC.
    """
    session = bars["session"].to_numpy().astype("datetime64[D]")
    today = np.datetime64(pd.Timestamp(now).tz_convert(market.timezone).date())
    numbers = bars[list(BAR_VALUES)].astype(np.float64)
    values = {rule: ~np.asarray(numbers.eval(condition, engine="python")) for rule, condition in BAR_RULES.items()}
    broken: dict[str, Mask] = {
        **dict(list(values.items())[:2]),  # a row without prices is named as such, whatever its day
        "the session has begun": session > today,
        "the day is a session of the calendar": ~np.isin(session, market.sessions),
        **values,
        "a symbol and session appear once": bars.duplicated(BARS.key, keep=False).to_numpy(),
    }
    first = np.select(list(broken.values()), list(range(1, len(broken) + 1)), default=0)
    absurd = f"the close is within {market.absurd_factor:g} times its recent median"
    good = np.flatnonzero(first == 0)
    first[good[_absurd(bars.iloc[good], market)]] = len(broken) + 1
    rules: np.ndarray = np.array(["", *broken, absurd], object)[first]
    return rules


def _absurd(bars: pd.DataFrame, market: Market) -> Mask:
    """Closes too far from the median of the LOOKBACK sessions before, splits accounted for; shape (bars,)."""
    if bars.empty:
        return np.zeros(0, bool)
    days = market.sessions_between(bars["session"].min().date(), bars["session"].max().date())
    row = np.searchsorted(days, bars["session"].to_numpy().astype("datetime64[D]"))
    column, symbols = pd.factorize(bars["symbol"])
    close, ratio = np.full((len(days), len(symbols)), np.nan), np.ones((len(days), len(symbols)))
    close[row, column], ratio[row, column] = bars["close"], bars["split_ratio"]
    with np.errstate(over="ignore"):
        level = pd.DataFrame(close * ratio.cumprod(axis=0))
    median = level.rolling(LOOKBACK, min_periods=1).median().shift(1)
    absurd: Mask = (np.abs(np.log(level / median)) > np.log(market.absurd_factor)).to_numpy()[row, column]
    return absurd
