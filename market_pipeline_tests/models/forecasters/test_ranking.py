"""Chances of quintiles: sum to one, use no future, do not depend on other origins, have skill where there is any."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from market_pipeline.models.forecasters.ranking import (
    LEAST_RETURNS,
    QUINTILES,
    quintile_chances,
    quintile_of,
    quintile_shares,
)
from market_pipeline.prices.history import History
from market_pipeline.scores.losses import ranked_probability_score
from market_pipeline_tests.panels import history_of, walk_panel, with_noise_after

DAYS = np.busday_offset(np.datetime64("2020-01-06"), np.arange(400))


def of_spreads(spreads: np.ndarray, seed: int = 0) -> History:
    """Driftless walks, each with its own volatility."""
    moves = np.random.default_rng(seed).normal(size=(len(spreads), len(DAYS))) * spreads[:, None]
    return history_of(100 * np.exp(np.cumsum(moves, axis=1)), DAYS)


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), symbols=st.integers(5, 12))
def test_chances_sum_to_one_and_all_are_positive(seed: int, symbols: int) -> None:
    history = walk_panel(seed, symbols=symbols, sessions=160).history
    for chances in quintile_chances(history, np.array([120, 159])).values():
        known, there = np.isfinite(chances[..., 0]), history.present[:, [120, 159]]
        assert (known == there & (there.sum(axis=0) >= QUINTILES)).all()
        np.testing.assert_allclose(chances[known].sum(axis=-1), 1)
        assert (chances[known] > 0).all()


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), origin=st.integers(100, 150))
def test_neither_the_future_nor_other_origins_change_the_chances(seed: int, origin: int) -> None:
    panel = walk_panel(seed, symbols=7, sessions=160)
    alone = quintile_chances(panel.history, np.array([origin]))
    noisy = quintile_chances(with_noise_after(panel, origin).history, np.array([origin - 3, origin]))
    for horizon, chances in alone.items():
        np.testing.assert_array_equal(chances[:, 0], noisy[horizon][:, 1])


def test_a_look_at_the_next_session_is_seen() -> None:
    panel = walk_panel(1, symbols=7, sessions=160)
    leaky = mock.patch(
        "market_pipeline.models.forecasters.ranking.session_returns",
        lambda history: np.roll(np.diff(np.log(history.close), axis=1, prepend=np.nan), -1, axis=1),
    )
    with leaky:
        whole = quintile_chances(panel.history, np.array([120]))[20]
        noisy = quintile_chances(with_noise_after(panel, 120).history, np.array([120]))[20]
    assert not np.array_equal(whole, noisy, equal_nan=True)


def test_volatile_symbols_end_in_the_outer_quintiles_and_calm_ones_in_the_middle() -> None:
    chances = quintile_chances(
        of_spreads(np.array([0.05, 0.05, 0.01, 0.01, 0.01, 0.01, 0.01, 0.05, 0.05, 0.01])), np.array([399])
    )
    volatile, calm = chances[20][0, 0], chances[20][2, 0]
    assert volatile[0] + volatile[4] > 0.6
    assert calm[0] + calm[4] < 0.3
    np.testing.assert_allclose(volatile, volatile[::-1])


def test_skill_over_equal_chances_where_volatilities_differ_and_none_where_they_do_not() -> None:
    def skill(spreads: np.ndarray) -> float:
        history = of_spreads(spreads, seed=3)
        origins = np.arange(100, 380, 4)
        chances = quintile_chances(history, origins)[20]
        happened = quintile_of(np.log(history.close[:, origins + 20] / history.close[:, origins])).T.ravel() + 1
        known = chances.transpose(1, 0, 2).reshape(-1, QUINTILES)
        even = ranked_probability_score(np.full_like(known, 0.2), happened).mean()
        return float(1 - ranked_probability_score(known, happened).mean() / even)

    assert skill(np.repeat([0.005, 0.04], 20)) > 0.05
    assert abs(skill(np.full(40, 0.02))) < 0.01


def test_too_few_symbols_or_too_short_a_past_have_no_chances() -> None:
    assert np.isnan(quintile_chances(walk_panel(symbols=4).history, np.array([200]))[1]).all()
    assert np.isnan(quintile_chances(walk_panel(symbols=9).history, np.array([LEAST_RETURNS // 2]))[1]).all()


@pytest.mark.parametrize("count", [5, 8, 402])
def test_quintiles_are_as_even_as_the_count_allows(count: int) -> None:
    quintile = quintile_of(np.random.default_rng(0).normal(size=(count, 3)))
    sizes = np.stack([(quintile == number).sum(axis=0) for number in range(QUINTILES)])
    assert sizes.max() - sizes.min() <= 1


@given(
    arrays(
        np.float32,
        st.tuples(st.integers(5, 40), st.integers(1, 12)),
        elements=st.floats(-1, 1, width=32) | st.sampled_from([-0.25, -0.0, 0.0, 0.5]),  # with ties at the borders
    )
)
def test_the_shares_are_those_of_ranking(values: np.ndarray) -> None:
    quintile = quintile_of(values)
    ranked = np.stack([(quintile == number).mean(axis=1) for number in range(QUINTILES)], axis=1)
    np.testing.assert_array_equal(quintile_shares(values), ranked)
