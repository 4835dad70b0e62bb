"""Portfolios of few and of many symbols: the same numbers by either way, and no bit of one from the others."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_pipeline.models.joint import portfolio_risk
from market_pipeline.models.joint.portfolio_risk import Positions, contributions, outlook

SCENARIOS = 300
ways = pytest.mark.parametrize("few", [0, 99], ids=["in blocks", "symbol by symbol"])


def returns_of(seed: int, holes: int = 0) -> np.ndarray:
    """Returns of twelve symbols; the first lacks as many as `holes`."""
    draw = np.random.default_rng(seed)
    found = draw.normal(0, 0.02, (12, SCENARIOS)).astype(np.float32)
    found[0, draw.choice(SCENARIOS, holes, replace=False)] = np.nan
    return found


def weights_of(seed: int, portfolios: int = 37) -> np.ndarray:
    """Each second portfolio holds the first symbol."""
    weights = np.random.default_rng(seed).normal(size=(portfolios, 12))
    weights[1::2, 0] = 0
    return weights


@ways
@settings(max_examples=10)
@given(seed=st.integers(0, 1000), holes=st.sampled_from([0, 20]))
def test_returns_and_parts_are_those_of_the_plain_formula(few: int, seed: int, holes: int) -> None:
    symbols, weights = returns_of(seed, holes), weights_of(seed)
    with mock.patch.object(portfolio_risk, "FEW", few):
        found = Positions(weights).total(symbols)
        parts = contributions(weights, symbols, found)
    for row, returns, added in zip(weights, found, parts, strict=True):
        held = row != 0
        np.testing.assert_allclose(returns, row[held] @ symbols[held].astype(np.float64), atol=1e-6)
        worst = np.argsort(returns, kind="stable")
        count = np.isfinite(returns).sum()
        share = portfolio_risk.tail_weights(int(count), 0.025)
        expected = row[held] * (symbols[held][:, worst[: len(share)]].astype(np.float64) @ share)
        np.testing.assert_allclose(added[held], expected, atol=1e-6)
        np.testing.assert_allclose(added.sum(), outlook(returns[None]).es[0, 1], atol=1e-6)


@ways
def test_no_bit_of_a_portfolio_comes_from_the_others(few: int) -> None:
    symbols, weights = returns_of(4, 20), weights_of(4)
    with mock.patch.object(portfolio_risk, "FEW", few):
        together = Positions(weights).total(symbols)
        parts = contributions(weights, symbols, together)
        for place in (0, 1, 15, 16, 36):
            alone = Positions(weights[place : place + 1]).total(symbols)
            np.testing.assert_array_equal(alone[0], together[place])
            np.testing.assert_array_equal(contributions(weights[place : place + 1], symbols, alone)[0], parts[place])


@ways
def test_too_few_scenarios_have_no_parts(few: int) -> None:
    symbols = returns_of(1)
    symbols[0, 200:] = np.nan
    weights = np.array([[1.0] + [0.5] * 11, [0.0] + [0.5] * 11])
    with mock.patch.object(portfolio_risk, "FEW", few):
        parts = contributions(weights, symbols, Positions(weights).total(symbols))
    assert np.isnan(parts[0]).all()
    assert np.isfinite(parts[1]).all()
