import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.stats import rankdata

from market_pipeline.models.features.panel import Panel
from market_pipeline.models.features.returns import base_rate, forward_returns, realised_returns, shrunk_rates
from market_pipeline.models.features.samples import features_at, purged_split, ranks, training_samples
from market_pipeline.prices.history import History
from market_pipeline_tests.panels import MONDAY, history_of, walk_panel, with_noise_after

DAYS = np.busday_offset(np.datetime64(MONDAY), np.arange(6))


def test_a_forward_return_is_the_log_of_the_later_over_the_earlier() -> None:
    history = history_of(np.array([[1.0, 2.0, 4.0, np.nan, 8.0, 8.0]]), DAYS)
    two = forward_returns(history, 2) / np.log(2)
    np.testing.assert_allclose(two, [[2, np.nan, 1, np.nan, np.nan, np.nan]])


def test_the_realised_return_of_a_forecast_is_its_forward_return() -> None:
    panel = walk_panel()
    origins = np.array([30, 41, 300])
    found = realised_returns(
        panel.history, np.array([0, 1, 2]), panel.history.sessions[origins], panel.history.sessions[origins + 5]
    )
    np.testing.assert_array_equal(found, forward_returns(panel.history, 5)[[0, 1, 2], origins])


@pytest.mark.parametrize("horizon", [1, 5, 20])
def test_no_training_target_lies_past_the_last_session(horizon: int) -> None:
    panel = walk_panel()
    [samples] = training_samples(panel, [horizon], window=200, at_most=10**6)
    assert samples.origin.max() + horizon == len(panel.history.sessions) - 1
    assert samples.origin.min() >= len(panel.history.sessions) - horizon - 200


@given(position=st.integers(200, 400), horizon=st.sampled_from([1, 5, 20]))
@settings(max_examples=20)
def test_samples_of_the_past_do_not_move_with_the_future(position: int, horizon: int) -> None:
    panel = walk_panel()
    cut = panel.history.sessions[position]
    [known] = training_samples(panel.until(cut), [horizon], window=150, at_most=10**6)
    [noisy] = training_samples(with_noise_after(panel, position).until(cut), [horizon], window=150, at_most=10**6)
    np.testing.assert_array_equal(known.features, noisy.features)
    np.testing.assert_array_equal(known.target, noisy.target)


@pytest.mark.parametrize("horizon", [1, 5, 20])
def test_no_target_of_the_fitted_part_reaches_into_the_held_out_part(horizon: int) -> None:
    [samples] = training_samples(walk_panel(), [horizon], window=300, at_most=10**6)
    early, late = purged_split(samples, horizon)
    assert samples.origin[early].max() + horizon < samples.origin[late].min()
    assert 0.1 < len(late) / len(samples.origin) < 0.3


def test_thinning_keeps_the_newest_origin_and_whole_sessions() -> None:
    [full] = training_samples(walk_panel(), [5], window=300, at_most=10**6)
    [thin] = training_samples(walk_panel(), [5], window=300, at_most=400)
    assert len(thin.target) <= 400
    assert thin.origin.max() == full.origin.max()
    assert len(set(np.diff(np.unique(thin.origin)))) == 1


def test_the_base_rate_counts_only_returns_already_realised() -> None:
    history = history_of(np.array([[1.0, 2.0, 3.0, 2.0, 3.0, 4.0]]), DAYS)
    # Returns over one session: up, up, down, up, up; each known one session after its origin.
    np.testing.assert_allclose(base_rate(history, 1), [[1 / 2, 2 / 3, 3 / 4, 3 / 5, 4 / 6, 5 / 7]])
    # Over two sessions: up (1→3), flat (2→2), flat (3→3), up (2→4).
    np.testing.assert_allclose(base_rate(history, 2), [[1 / 2, 1 / 2, 2 / 3, 2 / 4, 2 / 5, 3 / 6]])


def rises(shares: np.ndarray, sessions: int = 1000) -> History:
    """Symbols that rise or fall by 1 % with these chances."""
    up = np.random.default_rng(8).random((len(shares), sessions)) < shares[:, None]
    return history_of(
        np.exp(0.01 * np.cumsum(np.where(up, 1.0, -1.0), axis=1)),
        np.busday_offset(np.datetime64(MONDAY), np.arange(sessions)),
    )


