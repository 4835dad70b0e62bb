"""The chance to end in each fifth: sums to one, knows no future, the same in any company, and right where it can be."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from market_pipeline.models.forecasters.ranking import FIFTHS, LEAST_RETURNS, counted_in_fifths, fifth_chances, fifth_of
from market_pipeline.prices.history import History
from market_pipeline.scores.losses import ranked_probability_score
from market_pipeline_tests.panels import history_of, walk_panel, with_garbage_after

DAYS = np.busday_offset(np.datetime64("2020-01-06"), np.arange(400))


def of_spreads(spreads: np.ndarray, seed: int = 0) -> History:
    """Driftless walks, each with its own volatility."""
    moves = np.random.default_rng(seed).normal(size=(len(spreads), len(DAYS))) * spreads[:, None]
    return history_of(100 * np.exp(np.cumsum(moves, axis=1)), DAYS)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), symbols=st.integers(5, 12))
def test_chances_sum_to_one_over_fifths_and_fill_each_fifth(seed: int, symbols: int) -> None:
    history = walk_panel(seed, symbols=symbols, sessions=160).history
    for chances in fifth_chances(history, np.array([120, 159])).values():
        said, there = np.isfinite(chances[..., 0]), history.present[:, [120, 159]]
        assert (said == there & (there.sum(axis=0) >= FIFTHS)).all()
        np.testing.assert_allclose(chances[said].sum(axis=-1), 1)
        assert (chances[said] > 0).all()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), origin=st.integers(100, 150))
def test_garbage_after_an_origin_changes_nothing_and_neither_does_its_company(seed: int, origin: int) -> None:
    panel = walk_panel(seed, symbols=7, sessions=160)
    alone = fifth_chances(panel.history, np.array([origin]))
    spoilt = fifth_chances(with_garbage_after(panel, origin).history, np.array([origin - 3, origin]))
    for horizon, chances in alone.items():
        np.testing.assert_array_equal(chances[:, 0], spoilt[horizon][:, 1])


def test_a_look_at_the_next_session_is_seen() -> None:
    panel = walk_panel(1, symbols=7, sessions=160)
    leaky = mock.patch(
        "market_pipeline.models.forecasters.ranking.session_returns",
        lambda history: np.roll(np.diff(np.log(history.close), axis=1, prepend=np.nan), -1, axis=1),
    )
    with leaky:
        whole = fifth_chances(panel.history, np.array([120]))[20]
        spoilt = fifth_chances(with_garbage_after(panel, 120).history, np.array([120]))[20]
    assert not np.array_equal(whole, spoilt, equal_nan=True)


def test_the_wild_end_in_the_outer_fifths_and_the_calm_in_the_middle() -> None:
    chances = fifth_chances(
        of_spreads(np.array([0.05, 0.05, 0.01, 0.01, 0.01, 0.01, 0.01, 0.05, 0.05, 0.01])), np.array([399])
    )
    wild, calm = chances[20][0, 0], chances[20][2, 0]
    assert wild[0] + wild[4] > 0.6
    assert calm[0] + calm[4] < 0.3
    np.testing.assert_allclose(wild, wild[::-1])


def test_it_beats_a_fifth_in_each_where_volatilities_differ_and_not_by_much_where_they_do_not() -> None:
    def skill(spreads: np.ndarray) -> float:
        history = of_spreads(spreads, seed=3)
        origins = np.arange(100, 380, 4)
        chances = fifth_chances(history, origins)[20]
        happened = fifth_of(np.log(history.close[:, origins + 20] / history.close[:, origins])).T.ravel() + 1
        said = chances.transpose(1, 0, 2).reshape(-1, FIFTHS)
        even = ranked_probability_score(np.full_like(said, 0.2), happened).mean()
        return float(1 - ranked_probability_score(said, happened).mean() / even)

    assert skill(np.repeat([0.005, 0.04], 20)) > 0.05
    assert abs(skill(np.full(40, 0.02))) < 0.01


def test_too_few_symbols_or_too_short_a_past_say_nothing() -> None:
    assert np.isnan(fifth_chances(walk_panel(symbols=4).history, np.array([200]))[1]).all()
    assert np.isnan(fifth_chances(walk_panel(symbols=9).history, np.array([LEAST_RETURNS // 2]))[1]).all()


@pytest.mark.parametrize("count", [5, 8, 402])
def test_fifths_are_as_even_as_the_count_allows(count: int) -> None:
    fifth = fifth_of(np.random.default_rng(0).normal(size=(count, 3)))
    sizes = np.stack([(fifth == number).sum(axis=0) for number in range(FIFTHS)])
    assert sizes.max() - sizes.min() <= 1


@given(
    arrays(
        np.float32,
        st.tuples(st.integers(5, 40), st.integers(1, 12)),
        elements=st.floats(-1, 1, width=32) | st.sampled_from([-0.25, -0.0, 0.0, 0.5]),  # with ties at the borders
    )
)
def test_the_counts_are_those_of_ranking(values: np.ndarray) -> None:
    fifth = fifth_of(values)
    ranked = np.stack([(fifth == number).mean(axis=1) for number in range(FIFTHS)], axis=1)
    np.testing.assert_array_equal(counted_in_fifths(values), ranked)
