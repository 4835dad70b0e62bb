"""Value at risk and expected shortfall come from the calibrated distribution, or are refused."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as student

from market_pipeline.models.calibration.conformal import conformal_quantiles, effective_errors, tracked_quantiles
from market_pipeline.models.calibration.distribution import (
    CENTRAL_LEVELS,
    FINE_LEVELS,
    Distribution,
    average,
    location_scale,
    zero_mean,
)
from market_pipeline.models.calibration.tails import tail_means, tails_of, tails_of_sample
from market_pipeline.storage.grids import Grid
from market_pipeline.storage.tables.forecasts import LEVELS, TAIL_LEVELS

ERRORS = np.random.default_rng(0).standard_t(4, (40, 1200))
RESIDUALS = tracked_quantiles(ERRORS, 1)
PLENTY = 10_000.0


def of(scale: float, p_up: float, errors: float = PLENTY) -> Distribution:
    return zero_mean(np.full((1, 1), scale), RESIDUALS, np.full((1, 1), p_up), errors)


@given(st.floats(1e-6, 1.0), st.floats(0.1, 0.9))
def test_a_tail_is_ordered_agrees_with_the_quantiles_and_scales(scale: float, p_up: float) -> None:
    one = of(scale, p_up)
    tails = tails_of(one)
    assert tails is not None
    losses, shortfalls = tails.value_at_risk[0, 0], tails.shortfall[0, 0]
    assert (shortfalls <= losses).all()
    assert (losses < 0).all()
    assert (np.diff(losses) >= 0).all()
    assert (np.diff(shortfalls) >= 0).all()
    assert losses[1:].tolist() == one.quantiles[0, 0, :2].tolist()
    twice = tails_of(of(2 * scale, p_up))
    assert twice is not None
    np.testing.assert_allclose(twice.shortfall[0, 0], 2 * shortfalls, rtol=1e-12)


@pytest.mark.parametrize("p_up", [0.35, 0.5, 0.62])
def test_the_shortfall_is_the_mean_of_the_quantile_function_below_the_level(p_up: float) -> None:
    for one in (of(0.02, p_up), average([of(0.02, p_up), of(0.05, p_up)])):
        tails = tails_of(one)
        assert tails is not None
        assert one.quantile_function is not None
        assert one.quantile_function(np.array(LEVELS)).tolist() == one.quantiles.tolist()
        for place, level in enumerate(TAIL_LEVELS):
            middles = (np.arange(200_000) + 0.5) / 200_000 * level
            expected = one.quantile_function(middles).mean()
            assert tails.shortfall[0, 0, place] == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize("calibrate", [tracked_quantiles, conformal_quantiles])
def test_the_calibrated_shortfall_is_that_of_the_errors(calibrate: Callable[[Grid, int], Grid]) -> None:
    """Of Student's t with 4 degrees of freedom (McNeil, Frey & Embrechts 2015, example 2.15)."""
    draw = np.random.default_rng(1)
    found = []
    for _ in range(20):
        residuals = calibrate(draw.standard_t(4, (40, 600)), 1)
        _, means = tail_means(lambda levels, at=residuals: np.interp(levels, FINE_LEVELS, at)[None, None])
        found.append(means[0, 0])
    quantiles = student.ppf(TAIL_LEVELS, 4)
    truth = -student.pdf(quantiles, 4) / np.array(TAIL_LEVELS) * (4 + quantiles**2) / 3
    np.testing.assert_allclose(np.mean(found, axis=0), truth, rtol=0.04)


@pytest.mark.parametrize(("errors", "known"), [(98, 0), (99, 1), (198, 1), (199, 2), (498, 2), (499, 3)])
def test_a_level_with_too_few_errors_beyond_it_is_refused(errors: float, known: int) -> None:
    tails = tails_of(of(0.02, 0.5, errors))
    assert tails is not None
    finite = np.isfinite(tails.value_at_risk[0, 0])
    assert finite.tolist() == np.isfinite(tails.shortfall[0, 0]).tolist() == [place >= 3 - known for place in range(3)]


def test_overlapping_errors_count_for_less_and_the_ensemble_for_its_poorest_member() -> None:
    errors = np.where(np.arange(1200) < 1000, np.nan, ERRORS)
    assert effective_errors(errors, 5) == 40 * 200 / 5
    assert average([of(0.02, 0.5, 300), of(0.02, 0.5, 99)]).errors == 99


def test_what_is_no_loss_is_refused() -> None:
    grid = np.array([[0.0, 5.0]])
    up = location_scale(grid, np.ones((1, 2)), RESIDUALS)
    tails = tails_of(Distribution(up.mean, up.quantiles, up.p_up, up.quantile_function, np.inf))
    assert tails is not None
    assert np.isfinite(tails.shortfall[0, 0]).all()
    assert np.isnan(tails.shortfall[0, 1, 1:]).all()


def test_nine_quantiles_alone_and_parameters_of_an_earlier_version_have_no_tails() -> None:
    one = of(0.02, 0.55)
    assert tails_of(Distribution(one.mean, one.quantiles, one.p_up)) is None
    assert average([one, Distribution(one.mean, one.quantiles, one.p_up)]).quantile_function is None
    earlier = zero_mean(np.full((1, 1), 0.02), RESIDUALS[1:-1], np.full((1, 1), 0.55))
    assert len(RESIDUALS[1:-1]) == len(CENTRAL_LEVELS)
    assert earlier.quantiles.tolist() == one.quantiles.tolist()
    refused = tails_of(earlier)
    assert refused is not None
    assert np.isnan(refused.value_at_risk).all()


@given(st.integers(1, 3000), st.floats(0.01, 100))
def test_tails_of_a_sample_are_ordered_and_scale(count: int, scale: float) -> None:
    draws = np.random.default_rng(count).standard_t(3, count)
    one, scaled = tails_of_sample(draws), tails_of_sample(draws * scale)
    assert (one.shortfall <= one.value_at_risk).all()
    assert (np.diff(one.shortfall) >= -1e-12).all()
    np.testing.assert_allclose(scaled.shortfall, one.shortfall * scale, rtol=1e-9)


def test_tails_of_a_large_sample_are_those_of_its_quantile_function() -> None:
    function = of(0.02, 0.55).quantile_function
    assert function is not None
    levels = (np.arange(100_000) + 0.5) / 100_000
    sample, exact = tails_of_sample(function(levels)[0, 0]), tails_of(of(0.02, 0.55))
    assert exact is not None
    np.testing.assert_allclose(sample.value_at_risk, exact.value_at_risk[0, 0], rtol=1e-3)
    np.testing.assert_allclose(sample.shortfall, exact.shortfall[0, 0], rtol=2e-3)