def test_symbols_that_differ_by_chance_alone_have_the_base_rate_of_all() -> None:
    history = rises(np.full(40, 0.55))
    found = base_rate(history, 1)[:, -1]
    assert np.ptp(found) < 0.02 < np.ptp((history.close[:, 1:] > history.close[:, :-1]).mean(axis=1))
    np.testing.assert_allclose(found, 0.55, atol=0.01)


def test_a_symbol_that_really_differs_keeps_its_own_chance() -> None:
    found = base_rate(rises(np.array([0.2, *[0.55] * 39])), 1)[:, -1]
    assert abs(found[0] - 0.2) < 0.04
    assert abs(found[1:].mean() - 0.55) < 0.01


@given(position=st.integers(0, 999))
def test_the_base_rate_of_some_sessions_is_that_of_all_of_them_to_the_bit(position: int) -> None:
    history = rises(np.linspace(0.2, 0.8, 40))
    history.close[3, 200:300] = np.nan
    every = base_rate(history, 5)
    np.testing.assert_array_equal(base_rate(history, 5, np.array([position])), every[:, [position]])
    np.testing.assert_array_equal(base_rate(history, 5, np.arange(position, 1000)), every[:, position:])


def test_a_new_symbol_has_the_base_rate_of_all() -> None:
    history = rises(np.full(10, 0.7))
    history.close[0, :-1] = np.nan
    found = base_rate(history, 1)[:, -1]
    np.testing.assert_allclose(found[0], 0.7, atol=0.02)


@given(known=arrays(np.float64, (4, 6), elements=st.integers(0, 50)), share=st.floats(0, 1), overlap=st.integers(1, 20))
def test_a_shrunk_rate_lies_between_own_share_and_that_of_all(known: np.ndarray, share: float, overlap: int) -> None:
    risen = np.floor(known * share)
    found = shrunk_rates(risen, known, overlap)
    of_all = np.broadcast_to((risen.sum(axis=0) + 1) / (known.sum(axis=0) + 2), found.shape)
    own = np.where(known > 0, risen / np.maximum(known, 1), of_all)
    assert (found >= np.minimum(own, of_all) - 1e-12).all()
    assert (found <= np.maximum(own, of_all) + 1e-12).all()
    assert ((found > 0) & (found < 1)).all()


def test_ranks_follow_the_indicators_and_depend_on_their_session_alone() -> None:
    panel = walk_panel(symbols=5)
    panel.recent[1, :, 200] = [3.0, np.nan, 1.0, 1.0, 9.0]
    wide = features_at(panel, np.array([150, 200, 201]))
    np.testing.assert_array_equal(wide[: len(panel.recent)], panel.recent[:, :, [150, 200, 201]])
    np.testing.assert_allclose(wide[len(panel.recent) + 1, :, 1], [0.125, np.nan, -0.25, -0.25, 0.375])
    np.testing.assert_array_equal(features_at(panel, np.array([200])), wide[:, :, 1:2])


def test_a_panel_of_recent_indicators_has_the_same_ones_and_none_of_earlier_sessions() -> None:
    whole = walk_panel(sessions=300)
    short = Panel(whole.history, whole.recent[:, :, -40:], whole.feature_names)
    cut = whole.history.sessions[279]
    for narrow in (short, short.until(cut), short.with_future_noise(cut, 3)):
        known = np.arange(260, 280)
        np.testing.assert_array_equal(narrow.indicators_at(known), whole.indicators_at(known))
        assert np.isnan(narrow.indicators_at(np.array([0, 259]))).all()
    assert np.isnan(short.until(whole.history.sessions[200]).indicators_at(np.array([200]))).all()


@given(
    arrays(
        np.float32,
        array_shapes(min_dims=1, max_dims=3, max_side=9),
        elements=st.sampled_from([-np.inf, -1, -0.0, 0, 2, 3, np.inf]),
    )
)
def test_ranks_are_those_of_scipy(values: np.ndarray) -> None:
    np.testing.assert_array_equal(ranks(values), rankdata(values, axis=-1))
