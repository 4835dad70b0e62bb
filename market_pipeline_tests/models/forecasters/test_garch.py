"""GARCH: what arch itself finds, from the same likelihood."""

import numpy as np
import pytest
from arch import arch_model
from hypothesis import given, settings
from hypothesis import strategies as st

from market_pipeline.models.forecasters.garch import fitted
from market_pipeline.storage.grids import Grid

SLACK = 1e-6
"""By which the optimiser may miss a limit."""


def series(seed: int, length: int, alpha: float, gamma: float, beta: float) -> Grid:
    """Returns in percent of a GJR-GARCH process with errors of Student's t with five degrees of freedom."""
    draw = np.random.default_rng(seed).standard_t(5, length) * np.sqrt(3 / 5)
    returns, variance = np.empty(length), 1.0
    for session, error in enumerate(draw):
        returns[session] = np.sqrt(variance) * error
        shock = (alpha + gamma * (error < 0)) * returns[session] ** 2
        variance = 1 - alpha - gamma / 2 - beta + shock + beta * variance
    return returns


def of_arch(returns: Grid) -> Grid:
    model = arch_model(returns, mean="Zero", vol="GARCH", p=1, o=1, q=1, dist="t", rescale=False)
    return model.fit(disp="off", show_warning=False).params.to_numpy()[1:4]


@pytest.mark.parametrize(
    ("alpha", "gamma", "beta"),
    [(0.05, 0.1, 0.85), (0.0, 0.15, 0.9), (0.1, 0.0, 0.88), (0.0, 0.0, 0.0), (0.3, 0.1, 0.4)],
)
@pytest.mark.parametrize("length", [250, 1000])
def test_parameters_are_those_of_arch(alpha: float, gamma: float, beta: float, length: int) -> None:
    returns = series(7, length, alpha, gamma, beta)
    np.testing.assert_allclose(fitted(returns), of_arch(returns), atol=1e-4)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 0.2), st.floats(0, 0.2), st.floats(0, 0.7))
def test_parameters_keep_the_limits(seed: int, alpha: float, gamma: float, beta: float) -> None:
    alpha, gamma, beta = fitted(series(seed, 400, alpha, gamma, beta))
    assert min(alpha, alpha + gamma, beta) >= -SLACK
    assert alpha + gamma / 2 + beta <= 1 + SLACK
