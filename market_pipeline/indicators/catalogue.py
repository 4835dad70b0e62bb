"""What indicators there are: name, family, meaning, bounds, lookback; in the order of the table's columns.

Holds facts only. Knows neither how a number is computed (that is its family's file) nor tables; a test keeps it equal
to both. Nothing here carries a unit of money or shares: values are fractions, ratios or log returns.
"""

from dataclasses import dataclass
from math import inf
from typing import Literal, TypeAlias

Family: TypeAlias = Literal["trend", "momentum", "volatility", "volume"]


@dataclass(frozen=True)
class Indicator:
    """One column of the table `indicators`."""

    name: str
    family: Family
    low: float
    high: float
    """Bounds by definition, both included, up to rounding; infinite where there is none."""
    lookback: int
    """Bars before the first one that has a value, with known volume if the family is volume."""
    meaning: str
    """Also the comment of the table's column."""


# One line of facts and one of meaning each, to be read as a table.
# fmt: off
CATALOGUE: tuple[Indicator, ...] = (
    Indicator("gap_sma_20", "trend", -1, 19, 19,
              "Close over its 20-session simple average, less 1"),
    Indicator("gap_sma_50", "trend", -1, 49, 49,
              "Close over its 50-session simple average, less 1"),
    Indicator("gap_sma_200", "trend", -1, 199, 199,
              "Close over its 200-session simple average, less 1"),
    Indicator("gap_ema_12", "trend", -1, 11, 11,
              "Close over its 12-session exponential average, less 1"),
    Indicator("gap_ema_26", "trend", -1, 25, 25,
              "Close over its 26-session exponential average, less 1"),
    Indicator("macd_histogram", "trend", -inf, inf, 33,
              "MACD (12, 26) less its 9-session signal, as a fraction of the close"),
    Indicator("adx_14", "trend", 0, 1, 27,
              "Average directional index (Wilder), 0 to 1: strength of a trend of either direction"),
    Indicator("directional_14", "trend", -1, 1, 14,
              "Plus less minus directional indicator (Wilder), -1 to 1"),
    Indicator("aroon_25", "trend", -1, 1, 25,
              "Aroon oscillator over 25 sessions, -1 to 1: above 0 when the highest high is newer than the lowest low"),
    Indicator("slope_20", "trend", -inf, inf, 19,
              "Slope of the regression line through 20 log closes, log return per session"),
    Indicator("return_1", "momentum", -inf, inf, 1,
              "Log return over 1 session"),
    Indicator("return_5", "momentum", -inf, inf, 5,
              "Log return over 5 sessions"),
    Indicator("return_20", "momentum", -inf, inf, 20,
              "Log return over 20 sessions"),
    Indicator("return_60", "momentum", -inf, inf, 60,
              "Log return over 60 sessions"),
    Indicator("rsi_2", "momentum", 0, 1, 2,
              "Relative strength index (Wilder) over 2 sessions, 0 to 1; NULL until the close first changes"),
    Indicator("rsi_14", "momentum", 0, 1, 14,
              "Relative strength index (Wilder) over 14 sessions, 0 to 1; NULL until the close first changes"),
    Indicator("stochastic_k_14", "momentum", 0, 1, 17,
              "Slow stochastic %K: mean of 3 places of the close in its 14-session range, 0 to 1; NULL without one"),
    Indicator("stochastic_d_14", "momentum", 0, 1, 17,
              "Slow stochastic %D: 3-session mean of %K, 0 to 1; NULL without a range"),
    Indicator("williams_14", "momentum", -1, 0, 13,
              "Williams %R over 14 sessions, -1 to 0; NULL without a range"),
    Indicator("cci_20", "momentum", -20 / 3, 20 / 3, 19,
              "Commodity channel index over 20 sessions, hundredths"),
    Indicator("ultimate_28", "momentum", 0, 1, 28,
              "Ultimate oscillator over 7, 14 and 28 sessions, 0 to 1; NULL when nothing moved for 7"),
    Indicator("autocorrelation_60", "momentum", -1, 1, 61,
              "Correlation of each return with the one before over 60 sessions, -1 to 1; 0 when nothing moved"),
    Indicator("carry_60", "momentum", -inf, inf, 61,
              "Last return in units of its 20-session deviation, times autocorrelation_60; NULL when nothing moved"),
    Indicator("natr_14", "volatility", 0, inf, 14,
              "Average true range over 14 sessions, fraction of the close"),
    Indicator("true_range_1", "volatility", 0, inf, 1,
              "True range of the session, fraction of the close"),
    Indicator("deviation_20", "volatility", 0, inf, 20,
              "Standard deviation of 20 log returns"),
    Indicator("deviation_60", "volatility", 0, inf, 60,
              "Standard deviation of 60 log returns"),
    Indicator("deviation_ratio", "volatility", 0, 3**0.5, 60,
              "deviation_20 over deviation_60; NULL when nothing moved for 60 sessions"),
    Indicator("bollinger_position_20", "volatility", -(19**0.5) / 2, 19**0.5 / 2, 19,
              "Close within its Bollinger band (20 sessions, 2 deviations): -1 lower, 1 upper; NULL without a band"),
    Indicator("bollinger_width_20", "volatility", 0, 4 * 19**0.5, 19,
              "Width of the Bollinger band, fraction of its middle"),
    Indicator("drawdown_252", "volatility", -1, 0, 251,
              "Close over its highest close of 252 sessions, less 1"),
    Indicator("rise_252", "volatility", 0, inf, 251,
              "Close over its lowest close of 252 sessions, less 1"),
    Indicator("mfi_14", "volume", 0, 1, 14,
              "Money flow index over 14 sessions, 0 to 1; NULL when no money moved"),
    Indicator("obv_20", "volume", -1, 1, 20,
              "Change of on-balance volume over 20 sessions, fraction of the volume, -1 to 1"),
    Indicator("money_flow_20", "volume", -1, 1, 20,
              "Change of Chaikin's accumulation line over 20 sessions, fraction of the volume, -1 to 1"),
    Indicator("volume_ratio_20", "volume", 0, 20, 19,
              "Volume over its 20-session mean, 0 to 20"),
    Indicator("volume_deviation_20", "volume", 0, 19**0.5, 19,
              "Standard deviation of volume over its mean, 20 sessions"),
    Indicator("volume_return_60", "volume", -1, 1, 60,
              "Correlation of return and volume over 60 sessions, -1 to 1; 0 when either stood still"),
)
# fmt: on

NAMES: tuple[str, ...] = tuple(indicator.name for indicator in CATALOGUE)
