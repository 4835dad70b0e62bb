import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from market_pipeline.prices.adjustment import backward_adjusted, forward_factors, last_known, split_factors

NAN = np.nan


def row(*values: float) -> np.ndarray:
    return np.array([values], float)


def test_a_split_multiplies_and_a_dividend_is_reinvested() -> None:
    close = row(100, 50, 49, 49)
    dividend, split = row(0, 0, 1, 0), row(1, 2, 1, 1)
    np.testing.assert_allclose(forward_factors(close, dividend, split), row(1, 2, 2 / 0.98, 2 / 0.98))
    np.testing.assert_allclose(split_factors(close, split), row(1, 2, 2, 2))


def test_a_split_and_a_dividend_on_one_day() -> None:
    # One share of 100 becomes two that each pay 1: 2 % of the last close.
    factor = forward_factors(row(100, 49), row(0, 1), row(1, 2))
    np.testing.assert_allclose(factor, row(1, 2 / 0.98))
    np.testing.assert_allclose(np.log(49 * factor[0, 1] / 100), 0, atol=1e-15)


def test_backward_adjusted_closes_end_at_the_close_as_traded_and_move_alike() -> None:
    close, factor = np.array([[100, 50, 49, NAN], [7, NAN, NAN, NAN], [NAN] * 4]), np.array([[1, 2, 2.04, 1]])
    adjusted = backward_adjusted(close * factor, np.array([49, 7, NAN]))
    np.testing.assert_allclose(adjusted[:2], [[100 / 2.04, 100 / 2.04, 49, NAN], [7, NAN, NAN, NAN]])
    assert np.isnan(adjusted[2]).all()
    assert backward_adjusted(np.empty((2, 0)), np.array([1.0, 2.0])).shape == (2, 0)


def test_a_hole_carries_the_factor_and_has_none() -> None:
    factor = forward_factors(row(100, NAN, 49), row(0, NAN, 0), row(1, NAN, 2))
    np.testing.assert_allclose(factor, row(1, NAN, 2))


def test_actions_of_the_first_bar_belong_to_no_one() -> None:
    np.testing.assert_allclose(forward_factors(row(NAN, 10, 10), row(NAN, 5, 0), row(NAN, 3, 1)), row(NAN, 1, 1))


def test_a_dividend_above_the_last_close_is_left_out() -> None:
    np.testing.assert_allclose(forward_factors(row(10, 10), row(0, 12), row(1, 1)), row(1, 1))


def test_the_last_known_value_at_and_before() -> None:
    values = row(NAN, 1, NAN, 2)
    np.testing.assert_array_equal(last_known(values), row(NAN, 1, 1, 2))
    np.testing.assert_array_equal(last_known(values, before=True), row(NAN, NAN, 1, 1))


def market(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(draw.normal(0, 0.02, (3, 200)), axis=1))
    close[draw.random(close.shape) < 0.03] = NAN
    dividend = np.where(draw.random(close.shape) < 0.02, 0.3, 0.0)
    split = np.where(draw.random(close.shape) < 0.01, 2.0, 1.0)
    return close, np.where(np.isnan(close), NAN, dividend), np.where(np.isnan(close), NAN, split)


@given(seed=st.integers(0, 50), cut=st.integers(1, 199))
@settings(max_examples=40)
def test_a_later_action_changes_no_earlier_factor_in_any_bit(seed: int, cut: int) -> None:
    whole = market(seed)
    np.testing.assert_array_equal(forward_factors(*whole)[:, :cut], forward_factors(*(g[:, :cut] for g in whole)))


@given(seed=st.integers(0, 50))
@settings(max_examples=20)
def test_returns_are_those_of_backward_adjustment(seed: int) -> None:
    """As vendors do it: the past times (1 - dividend / last close) / split, walking back from the newest bar."""
    close, dividend, split = market(seed)
    forward = np.log(close * forward_factors(close, dividend, split))
    for symbol in range(3):
        bars = np.flatnonzero(~np.isnan(close[symbol]))
        price, factor = close[symbol, bars], np.ones(len(bars))
        for t in range(len(bars) - 1, 0, -1):
            paid = dividend[symbol, bars[t]] * split[symbol, bars[t]] / price[t - 1]
            factor[t - 1] = factor[t] * (1 - paid) / split[symbol, bars[t]]
        np.testing.assert_allclose(np.diff(forward[symbol, bars]), np.diff(np.log(price * factor)), atol=1e-12)
