import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from scipy.stats import t as student

from market_pipeline.scores.losses import fissler_ziegel
from market_pipeline.scores.significance import at_any_time, benjamini_hochberg, diebold_mariano


def by_hand(differences: np.ndarray, overlap: int) -> float:
    count, mean = len(differences), differences.mean()
    lags = max(int(1.5 * overlap), int(4 * (count / 100) ** (2 / 9)))
    off = differences - mean
    variance = (off @ off) / count
    for lag in range(1, lags + 1):
        variance += 2 * (1 - lag / (lags + 1)) * (off[lag:] @ off[:-lag]) / count
    steps = overlap + 1
    factor = (count + 1 - 2 * steps + steps * (steps - 1) / count) / count
    return float(
        student.cdf(mean / np.sqrt(variance / count) * np.sqrt(factor), min(1.5 * count / (lags + 1), count - 1))
    )


@pytest.mark.parametrize("overlap", [0, 4, 19])
def test_the_p_value_equals_the_formula_term_by_term(overlap: int) -> None:
    differences = np.random.default_rng(3).normal(-0.1, 1, 250)
    assert diebold_mariano(differences, overlap) == pytest.approx(by_hand(differences, overlap), rel=1e-9)


@pytest.mark.parametrize(("horizon", "at_most"), [(1, 0.065), (5, 0.09), (20, 0.09)])
def test_equal_forecasters_rarely_pass(horizon: int, at_most: float) -> None:
    draw = np.random.default_rng(5)
    sums = [np.convolve(draw.normal(size=500 + horizon - 1), np.ones(horizon), "valid") for _ in range(2000)]
    passed = np.mean([diebold_mariano(differences, horizon - 1) < 0.05 for differences in sums])
    assert 0.02 < passed < at_most


def test_short_overlapping_series_rarely_pass_by_far() -> None:
    draw = np.random.default_rng(5)
    sums = [np.convolve(draw.normal(size=79), np.ones(20), "valid") for _ in range(2000)]
    assert np.mean([diebold_mariano(differences, 19) < 0.001 for differences in sums]) < 0.01


def test_without_the_lags_overlapping_targets_would_pass_far_too_often() -> None:
    draw = np.random.default_rng(5)
    sums = [np.convolve(draw.normal(size=519), np.ones(20), "valid") for _ in range(300)]
    assert np.mean([diebold_mariano(differences, 0) < 0.05 for differences in sums]) > 0.2


def test_a_better_forecaster_is_found() -> None:
    differences = np.random.default_rng(7).normal(-0.3, 1, 250)
    assert diebold_mariano(differences, 0) < 0.01
    assert diebold_mariano(-differences, 0) > 0.99


def test_differences_that_are_all_the_same_need_no_variance() -> None:
    assert diebold_mariano(np.zeros(100), 4) == 1.0
    assert diebold_mariano(np.full(100, -0.1), 4) == 0.0
    assert diebold_mariano(np.full(100, 0.1), 4) == 1.0


def test_a_loss_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="pair the losses"):
        diebold_mariano(np.array([0.1, np.nan, 0.2]), 0)


def test_one_who_looks_after_every_origin_sees_luck_no_more_often_than_stated() -> None:
    first, last = 60, 1200
    looks = np.arange(first, last + 1)
    walks = np.random.default_rng(17).normal(size=(1000, last)).cumsum(axis=1)[:, looks - 1]
    p_values = norm.sf(walks / np.sqrt(looks))
    assert (p_values < 0.05).any(axis=1).mean() > 0.25
    passed = (at_any_time(p_values, looks / first) < 0.05).any(axis=1)
    assert 0.02 < np.mean(passed) <= 0.05


def test_a_p_value_at_any_time_by_hand() -> None:
    """At the first look, a boundary of 2.5 is crossed at some time with the chance of Robbins and Siegmund."""
    chance = norm.sf(2.5) + norm.pdf(2.5) * (2.5 + norm.pdf(2.5) / norm.cdf(2.5))
    assert at_any_time(norm.sf(2.5), 1.0) == pytest.approx(chance, rel=1e-9)
    far = np.sqrt(2.5**2 + np.log(20))  # the distribution function is as good as 1 here and there
    assert at_any_time(norm.sf(far), 20.0) == pytest.approx(chance, rel=0.02)
    assert (at_any_time(0.0, 5.0), at_any_time(1.0, 5.0)) == (0.0, 1.0)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(1, 200), st.floats(1, 200))
def test_looking_never_makes_a_p_value_smaller(one: float, other: float, times: float, more: float) -> None:
    small, large = sorted((one, other))
    assert small <= at_any_time(small, times) <= at_any_time(large, times) + 1e-12 <= 1 + 1e-12
    assert at_any_time(small, times) <= at_any_time(small, times * more) + 1e-12


def test_benjamini_hochberg_by_hand() -> None:
    np.testing.assert_allclose(benjamini_hochberg([0.01, 0.04, 0.03, 0.5]), [0.04, 0.16 / 3, 0.16 / 3, 0.5])
    assert benjamini_hochberg([]) == []


@pytest.mark.parametrize("origins", [60, 250])
def test_of_equally_good_tails_few_pass_as_better(origins: int) -> None:
    """Losses of tails are skewed: a few exceedances decide. Both scales are wrong by as much, independently."""
    draw = np.random.default_rng(11)
    passed, markets = 0, 500
    for _ in range(markets):
        realised = draw.standard_t(4, (10, origins)) * np.sqrt(0.5) * np.exp(draw.normal(0, 0.3, origins))
        losses = [
            fissler_ziegel(-1.96 * scale, -2.5 * scale, realised, 0.025).mean(axis=0)
            for scale in np.exp(draw.normal(0, 0.2, (2, 10, origins)))
        ]
        passed += diebold_mariano(losses[0] - losses[1], 0) < 0.05
    assert passed / markets < 0.07
