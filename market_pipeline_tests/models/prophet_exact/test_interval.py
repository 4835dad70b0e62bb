"""The formula of the range against a simulation."""

import numpy as np
import pytest

from market_pipeline.models.prophet_exact.interval import half_width


def simulated(sigma: float, change: float, ahead: float, rate: float) -> float:
    """Noise and a Poisson number of Laplace changes of slope at uniform times, half a million times."""
    draw = np.random.default_rng(0)
    deviation = sigma * draw.normal(size=500_000)
    counts = draw.poisson(rate * ahead, len(deviation))
    for change_number in range(counts.max()):
        further = np.flatnonzero(counts > change_number)
        since = ahead * draw.random(len(further))
        deviation[further] += since * draw.laplace(0, change, len(further))
    return float(np.quantile(np.abs(deviation), 0.8))


@pytest.mark.parametrize(
    ("sigma", "change", "ahead", "rate"),
    [
        (0.01, 0.1, 0.001, 25),
        (0.01, 0.3, 0.03, 25),
        (0.002, 0.2, 0.17, 25),
        (0.001, 1.0, 0.1, 2),
        (1.0, 150.0, 1.0, 1.0),
    ],
)
def test_the_formula_is_the_quantile_of_the_simulation(sigma: float, change: float, ahead: float, rate: float) -> None:
    found = half_width(*(np.array([value]) for value in (sigma, change, ahead, rate)))
    assert found[0] == pytest.approx(simulated(sigma, change, ahead, rate), rel=0.01)


def test_without_changes_the_range_is_the_normal_distributions() -> None:
    found = half_width(np.array([0.5, 2.0]), np.zeros(2), np.array([0.0, 1.0]), np.full(2, 25.0))
    np.testing.assert_allclose(found, [0.5 * 1.2815515655446004, 2 * 1.2815515655446004], rtol=1e-9)


def test_a_range_is_the_same_alone_and_in_a_batch() -> None:
    draw = np.random.default_rng(1)
    parts = [draw.uniform(0.001, 0.1, 40), draw.uniform(0, 2, 40), draw.uniform(0, 0.3, 40), draw.uniform(3, 25, 40)]
    together = half_width(*parts)
    for place in range(40):
        np.testing.assert_array_equal(half_width(*(part[place : place + 1] for part in parts))[0], together[place])
