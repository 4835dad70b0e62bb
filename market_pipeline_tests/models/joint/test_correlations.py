"""Correlations: as numpy's on whole returns, of pairs where there are holes, with a factor whatever they are."""

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf

from market_pipeline.models.joint import correlations
from market_pipeline.models.joint.correlations import Dependence
from market_pipeline_tests.panels import history_of


def of_one_factor(seed: int = 0, sessions: int = 500, loadings: tuple[float, ...] = (0.9, 0.7, 0.5, 0.3)) -> np.ndarray:
    """Returns with known correlations: the products of the loadings."""
    draw = np.random.default_rng(seed)
    shared, own = draw.normal(size=sessions), draw.normal(size=(len(loadings), sessions))
    size = np.array(loadings)[:, None]
    returns: np.ndarray = size * shared + np.sqrt(1 - size**2) * own
    return returns


def matrix(one: Dependence) -> np.ndarray:
    """The correlations that a dependence stands for."""
    own = np.zeros(len(one.loadings)) if one.specific is None else one.specific**2
    found: np.ndarray = one.loadings @ one.loadings.T + np.diag(own)
    return found


def test_constant_correlations_are_those_about_zero() -> None:
    returns = of_one_factor()
    size = np.sqrt((returns**2).sum(axis=1))
    np.testing.assert_allclose(correlations.constant(returns), returns @ returns.T / np.outer(size, size))


def test_a_pair_is_compared_at_the_sessions_that_both_have() -> None:
    returns = of_one_factor()
    young = returns.copy()
    young[0, :400] = np.nan
    np.testing.assert_allclose(
        correlations.constant(young)[0, 1:], correlations.constant(returns[:, 400:])[0, 1:], rtol=1e-12
    )


def test_recent_returns_count_more() -> None:
    before, after = of_one_factor(1, 400), of_one_factor(2, 100, (-0.9, 0.7, 0.5, 0.3))
    found = correlations.weighted(np.concatenate([before, after], axis=1))
    plain = correlations.constant(np.concatenate([before, after], axis=1))
    assert found[0, 1] < plain[0, 1]


def test_the_shrinkage_is_that_of_ledoit_and_wolf() -> None:
    returns = of_one_factor(sessions=60)
    spread = np.sqrt((returns**2).mean(axis=1))
    covariance, share = ledoit_wolf((returns / spread[:, None]).T, assume_centered=True)
    assert 0 < share < 1
    np.testing.assert_allclose(correlations.shrunk(returns), covariance, rtol=1e-9)


def test_factors_find_the_correlations_that_one_factor_made() -> None:
    loadings = tuple(np.linspace(0.3, 0.9, 40))
    found = matrix(correlations.factors(of_one_factor(0, 500, loadings)))
    np.testing.assert_allclose(np.diag(found), 1)
    error = found - np.outer(loadings, loadings)
    np.fill_diagonal(error, 0)
    assert np.sqrt((error**2).mean()) < 0.1


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_symbols_that_are_equal_or_opposite_have_a_factor(sign: float) -> None:
    one = of_one_factor()[0]
    found = correlations.triangular(correlations.constant(np.stack([one, sign * one, one])))
    np.testing.assert_allclose(matrix(found)[0, 1], sign, atol=1e-6)


def test_pairs_that_contradict_each_other_have_a_factor() -> None:
    impossible = np.array([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]])
    assert np.linalg.eigvalsh(impossible)[0] < 0
    np.testing.assert_allclose(np.diag(matrix(correlations.triangular(impossible))), 1)


def test_symbols_that_were_listed_in_a_crisis_leave_the_correlations_of_the_others() -> None:
    long = 300
    found = np.full((long + 40, long + 40), 0.9)  # of the crisis, as all pairs with a young symbol are
    found[:long, :long] = 0.3
    np.fill_diagonal(found, 1.0)
    assert np.linalg.eigvalsh(found)[0] < -1
    possible = matrix(correlations.triangular(found))
    np.testing.assert_allclose(np.diag(possible), 1)
    assert np.abs(possible - found)[:long, :long].max() < 0.15
    assert possible[0, long] > 0.5


def test_returns_are_in_units_of_the_volatility_known_before() -> None:
    draw = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(draw.normal(0, 0.02, (2, 300)), axis=1))
    jump = close.copy()
    jump[:, 200:] *= 1.1
    days = np.busday_offset(np.datetime64("2020-01-06"), np.arange(300))
    before, after = (correlations.in_units_of_volatility(history_of(one, days)) for one in (close, jump))
    np.testing.assert_array_equal(before[:, :200], after[:, :200])
    np.testing.assert_allclose(np.nanstd(before), 1, atol=0.15)
    # Not divided by the volatility that has seen the jump.
    assert (after[:, 200] - before[:, 200] > 4).all() or (after[:, 200] == correlations.EXTREME).any()
