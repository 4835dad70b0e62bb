"""Each indicator against its published definition in plain numpy, and what is true of all of them."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_pipeline.indicators.compute import compute_indicators
from market_pipeline.prices.history import ADJUSTED, History
from market_pipeline.storage.grids import Grid
from market_pipeline.storage.tables.indicators import NAMES
from market_pipeline.storage.tables.prices import PRICES

BARS = 400
DAYS = np.busday_offset(np.datetime64("2020-01-06"), np.arange(BARS))


def history_of(seed: int = 0, bars: int = BARS) -> History:
    """Two symbols of realistic bars; the second has holes."""
    draw = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(draw.normal(0.0005, 0.02, (2, bars)), axis=1))
    opened = close * np.exp(draw.normal(0, 0.005, close.shape))
    high = np.maximum(opened, close) * np.exp(np.abs(draw.normal(0, 0.005, close.shape)))
    low = np.minimum(opened, close) * np.exp(-np.abs(draw.normal(0, 0.005, close.shape)))
    volume = np.exp(draw.normal(13, 0.5, close.shape))
    hole = draw.random(close.shape) < 0.02
    hole[0] = False
    grids = [np.where(hole, np.nan, grid) for grid in (opened, high, low, close, volume)]
    return History(("FULL", "HOLED"), DAYS[:bars], *grids)


HISTORY = history_of()
O, H, L, C, V = (  # noqa: E741  as formulas spell them
    getattr(HISTORY, name)[0] for name in ADJUSTED
)
R = np.diff(np.log(C), prepend=np.nan)


def last(values: Grid, length: int) -> Grid:
    return values[-length:]


def ema(values: Grid, length: int) -> Grid:
    """Started from the simple average of the first `length` values."""
    out = np.full(len(values), np.nan)
    out[length - 1] = values[:length].mean()
    for t in range(length, len(values)):
        out[t] = out[t - 1] + (values[t] - out[t - 1]) * 2 / (length + 1)
    return out


def wilder(values: Grid, length: int, first: int) -> Grid:
    """Wilder's smoothing, started from the simple average of values[first : first + length]."""
    out = np.full(len(values), np.nan)
    out[first + length - 1] = values[first : first + length].mean()
    for t in range(first + length, len(values)):
        out[t] = (out[t - 1] * (length - 1) + values[t]) / length
    return out


def true_range() -> Grid:
    before = np.concatenate([[np.nan], C[:-1]])
    spread: Grid = np.fmax(H, before) - np.fmin(L, before)
    return spread


def rsi(length: int) -> float:
    change = np.diff(C, prepend=C[0])
    gain = wilder(np.maximum(change, 0), length, 1)[-1]
    loss = wilder(np.maximum(-change, 0), length, 1)[-1]
    return float(gain / (gain + loss))


def macd_histogram() -> float:
    # TA-Lib starts both averages at the slow one's first value.
    fast = np.full(BARS, np.nan)
    fast[25] = C[14:26].mean()
    for t in range(26, BARS):
        fast[t] = fast[t - 1] + (C[t] - fast[t - 1]) * 2 / 13
    line = (fast - ema(C, 26))[25:]
    return float((line - ema(line, 9))[-1] / C[-1])


def directional() -> tuple[float, float]:
    """Plus less minus DI, and ADX, by Wilder (1978) with sums decaying as S - S/14 + x."""
    up, down = np.diff(H, prepend=np.nan), -np.diff(L, prepend=np.nan)
    plus, minus = np.where((up > down) & (up > 0), up, 0), np.where((down > up) & (down > 0), down, 0)
    sums = [values[1:14].sum() for values in (plus, minus, true_range())]
    dx = []
    for t in range(14, BARS):
        sums = [s - s / 14 + values[t] for s, values in zip(sums, (plus, minus, true_range()), strict=True)]
        dx.append(abs(sums[0] - sums[1]) / (sums[0] + sums[1]))
    average = np.mean(dx[:14])
    for value in dx[14:]:
        average = (average * 13 + value) / 14
    return float((sums[0] - sums[1]) / sums[2]), float(average)


def stochastic_k(end: int) -> float:
    """The 3-session mean of raw %K at bar `end`."""
    raw = [
        (C[t] - L[t - 13 : t + 1].min()) / (H[t - 13 : t + 1].max() - L[t - 13 : t + 1].min())
        for t in range(end - 2, end + 1)
    ]
    return float(np.mean(raw))


