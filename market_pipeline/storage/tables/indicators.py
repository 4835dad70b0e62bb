"""The table `indicators`: what indicators there are, with family, bounds, lookback and the columns that each reads.

Holds facts only; how a number is computed is in the package `indicators`, in the file of its family. No indicator has
a unit of money or shares: values are fractions, ratios or log returns.
"""

from dataclasses import dataclass
from math import inf
from typing import Literal, TypeAlias

from market_pipeline.storage.schema import Column, Table
from market_pipeline.storage.tables.keys import MARKET, SESSION, SYMBOL
from market_pipeline.storage.tables.prices import ADJUSTED_CLOSE

Family: TypeAlias = Literal["trend", "momentum", "volatility", "volume"]

CLOSE = ADJUSTED_CLOSE
RANGE = ("high", "low", *CLOSE)
VOLUME = ("volume", *CLOSE)
VOLUME_RANGE = ("volume", *RANGE)
VOLUME_ALONE = ("volume", "split_ratio")


@dataclass(frozen=True)
class Indicator:
    """One column of the table."""

    name: str
    family: Family
    low: float
    high: float
    """Bounds by definition, both included, up to rounding; infinite where there is none."""
    lookback: int
    """Bars before the first one that has a value, with known volume if the family is volume."""
    reads: tuple[str, ...]
    """The columns of `prices` that it is computed from; a test changes them one by one."""
    description: str


