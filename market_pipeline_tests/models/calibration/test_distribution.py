"""Mean, quantiles and the chance of a rise belong to one distribution."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market_pipeline.models.calibration.distribution import FINE_LEVELS, Distribution, by_chance, zero_mean
from market_pipeline.storage.grids import Grid
from market_pipeline.storage.tables.forecasts import LEVELS

HALF = np.sort(np.abs(np.random.default_rng(0).standard_t(4, len(FINE_LEVELS) // 2)))
RESIDUALS = np.concatenate([-HALF[::-1], [0.0], HALF])
Made = Callable[[Grid, float], Distribution]


def of_zero_mean(p_up: Grid, scale: float) -> Distribution:
    return zero_mean(np.full_like(p_up, scale), RESIDUALS, p_up)


def of_chance(p_up: Grid, scale: float) -> Distribution:
    return by_chance(p_up, np.full_like(p_up, scale), RESIDUALS)


@pytest.mark.parametrize("make", [of_zero_mean, of_chance])
@given(p_up=st.floats(0.02, 0.98), scale=st.floats(1e-6, 10))
def test_the_quantile_at_the_chance_of_a_fall_is_zero(make: Made, p_up: float, scale: float) -> None:
    one = make(np.array([p_up]), scale)
    quantiles, rising = one.quantiles[0], 1 - np.array(LEVELS)
    assert (np.diff(quantiles) >= 0).all()
    assert ((p_up >= rising - 1e-9) | (quantiles < 0)).all()
    assert ((p_up <= rising + 1e-9) | (quantiles > 0)).all()
    assert one.p_up == p_up


@given(p_up=st.floats(0.02, 0.98))
def test_likelier_rises_mirror_likelier_falls(p_up: float) -> None:
    up, down = (of_zero_mean(np.array([chance]), 0.1) for chance in (p_up, 1 - p_up))
    np.testing.assert_allclose(up.quantiles, -down.quantiles[:, ::-1], atol=1e-12)


def test_the_mean_is_zero_whatever_the_chance_of_a_rise() -> None:
    """Of draws: the residuals' halves, stretched as the quantiles of a distribution with many levels are."""
    size = np.abs(RESIDUALS[RESIDUALS > 0])
    for p_up in (0.3, 0.5, 0.6):
        one = of_zero_mean(np.array([p_up]), 1.0).quantiles[0]
        rise = one[-1] / np.interp(1 - 0.025 / (2 * p_up), FINE_LEVELS, RESIDUALS)
        fall = one[0] / np.interp(0.025 / (2 - 2 * p_up), FINE_LEVELS, RESIDUALS)
        assert p_up * (rise * size).mean() == pytest.approx((1 - p_up) * (fall * size).mean())


def test_nothing_is_known_without_a_scale_or_a_chance() -> None:
    for make in (zero_mean, lambda scale, residuals, p_up: by_chance(p_up, scale, residuals)):
        one = make(np.array([np.nan, 0.1]), RESIDUALS, np.array([0.5, np.nan]))
        assert np.isnan(one.mean).all()
        assert np.isnan(one.quantiles).all()
        assert np.isnan(one.p_up).all()


@given(chances=st.lists(st.floats(0.02, 0.98) | st.just(np.nan), min_size=1, max_size=4))
def test_a_level_has_the_same_quantile_whatever_is_asked_beside_it(chances: list[float]) -> None:
    residuals = np.sinh(3 * (FINE_LEVELS - 0.5))
    found = zero_mean(np.full(len(chances), 0.02), residuals, np.array(chances)).quantile_function
    assert found is not None
    tail = np.linspace(0.0, 0.05, 11)
    np.testing.assert_array_equal(found(np.array([*tail, 0.5, 0.99]))[..., : len(tail)], found(tail))