def cci() -> float:
    typical = last((H + L + C) / 3, 20)
    return float((typical[-1] - typical.mean()) / (0.015 * np.abs(typical - typical.mean()).mean()) / 100)


def ultimate() -> float:
    before = np.concatenate([[np.nan], C[:-1]])
    pressure = C - np.fmin(L, before)
    ratios = [last(pressure, n).sum() / last(true_range(), n).sum() for n in (7, 14, 28)]
    return float((4 * ratios[0] + 2 * ratios[1] + ratios[2]) / 7)


def aroon() -> float:
    high, low = last(H, 26), last(L, 26)
    since_high, since_low = 25 - np.flatnonzero(high == high.max())[-1], 25 - np.flatnonzero(low == low.min())[-1]
    return float(((25 - since_high) - (25 - since_low)) / 25)


def money_flow_index() -> float:
    typical = (H + L + C) / 3
    flow, change = last(typical * V, 14), last(np.diff(typical, prepend=np.nan), 14)
    return float(flow[change > 0].sum() / flow.sum())


def correlation(a: Grid, b: Grid) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def spread(values: Grid) -> float:
    return float(np.std(values))


TRUTHS: dict[str, Callable[[], float]] = {
    "gap_sma_20": lambda: C[-1] / last(C, 20).mean() - 1,
    "gap_sma_50": lambda: C[-1] / last(C, 50).mean() - 1,
    "gap_sma_200": lambda: C[-1] / last(C, 200).mean() - 1,
    "gap_ema_12": lambda: C[-1] / ema(C, 12)[-1] - 1,
    "gap_ema_26": lambda: C[-1] / ema(C, 26)[-1] - 1,
    "macd_histogram": macd_histogram,
    "adx_14": lambda: directional()[1],
    "directional_14": lambda: directional()[0],
    "aroon_25": aroon,
    "slope_20": lambda: np.polyfit(np.arange(20), np.log(last(C, 20)), 1)[0],
    "return_1": lambda: np.log(C[-1] / C[-2]),
    "return_5": lambda: np.log(C[-1] / C[-6]),
    "return_20": lambda: np.log(C[-1] / C[-21]),
    "return_60": lambda: np.log(C[-1] / C[-61]),
    "rsi_2": lambda: rsi(2),
    "rsi_14": lambda: rsi(14),
    "stochastic_k_14": lambda: stochastic_k(BARS - 1),
    "stochastic_d_14": lambda: float(np.mean([stochastic_k(end) for end in range(BARS - 3, BARS)])),
    "williams_14": lambda: (C[-1] - last(H, 14).max()) / (last(H, 14).max() - last(L, 14).min()),
    "cci_20": cci,
    "ultimate_28": ultimate,
    "autocorrelation_60": lambda: correlation(last(R, 60), R[-61:-1]),
    "carry_60": lambda: correlation(last(R, 60), R[-61:-1]) * R[-1] / spread(last(R, 20)),
    "natr_14": lambda: wilder(true_range(), 14, 1)[-1] / C[-1],
    "true_range_1": lambda: true_range()[-1] / C[-1],
    "deviation_20": lambda: spread(last(R, 20)),
    "deviation_60": lambda: spread(last(R, 60)),
    "deviation_ratio": lambda: spread(last(R, 20)) / spread(last(R, 60)),
    "bollinger_position_20": lambda: (C[-1] - last(C, 20).mean()) / (2 * spread(last(C, 20))),
    "bollinger_width_20": lambda: 4 * spread(last(C, 20)) / last(C, 20).mean(),
    "drawdown_252": lambda: C[-1] / last(C, 252).max() - 1,
    "rise_252": lambda: C[-1] / last(C, 252).min() - 1,
    "mfi_14": money_flow_index,
    "obv_20": lambda: (np.sign(last(np.diff(C), 20)) * last(V, 20)).sum() / last(V, 20).sum(),
    "money_flow_20": lambda: (last((2 * C - H - L) / (H - L) * V, 20)).sum() / last(V, 20).sum(),
    "volume_ratio_20": lambda: V[-1] / last(V, 20).mean(),
    "volume_deviation_20": lambda: spread(last(V, 20)) / last(V, 20).mean(),
    "volume_return_60": lambda: correlation(last(R, 60), last(V, 60)),
}


@pytest.fixture(scope="module")
def computed() -> dict[str, Grid]:
    return compute_indicators(HISTORY)


