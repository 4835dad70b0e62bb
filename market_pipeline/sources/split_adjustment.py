"""Undo what vendors do to the past: prices re-based on splits, actions on days without a bar.

Knows bars and splits as tables; no vendor, no file, no network.
"""

import numpy as np
import pandas as pd

from market_pipeline.storage.tables.prices import PRICES

SCALED = [*PRICES, "dividend"]

SMALL = 0.05
"""Logarithm of a split ratio too near to 1 to be distinguished from a day's move; it counts as applied."""


def as_traded(bars: pd.DataFrame, splits: pd.DataFrame) -> pd.DataFrame:
    """Bars on the scale of their own day, from bars divided by every later split.

    `bars` has BAR_COLUMNS in any order of rows, `splits` has symbol, session and split_ratio of all splits known,
    those after the last bar as well. A split counts as applied unless the price jumps over it as it would without:
    vendors forget some. Prices and dividends before an applied split are multiplied by its ratio, volumes divided.
    """
    if splits.empty or bars.empty:
        return bars
    bars = bars.copy()
    session, close = bars["session"].to_numpy(), bars["close"].to_numpy(np.float64)
    factor = np.ones(len(bars))
    rows_of = bars.groupby("symbol").indices
    for symbol, when, ratio in splits[["symbol", "session", "split_ratio"]].itertuples(index=False):
        rows = np.asarray(rows_of.get(symbol, []), np.int64)
        earlier = rows[session[rows] < np.datetime64(when)]
        later = rows[session[rows] >= np.datetime64(when)]
        if len(earlier) and _applied(close, session, earlier, later, float(ratio)):
            factor[earlier] *= ratio
    bars[SCALED] = bars[SCALED].to_numpy(np.float64) * factor[:, None]
    bars["volume"] = bars["volume"].to_numpy(np.float64) / factor
    return bars


def _applied(close: np.ndarray, session: np.ndarray, earlier: np.ndarray, later: np.ndarray, ratio: float) -> bool:
    """Whether the prices before a split are on the scale of those after it already."""
    earlier, later = earlier[close[earlier] > 0], later[close[later] > 0]
    if not len(earlier) or not len(later) or abs(np.log(ratio)) < SMALL:
        return True
    before, after = close[earlier[session[earlier].argmax()]], close[later[session[later].argmin()]]
    jump = np.log(after / before)
    return bool(abs(jump) <= abs(jump + np.log(ratio)))


def without_empty_rows(bars: pd.DataFrame) -> pd.DataFrame:
    """Bars less the rows without any price, whose actions pass on to the symbol's next bar."""
    empty = bars[[*PRICES]].isna().all(axis=1)
    if not empty.any():
        return bars
    bars = bars.sort_values(["symbol", "session"], kind="stable", ignore_index=True)
    empty = bars[[*PRICES]].isna().all(axis=1)
    # Each bar closes a group: the empty rows right before it, and itself.
    group = (~empty).astype(int).groupby(bars["symbol"]).transform(lambda full: full[::-1].cumsum()[::-1])
    keys = [bars["symbol"], group]
    dividend = bars["dividend"].groupby(keys).transform("sum")
    split_ratio = bars["split_ratio"].groupby(keys).transform("prod")
    return bars.assign(dividend=dividend, split_ratio=split_ratio)[~empty].reset_index(drop=True)
