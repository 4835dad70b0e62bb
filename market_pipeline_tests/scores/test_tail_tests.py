"""Each test of tails against an independent implementation, or a table of the paper."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import binomtest, chi2, ttest_1samp

from market_pipeline.scores.tail_tests import (
    LAGS,
    christoffersen,
    christoffersen_independence,
    dynamic_quantile,
    kupiec,
    shortfall_test,
    traffic_light,
)

DRAW = np.random.default_rng(0)
CLUSTERED = np.repeat(DRAW.random(260) < 0.06, 2)[:500]
SERIES = [DRAW.random(500) < 0.025, DRAW.random(1000) < 0.05, CLUSTERED]


def count_of(exceedances: int, outcomes: int) -> np.ndarray:
    return np.arange(outcomes) < exceedances


@pytest.mark.parametrize("level", [0.01, 0.025, 0.05])
@pytest.mark.parametrize("exceeded", SERIES)
def test_kupiec_is_the_likelihood_ratio_of_a_logistic_regression_on_a_constant(
    exceeded: np.ndarray, level: float
) -> None:
    ones, hits = np.ones((len(exceeded), 1)), exceeded.astype(float)
    fitted = sm.GLM(hits, ones, family=sm.families.Binomial()).fit(tol=1e-12)
    stated = sm.families.Binomial().loglike(hits, np.full(len(hits), level))
    assert kupiec(exceeded, level) == pytest.approx(chi2.sf(2 * (fitted.llf - stated), 1), abs=1e-6)


@pytest.mark.parametrize(
    ("level", "outcomes", "above", "below"),
    [
        (0.01, 255, None, 7), (0.01, 510, 1, 11), (0.01, 1000, 4, 17), (0.025, 255, 2, 12), (0.025, 510, 6, 21),
        (0.025, 1000, 15, 36), (0.05, 255, 6, 21), (0.05, 510, 16, 36), (0.05, 1000, 37, 65),
    ],
)  # fmt: skip
def test_kupiec_rejects_what_his_table_rejects(level: float, outcomes: int, above: int | None, below: int) -> None:
    """Kupiec (1995), table 3: exceedances with which a model is not rejected at 5 %."""
    assert kupiec(count_of(below - 1, outcomes), level) > 0.05 > kupiec(count_of(below, outcomes), level)
    if above is not None:
        assert kupiec(count_of(above, outcomes), level) < 0.05 < kupiec(count_of(above + 1, outcomes), level)


@pytest.mark.parametrize("exceeded", [*SERIES[1:]])
def test_independence_is_the_likelihood_ratio_of_a_logistic_regression_on_the_one_before(exceeded: np.ndarray) -> None:
    hits = exceeded.astype(float)
    regressors = sm.add_constant(hits[:-1])
    fits = [
        sm.GLM(hits[1:], columns, family=sm.families.Binomial()).fit(tol=1e-12).llf
        for columns in (regressors, regressors[:, :1])
    ]
    ratio = 2 * (fits[0] - fits[1])
    assert christoffersen_independence(exceeded) == pytest.approx(chi2.sf(ratio, 1), abs=1e-6)
    coverage = chi2.isf(kupiec(exceeded, 0.05), 1)
    assert christoffersen(exceeded, 0.05) == pytest.approx(chi2.sf(ratio + coverage, 2), abs=1e-6)


@pytest.mark.parametrize("exceeded", SERIES)
def test_the_dynamic_quantile_is_that_of_a_regression_by_statsmodels(exceeded: np.ndarray) -> None:
    losses = -np.exp(DRAW.normal(-4, 0.3, len(exceeded)))
    hits = exceeded - 0.025
    columns = [hits[LAGS - lag : len(hits) - lag] for lag in range(1, LAGS + 1)]
    design = sm.add_constant(np.column_stack([*columns, losses[LAGS:]]))
    fit = sm.OLS(hits[LAGS:], design).fit()
    statistic = fit.params @ design.T @ design @ fit.params / (0.025 * 0.975)
    assert dynamic_quantile(exceeded, losses, 0.025) == pytest.approx(chi2.sf(statistic, 6), abs=1e-6)


def test_the_test_of_the_shortfall_is_students_by_scipy() -> None:
    realised = DRAW.standard_t(4, 2000) * 0.01
    losses, shortfall = np.full(2000, -0.025), np.full(2000, -0.03)
    beyond = realised[realised < losses]
    expected = ttest_1samp(beyond / 0.03 + 1, 0, alternative="less").pvalue
    assert shortfall_test(realised, losses, shortfall) == pytest.approx(expected, abs=1e-9)
    assert shortfall_test(realised, losses, shortfall) < 0.05 < shortfall_test(realised, losses, shortfall * 2)
    assert np.isnan(shortfall_test(realised, losses * 100, shortfall * 100))


def test_the_zones_are_those_of_the_committees_table() -> None:
    """Basel Committee (1996), table 2: 250 outcomes at 1 %."""
    zones = [traffic_light(count_of(count, 250), 0.01) for count in range(12)]
    assert zones == ["green"] * 5 + ["yellow"] * 5 + ["red"] * 2
    chance = binomtest(4, 250, 0.01, alternative="less").pvalue
    assert round(chance, 4) == 0.8922


def test_right_models_seldom_fail_and_wrong_ones_do() -> None:
    draw = np.random.default_rng(1)
    right = draw.random((400, 1000)) < 0.025
    losses = -np.exp(draw.normal(-4, 0.3, 1000))
    for test in (
        lambda one: kupiec(one, 0.025),
        christoffersen_independence,
        lambda one: christoffersen(one, 0.025),
        lambda one: dynamic_quantile(one, losses, 0.025),
    ):
        assert np.mean([test(one) < 0.05 for one in right]) < 0.12
    clustered = np.repeat(draw.random((20, 500)) < 0.05, 2, axis=1)
    assert all(christoffersen_independence(one) < 0.05 for one in clustered)
    assert all(dynamic_quantile(one, losses, 0.025) < 0.05 for one in clustered)
    assert all(kupiec(one, 0.025) < 0.05 for one in clustered if one.mean() > 0.045)


def test_without_an_exceedance_nothing_breaks() -> None:
    none, losses = np.zeros(300, bool), np.full(300, -0.02)
    assert christoffersen_independence(none) == 1.0
    assert kupiec(none, 0.025) < 0.01
    assert 0 <= dynamic_quantile(none, losses, 0.025) < 0.01
