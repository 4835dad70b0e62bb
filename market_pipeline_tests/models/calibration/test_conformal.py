import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market_pipeline.models.calibration.conformal import HALF_LIFE, conformal_quantiles, tracked_quantiles
from market_pipeline.models.calibration.direction import STEEPEST, chance_of_rise, fitted_slope
from market_pipeline.models.calibration.distribution import CENTRAL_LEVELS, FINE_LEVELS


@given(st.integers(39, 400), st.booleans())
def test_quantiles_never_cross(count: int, symmetric: bool) -> None:  # noqa: FBT001  drawn by hypothesis
    errors = np.random.default_rng(count).standard_t(4, count)
    assert (np.diff(conformal_quantiles(errors, 1, symmetric=symmetric)) >= 0).all()


@pytest.mark.parametrize("symmetric", [False, True])
def test_the_next_error_lies_inside_at_least_as_often_as_required(symmetric: bool) -> None:  # noqa: FBT001
    draw = np.random.default_rng(3)
    inside = 0
    for _ in range(4000):
        errors = draw.standard_normal(45)
        low, high = np.interp((0.025, 0.975), FINE_LEVELS, conformal_quantiles(errors[:-1], 1, symmetric=symmetric))
        inside += low <= errors[-1] <= high
    assert 0.945 < inside / 4000 < 0.985  # plain quantiles of 44 errors cover 93 %


def test_a_level_is_refused_when_there_are_too_few_errors() -> None:
    errors = np.random.default_rng(0).standard_normal(78)
    assert np.isfinite(conformal_quantiles(errors[:39], 1)).all()
    assert np.isnan(conformal_quantiles(errors[:38], 1)).all()
    assert np.isnan(conformal_quantiles(errors[:77], 2)).all(), "overlapping errors count for less"
    assert np.isnan(conformal_quantiles(np.full(500, np.nan), 1)).all()


def test_a_score_that_misleads_or_is_noise_moves_no_chance() -> None:
    draw = np.random.default_rng(1)
    score = draw.standard_normal(20_000)
    base = np.full(20_000, 0.53)
    assert fitted_slope(base, score, draw.random(20_000) < 1 / (1 + np.exp(score))) == 0
    assert fitted_slope(base, score, draw.random(20_000) < base) < 0.05


def test_the_slope_of_a_score_is_recovered() -> None:
    draw = np.random.default_rng(2)
    score, base = draw.standard_normal(50_000), np.full(50_000, 0.55)
    truth = chance_of_rise(base, score, 0.4)
    slope = fitted_slope(base, score, draw.random(50_000) < truth)
    assert slope == pytest.approx(0.4, abs=0.03)
    assert chance_of_rise(base, np.zeros(1), STEEPEST)[0] == pytest.approx(0.55)


def test_recent_errors_weigh_more_and_the_effective_number_falls() -> None:
    draw = np.random.default_rng(5)
    errors = np.concatenate([draw.standard_normal((4, 1000)), 3 * draw.standard_normal((4, 250))], axis=1)
    age = np.arange(1250.0)[::-1]
    flat, recent = conformal_quantiles(errors, 1), conformal_quantiles(errors, 1, age=age)
    assert recent[-7] > 1.3 * flat[-7], "the volatile last year shows"
    few = np.full((1, 1250), np.nan)
    few[0, ::25] = 1.0
    assert np.isfinite(conformal_quantiles(few, 1)).all()
    assert np.isnan(conformal_quantiles(few, 1, age=age)).all(), "fifty of which most are old are too few"


def test_weighted_quantiles_are_those_of_numpy() -> None:
    draw = np.random.default_rng(6)
    errors, age = draw.standard_normal(300), draw.integers(0, 500, 300).astype(float)
    weights = 0.5 ** (age / HALF_LIFE)
    count = weights.sum() ** 2 / (weights**2).sum()
    above = np.minimum((count + 1) * CENTRAL_LEVELS[51:] / count, 1)
    wanted = np.quantile(errors, above, weights=weights, method="inverted_cdf")
    np.testing.assert_array_equal(conformal_quantiles(errors, 1, age=age)[52:-1], wanted)


def coverage(errors: np.ndarray, quantiles: np.ndarray) -> list[float]:
    """Shares of errors within the central 50, 80 and 95 %."""
    bounds = np.interp((0.75, 0.90, 0.975), FINE_LEVELS, quantiles)
    return [float((np.abs(errors) <= bound).mean()) for bound in bounds]


def test_tracked_quantiles_of_stationary_errors_are_theirs() -> None:
    errors = np.random.default_rng(7).standard_normal((50, 1200))
    found = tracked_quantiles(errors, 1)
    np.testing.assert_allclose(coverage(errors, found), [0.5, 0.8, 0.95], atol=0.015)
    assert (np.diff(found) >= 0).all()
    np.testing.assert_array_equal(found, -found[::-1])


def test_tracked_quantiles_follow_a_market_that_became_more_volatile() -> None:
    draw = np.random.default_rng(8)
    errors = np.concatenate([draw.standard_normal((20, 900)), 2 * draw.standard_normal((20, 200))], axis=1)
    np.testing.assert_allclose(coverage(errors[:, -150:], tracked_quantiles(errors, 1)), [0.5, 0.8, 0.95], atol=0.04)
    assert coverage(errors[:, -150:], conformal_quantiles(errors, 1, symmetric=True))[1] < 0.6


def test_tracked_ranges_have_the_right_coverage_in_the_long_run_however_the_market_drifts() -> None:
    """The volatility changes without notice; ranges are set again every 20 sessions, from the errors known by then."""
    draw = np.random.default_rng(9)
    wander = np.exp(np.cumsum(draw.normal(0, 0.03, 2500)))
    errors = draw.standard_normal((10, 2500)) * wander
    found = [coverage(errors[:, cut : cut + 20], tracked_quantiles(errors[:, :cut], 1)) for cut in range(400, 2480, 20)]
    np.testing.assert_allclose(np.mean(found, axis=0), [0.5, 0.8, 0.95], atol=0.02)


def test_holes_and_too_few_errors() -> None:
    errors = np.random.default_rng(10).standard_normal((3, 700))
    errors[:, ::2] = np.nan
    assert np.isfinite(tracked_quantiles(errors, 5)).all()
    assert np.isnan(tracked_quantiles(errors[:, :30], 5)).all()
