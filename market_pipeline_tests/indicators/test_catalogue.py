"""The catalogue is true of the numbers: names, lookbacks, bounds, and where a value is unknown."""

import numpy as np
import pytest

from market_pipeline.indicators.bars import bars_of
from market_pipeline.indicators.compute import compute_indicators
from market_pipeline.indicators.momentum import momentum
from market_pipeline.indicators.trend import trend
from market_pipeline.indicators.volatility import volatility
from market_pipeline.indicators.volume import volume
from market_pipeline.prices.history import History
from market_pipeline.storage.grids import Grid
from market_pipeline.storage.tables.indicators import INDICATORS, NAMES, Indicator

SESSIONS = 900
DAYS = np.datetime64("2020-01-01") + np.arange(SESSIONS)
CALM, VOLATILE, HALTED, FLAT = range(4)
HALT = slice(400, 700)


def trying_history() -> History:
    """Symbols that test the bounds: calm, volatile with spikes of price and volume, halted for 300 sessions, flat."""
    draw = np.random.default_rng(11)
    steps = draw.normal(0, 0.02, (4, SESSIONS))
    steps[VOLATILE] = draw.standard_t(2, SESSIONS) * 0.15
    steps[HALTED, HALT] = 0
    steps[FLAT] = 0
    close = 30 * np.exp(np.cumsum(steps, axis=1))
    reach = np.abs(draw.normal(0, 0.01, (3, *close.shape)))
    reach[:, HALTED, HALT] = 0
    reach[:, FLAT] = 0
    low, high = close * np.exp(-reach[0]), close * np.exp(reach[1])
    opened = low + (high - low) * np.minimum(reach[2] * 50, 1)
    volume = np.exp(draw.normal(13, 0.5, close.shape))
    volume[VOLATILE] = np.exp(draw.normal(5, 4, SESSIONS))
    volume[HALTED, HALT] = 0
    return History(("CALM", "VOLATILE", "HALTED", "FLAT"), DAYS, opened, high, low, close, volume)


@pytest.fixture(scope="module")
def computed() -> dict[str, Grid]:
    return compute_indicators(trying_history())


def test_every_indicator_of_the_catalogue_is_computed(computed: dict[str, Grid]) -> None:
    families = (trend, momentum, volatility, volume)
    bars = bars_of(trying_history(), CALM, np.ones(SESSIONS, bool))
    declared = {(indicator.name, indicator.family) for indicator in INDICATORS}
    assert {(name, family.__name__) for family in families for name in family(bars)} == declared
    assert tuple(computed) == NAMES
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("indicator", INDICATORS, ids=NAMES)
def test_the_first_value_comes_after_the_lookback(indicator: Indicator, computed: dict[str, Grid]) -> None:
    values = computed[indicator.name][CALM]
    assert np.isnan(values[: indicator.lookback]).all()
    assert np.isfinite(values[indicator.lookback :]).all()


@pytest.mark.parametrize("indicator", INDICATORS, ids=NAMES)
def test_no_value_is_out_of_bounds(indicator: Indicator, computed: dict[str, Grid]) -> None:
    values = computed[indicator.name]
    known = values[~np.isnan(values)]
    assert (known >= indicator.low - 1e-9).all()
    assert (known <= indicator.high + 1e-9).all()
    assert np.isfinite(known).all()


EXTREMES_OF_NOTHING = (
    "stochastic_k_14", "stochastic_d_14", "williams_14", "ultimate_28", "mfi_14",
    "carry_60", "deviation_ratio", "bollinger_position_20",
)  # fmt: skip


@pytest.mark.parametrize("name", EXTREMES_OF_NOTHING)
def test_a_constant_price_is_at_no_extreme(name: str, computed: dict[str, Grid]) -> None:
    assert np.isnan(computed[name][FLAT]).all()
    assert np.isnan(computed[name][HALTED, 460:700]).all()
    assert np.isfinite(computed[name][HALTED, 762:]).all()


@pytest.mark.parametrize(("name", "averaged"), [("williams_14", 1), ("stochastic_k_14", 3), ("stochastic_d_14", 5)])
def test_a_place_in_a_range_is_unknown_while_it_averages_one_without(
    name: str, averaged: int, computed: dict[str, Grid]
) -> None:
    unknown = np.isnan(computed[name][HALTED])
    assert unknown[699 : 699 + averaged].all()
    assert not unknown[699 + averaged :].any()


@pytest.mark.parametrize("name", ["rsi_2", "rsi_14"])
def test_strength_is_unknown_until_the_price_first_moves(name: str, computed: dict[str, Grid]) -> None:
    assert np.isnan(computed[name][FLAT]).all()


@pytest.mark.parametrize("name", ["obv_20", "money_flow_20", "volume_ratio_20", "volume_deviation_20"])
def test_a_share_of_no_volume_is_unknown(name: str, computed: dict[str, Grid]) -> None:
    assert np.isnan(computed[name][HALTED, 419:700]).all()
    assert np.isfinite(computed[name][HALTED, 720:]).all()
