"""Momentum: how far and how fast the price has come. TA-Lib, Momentum group."""

import numpy as np
import talib
from talib._ta_lib import MA_Type

from market_pipeline.indicators.bars import Bars
from market_pipeline.panel import Grid

NAMES = (
    "return_1", "return_5", "return_20", "return_60", "rsi_2", "rsi_14", "stochastic_k_14", "stochastic_d_14",
    "williams_14", "cci_20", "cmo_14", "ultimate_28", "autocorrelation_60", "carry_60",
)  # fmt: skip


def momentum(bars: Bars) -> dict[str, Grid]:
    """Each of NAMES for every bar, NaN during its lookback."""
    high, low, close, returns = bars.high, bars.low, bars.close, bars.returns
    level = np.log(close)
    stochastic_k, stochastic_d = talib.STOCH(high, low, close, 14, 3, MA_Type.SMA, 3, MA_Type.SMA)
    autocorrelation = np.full_like(close, np.nan)
    # The first two bars have no return, or none before it.
    autocorrelation[2:] = talib.CORREL(returns[2:], returns[1:-1], 60)
    deviation = np.full_like(close, np.nan)
    deviation[1:] = talib.STDDEV(returns[1:], 20)
    return {
        "return_1": talib.MOM(level, 1),
        "return_5": talib.MOM(level, 5),
        "return_20": talib.MOM(level, 20),
        "return_60": talib.MOM(level, 60),
        "rsi_2": talib.RSI(close, 2) / 100,
        "rsi_14": talib.RSI(close, 14) / 100,
        "stochastic_k_14": stochastic_k / 100,
        "stochastic_d_14": stochastic_d / 100,
        "williams_14": talib.WILLR(high, low, close, 14) / 100,
        "cci_20": talib.CCI(high, low, close, 20) / 100,
        "cmo_14": talib.CMO(close, 14) / 100,
        "ultimate_28": talib.ULTOSC(high, low, close, 7, 14, 28) / 100,
        "autocorrelation_60": autocorrelation,
        "carry_60": autocorrelation * returns / np.where(deviation > 0, deviation, np.nan),
    }