@pytest.mark.parametrize("name", TRUTHS)
def test_an_indicator_equals_its_definition(name: str, computed: dict[str, Grid]) -> None:
    assert computed[name][0, -1] == pytest.approx(TRUTHS[name](), rel=1e-7, abs=1e-10)


@given(origin=st.integers(0, BARS - 2), seed=st.integers(0, 5))
@settings(max_examples=25)
def test_the_future_changes_no_indicator(origin: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    noise = {
        name: np.concatenate(
            [getattr(HISTORY, name)[:, : origin + 1], draw.uniform(1, 999, (2, BARS - origin - 1))], axis=1
        )
        for name in ADJUSTED
    }
    whole = compute_indicators(HISTORY)
    with_future_noise = compute_indicators(History(HISTORY.symbols, HISTORY.sessions, **noise))
    cut = compute_indicators(HISTORY.until(HISTORY.sessions[origin].item()))
    for name in NAMES:
        np.testing.assert_array_equal(whole[name][:, : origin + 1], cut[name], err_msg=name)
        np.testing.assert_array_equal(with_future_noise[name][:, : origin + 1], cut[name], err_msg=name)


@given(price=st.floats(1e-6, 1e6), shares=st.floats(1e-3, 1e6))
@settings(max_examples=10)
def test_indicators_do_not_depend_on_the_scale(price: float, shares: float) -> None:
    prices = {name: getattr(HISTORY, name) * price for name in PRICES}
    scaled = compute_indicators(History(HISTORY.symbols, HISTORY.sessions, volume=HISTORY.volume * shares, **prices))
    for name, grid in compute_indicators(HISTORY).items():
        np.testing.assert_allclose(scaled[name], grid, rtol=1e-9, atol=1e-10, err_msg=name)


def test_a_missing_bar_changes_no_value_after_it(computed: dict[str, Grid]) -> None:
    present = HISTORY.present[1]
    packed = {name: getattr(HISTORY, name)[1:, present] for name in ADJUSTED}
    alone = compute_indicators(History(("HOLED",), HISTORY.sessions[: present.sum()], **packed))
    for name in NAMES:
        np.testing.assert_array_equal(computed[name][1, present], alone[name][0], err_msg=name)
        assert np.isnan(computed[name][1, ~present]).all()
        assert np.isfinite(computed[name][1, present][260:]).all(), name


def test_an_unknown_volume_leaves_the_price_indicators_alone(computed: dict[str, Grid]) -> None:
    volume = HISTORY.volume.copy()
    volume[0, 300] = np.nan
    grids = {name: getattr(HISTORY, name) for name in PRICES}
    found = compute_indicators(History(HISTORY.symbols, HISTORY.sessions, volume=volume, **grids))
    np.testing.assert_array_equal(found["rsi_14"], computed["rsi_14"])
    assert np.isnan(found["mfi_14"][0, 300])
    assert np.isfinite(found["mfi_14"][0, 301:]).all()


def test_a_constant_price_gives_no_infinity() -> None:
    flat = np.full((1, 300), 7.0)
    for volume in (np.full((1, 300), 5.0), np.zeros((1, 300)), np.full((1, 300), np.nan)):
        grids = compute_indicators(History(("FLAT",), DAYS[:300], flat, flat, flat, flat, volume))
        assert not any(np.isinf(grid).any() for grid in grids.values())


def test_the_first_bars_have_the_values_that_later_ones_leave_them(computed: dict[str, Grid]) -> None:
    """A symbol's second bar has a return whether or not a third has come."""
    for bars in range(1, 30):
        for name, grid in compute_indicators(HISTORY.until(DAYS[bars - 1].item())).items():
            np.testing.assert_array_equal(grid, computed[name][:, :bars], err_msg=f"{name}, {bars} bars")


def test_an_uptrend_points_up_everywhere_a_sign_means_something() -> None:
    close = 10 * np.exp(0.01 * np.arange(300) + 0.002 * np.sin(np.arange(300)))[None]
    history = History(("UP",), DAYS[:300], close * 0.999, close * 1.002, close * 0.998, close, np.full((1, 300), 1e6))
    grids = compute_indicators(history)
    for name in ("gap_sma_20", "directional_14", "aroon_25", "slope_20", "return_20", "cci_20", "obv_20"):
        assert grids[name][0, -1] > 0, name
    assert grids["rsi_14"][0, -1] > 0.5
    assert grids["williams_14"][0, -1] > -0.5
