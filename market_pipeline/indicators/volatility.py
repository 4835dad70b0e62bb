"""Volatility: how far the price swings. TA-Lib, Volatility, Overlap and Statistic groups."""

import numpy as np
from talib import _ta_lib as talib

from market_pipeline.indicators.bars import Bars
from market_pipeline.storage.grids import Grid


def volatility(bars: Bars) -> dict[str, Grid]:
    """Each of the family, shape (bars,), as the catalogue describes it; NaN during its lookback."""
    high, low, close = bars.high, bars.low, bars.close
    upper, middle, lower = talib.BBANDS(close, 20, 2, 2)
    deviation = {length: np.full_like(close, np.nan) for length in (20, 60)}
    for length, values in deviation.items():
        values[1:] = talib.STDDEV(bars.returns[1:], length)
    width = (upper - lower) / middle
    return {
        "natr_14": talib.NATR(high, low, close, 14) / 100,
        "true_range_1": talib.TRANGE(high, low, close) / close,
        "deviation_20": deviation[20],
        "deviation_60": deviation[60],
        "deviation_ratio": deviation[20] / np.where(deviation[60] > 0, deviation[60], np.nan),
        # A band without a width has no position in it.
        "bollinger_position_20": (close - middle) / np.where(width > 1e-9, upper - middle, np.nan),
        "bollinger_width_20": width,
        "drawdown_252": close / talib.MAX(close, 252) - 1,
        "rise_252": close / talib.MIN(close, 252) - 1,
    }