# One line of facts and one of meaning each, to be read as a table.
# fmt: off
INDICATORS: tuple[Indicator, ...] = (
    Indicator("gap_sma_20", "trend", -1, 19, 19, CLOSE,
              "Close over its 20-session simple average, less 1"),
    Indicator("gap_sma_50", "trend", -1, 49, 49, CLOSE,
              "Close over its 50-session simple average, less 1"),
    Indicator("gap_sma_200", "trend", -1, 199, 199, CLOSE,
              "Close over its 200-session simple average, less 1"),
    Indicator("gap_ema_12", "trend", -1, 11, 11, CLOSE,
              "Close over its 12-session exponential average, less 1"),
    Indicator("gap_ema_26", "trend", -1, 25, 25, CLOSE,
              "Close over its 26-session exponential average, less 1"),
    Indicator("macd_histogram", "trend", -inf, inf, 33, CLOSE,
              "MACD (12, 26) less its 9-session signal, as a fraction of the close"),
    Indicator("adx_14", "trend", 0, 1, 27, RANGE,
              "Average directional index (Wilder), 0 to 1: strength of a trend of either direction"),
    Indicator("directional_14", "trend", -1, 1, 14, RANGE,
              "Plus less minus directional indicator (Wilder), -1 to 1"),
    Indicator("aroon_25", "trend", -1, 1, 25, RANGE,
              "Aroon oscillator over 25 sessions, -1 to 1: above 0 when the highest high is newer than the lowest low"),
    Indicator("slope_20", "trend", -inf, inf, 19, CLOSE,
              "Slope of the regression line through 20 log closes, log return per session"),
    Indicator("return_1", "momentum", -inf, inf, 1, CLOSE,
              "Log return over 1 session"),
    Indicator("return_5", "momentum", -inf, inf, 5, CLOSE,
              "Log return over 5 sessions"),
    Indicator("return_20", "momentum", -inf, inf, 20, CLOSE,
              "Log return over 20 sessions"),
    Indicator("return_60", "momentum", -inf, inf, 60, CLOSE,
              "Log return over 60 sessions"),
    Indicator("rsi_2", "momentum", 0, 1, 2, CLOSE,
              "Relative strength index (Wilder) over 2 sessions, 0 to 1; NULL until the close first changes"),
    Indicator("rsi_14", "momentum", 0, 1, 14, CLOSE,
              "Relative strength index (Wilder) over 14 sessions, 0 to 1; NULL until the close first changes"),
    Indicator("stochastic_k_14", "momentum", 0, 1, 17, RANGE,
              "Slow stochastic %K: mean of 3 places of the close in its 14-session range, 0 to 1; NULL without one"),
    Indicator("stochastic_d_14", "momentum", 0, 1, 17, RANGE,
              "Slow stochastic %D: 3-session mean of %K, 0 to 1; NULL without a range"),
    Indicator("williams_14", "momentum", -1, 0, 13, RANGE,
              "Williams %R over 14 sessions, -1 to 0; NULL without a range"),
    Indicator("cci_20", "momentum", -20 / 3, 20 / 3, 19, RANGE,
              "Commodity channel index over 20 sessions, hundredths"),
    Indicator("ultimate_28", "momentum", 0, 1, 28, RANGE,
              "Ultimate oscillator over 7, 14 and 28 sessions, 0 to 1; NULL when nothing moved for 7"),
    Indicator("autocorrelation_60", "momentum", -1, 1, 61, CLOSE,
              "Correlation of each return with the one before over 60 sessions, -1 to 1; 0 when nothing moved"),
    Indicator("carry_60", "momentum", -inf, inf, 61, CLOSE,
              "Last return in units of its 20-session deviation, times autocorrelation_60; NULL when nothing moved"),
    Indicator("natr_14", "volatility", 0, inf, 14, RANGE,
              "Average true range over 14 sessions, fraction of the close"),
    Indicator("true_range_1", "volatility", 0, inf, 1, RANGE,
              "True range of the session, fraction of the close"),
    Indicator("deviation_20", "volatility", 0, inf, 20, CLOSE,
              "Standard deviation of 20 log returns"),
    Indicator("deviation_60", "volatility", 0, inf, 60, CLOSE,
              "Standard deviation of 60 log returns"),
    Indicator("deviation_ratio", "volatility", 0, 3**0.5, 60, CLOSE,
              "deviation_20 over deviation_60; NULL when nothing moved for 60 sessions"),
    Indicator("bollinger_position_20", "volatility", -(19**0.5) / 2, 19**0.5 / 2, 19, CLOSE,
              "Close within its Bollinger band (20 sessions, 2 deviations): -1 lower, 1 upper; NULL without a band"),
    Indicator("bollinger_width_20", "volatility", 0, 4 * 19**0.5, 19, CLOSE,
              "Width of the Bollinger band, fraction of its middle"),
    Indicator("drawdown_252", "volatility", -1, 0, 251, CLOSE,
              "Close over its highest close of 252 sessions, less 1"),
    Indicator("rise_252", "volatility", 0, inf, 251, CLOSE,
              "Close over its lowest close of 252 sessions, less 1"),
    Indicator("mfi_14", "volume", 0, 1, 14, VOLUME_RANGE,
              "Money flow index over 14 sessions, 0 to 1; NULL when no money moved"),
    Indicator("obv_20", "volume", -1, 1, 20, VOLUME,
              "Change of on-balance volume over 20 sessions, fraction of the volume, -1 to 1"),
    Indicator("money_flow_20", "volume", -1, 1, 20, VOLUME_RANGE,
              "Change of Chaikin's accumulation line over 20 sessions, fraction of the volume, -1 to 1"),
    Indicator("volume_ratio_20", "volume", 0, 20, 19, VOLUME_ALONE,
              "Volume over its 20-session mean, 0 to 20"),
    Indicator("volume_deviation_20", "volume", 0, 19**0.5, 19, VOLUME_ALONE,
              "Standard deviation of volume over its mean, 20 sessions"),
    Indicator("volume_return_60", "volume", -1, 1, 60, VOLUME,
              "Correlation of return and volume over 60 sessions, -1 to 1; 0 when either stood still"),
)
# fmt: on

NAMES: tuple[str, ...] = tuple(indicator.name for indicator in INDICATORS)

INDICATOR_VALUES = Table(
    "indicators",
    "Indicators of every bar, scale-free or bounded: a later split or dividend changes none. NULL during lookbacks.",
    (
        *(column.of("prices") for column in (MARKET, SYMBOL, SESSION)),
        *(
            Column(
                indicator.name,
                "double",
                indicator.description,
                nullable=True,
                sources=tuple(f"prices.{name}" for name in indicator.reads),
            )
            for indicator in INDICATORS
        ),
    ),
    key=("symbol", "session"),
    partition="session",
)
