"""The lasso at one penalty."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from market_pipeline.models.prophet_exact.lasso import solution


@given(seed=st.integers(0, 10_000), penalty=st.floats(1e-4, 10))
@settings(max_examples=60)
def test_the_solution_meets_the_conditions_of_optimality(seed: int, penalty: float) -> None:
    draw = np.random.default_rng(seed)
    wide = draw.normal(size=(40, 12))
    curvature, slope = wide.T @ wide, draw.normal(0, 5, 12)
    x = solution(curvature, slope, penalty, np.zeros(12))
    gradient = slope - curvature @ x
    np.testing.assert_allclose(gradient[x != 0], penalty * np.sign(x[x != 0]), atol=1e-7)
    assert (np.abs(gradient[x == 0]) <= penalty * (1 + 1e-6)).all()
