"""Scales that are too sure are drawn to their mean; those that are right stay as they are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_pipeline.models.calibration.residuals import reverted_scales
from market_pipeline.models.calibration.reversion import fitted_reversion, reverted
from market_pipeline.storage.grids import Grid

SYMBOLS, SESSIONS = 20, 1500


def market(seed: int, noise: float) -> tuple[Grid, Grid]:
    """Returns, and scales that know the true one but for an error of `noise` in logarithms."""
    draw = np.random.default_rng(seed)
    true = np.exp(0.4 * draw.standard_normal((SYMBOLS, SESSIONS)) - 4)
    return true * draw.standard_t(6, true.shape), true * np.exp(noise * draw.standard_normal(true.shape))


def test_an_exponent_is_recovered() -> None:
    returns, scale = market(1, 0.0)
    exponent, centre = fitted_reversion(returns, (scale / np.exp(-4)) ** (1 / 0.6), 1)
    assert exponent == pytest.approx(0.6, abs=0.02)
    assert centre == pytest.approx(0.0, abs=0.02)


def test_a_scale_that_is_right_or_too_timid_is_left_alone_to_the_bit() -> None:
    returns, scale = market(2, 0.0)
    assert fitted_reversion(returns, scale, 1)[0] > 0.97
    timid = np.sqrt(scale)
    assert reverted(timid, fitted_reversion(returns, timid, 1)) is timid


def test_narrow_and_wide_ranges_hold_alike_once_the_scale_is_reverted() -> None:
    returns, scale = market(3, 0.4)
    before, after = (by_third(returns, one) for one in (scale, reverted(scale, fitted_reversion(returns, scale, 1))))
    assert before[0] < 0.74
    assert before[2] > 0.85
    assert np.abs(after - 0.8).max() < 0.02


def by_third(returns: Grid, scale: Grid) -> Grid:
    """How often 80 % ranges hold, from the third of the narrowest to that of the widest."""
    held = np.abs(returns / scale) <= np.quantile(np.abs(returns / scale), 0.8)
    third = np.searchsorted(np.quantile(scale, [1 / 3, 2 / 3]), scale)
    return np.array([held[third == place].mean() for place in range(3)])


def test_few_errors_move_nothing_far() -> None:
    returns, scale = market(4, 0.4)
    long, short = fitted_reversion(returns, scale, 1)[0], fitted_reversion(returns[:2, :250], scale[:2, :250], 20)[0]
    assert long < 0.6
    assert short > 0.75


def test_without_errors_or_moves_the_scale_stays() -> None:
    scale = np.full((2, 100), 0.01)
    for returns in (np.zeros((2, 100)), np.full((2, 100), np.nan), np.ones((2, 100))):
        np.testing.assert_allclose(reverted(scale, fitted_reversion(returns, scale, 1)), scale)


@settings(max_examples=20)
@given(st.floats(1e-3, 1e3), st.integers(0, 99))
def test_units_do_not_matter_and_the_order_of_scales_is_kept(unit: float, seed: int) -> None:
    returns, scale = market(seed, 0.3)
    returns, scale = returns[:3, :200], scale[:3, :200]
    found, other = fitted_reversion(returns, scale, 1), fitted_reversion(unit * returns, unit * scale, 1)
    assert other[0] == pytest.approx(found[0], abs=1e-4)
    np.testing.assert_allclose(reverted(unit * scale, other), unit * reverted(scale, found), rtol=1e-3)
    assert (np.argsort(reverted(scale, found), axis=None) == np.argsort(scale, axis=None)).all()


def test_parameters_without_a_reversion_keep_their_scale() -> None:
    scale = np.array([[0.01, 0.05]])
    assert reverted_scales({5: scale}, {})[5] is scale
