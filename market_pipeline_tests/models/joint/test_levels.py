"""Quantiles and shortfalls of scenarios: exact at their levels, linear between, and the mean below."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from market_pipeline.models.joint.levels import chance_above_zero, levels_of, quantiles_at, tail_weights

counts = st.integers(250, 1200)


@given(count=counts, level=st.sampled_from([0.01, 0.025, 0.05, 0.1, 0.5, 0.975]))
def test_scenarios_of_a_linear_quantile_function_have_its_quantiles(count: int, level: float) -> None:
    ascending = 3 * levels_of(count)[None] - 1
    np.testing.assert_allclose(quantiles_at(ascending, np.array([level])), 3 * level - 1, atol=1e-12)
    assert chance_above_zero(ascending)[0] == pytest.approx(2 / 3)


@given(count=counts, level=st.sampled_from([0.01, 0.025, 0.05]), seed=st.integers(0, 1000))
def test_the_shortfall_is_the_mean_of_the_quantile_function_below_the_level(
    count: int, level: float, seed: int
) -> None:
    ascending = np.sort(np.random.default_rng(seed).normal(size=count))
    share = tail_weights(count, level)
    levels = levels_of(count)
    expected, _ = quad(
        lambda at: np.interp(at, levels, ascending), 0, level, points=levels[levels < level].tolist(), limit=500
    )
    assert share.sum() == pytest.approx(1)
    assert share @ ascending[: len(share)] == pytest.approx(expected / level, abs=1e-7)
    assert share @ ascending[: len(share)] <= quantiles_at(ascending[None], np.array([level]))[0, 0]


def test_too_few_scenarios_have_no_shortfall() -> None:
    with pytest.raises(ValueError, match=r"50 scenarios are too few for the level 0\.01"):
        tail_weights(50, 0.01)
