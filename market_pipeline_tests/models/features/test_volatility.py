import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from market_pipeline.models.features.returns import session_returns
from market_pipeline.models.features.volatility import DECAY, WARM_UP, ewma_volatility, expanding_volatility
from market_pipeline_tests.panels import MONDAY, history_of, walk_panel, with_noise_after


def test_a_return_after_a_hole_spans_the_hole() -> None:
    days = np.busday_offset(np.datetime64(MONDAY), np.arange(4))
    returns = session_returns(history_of(np.array([[1.0, np.nan, np.e, np.e]]), days))
    np.testing.assert_allclose(returns, [[np.nan, np.nan, 1.0, 0.0]])


def test_both_volatilities_equal_their_definition_term_by_term() -> None:
    panel = walk_panel(symbols=1)
    present = panel.history.present[0]
    returns = session_returns(panel.history)[0, present][1:]
    weights = (1 - DECAY) * DECAY ** np.arange(len(returns))[::-1]
    last = np.flatnonzero(present)[-1]
    np.testing.assert_allclose(
        ewma_volatility(panel.history)[0, last], np.sqrt((weights * returns**2).sum() / weights.sum())
    )
    np.testing.assert_allclose(expanding_volatility(panel.history)[0, last], np.sqrt((returns**2).mean()))


def test_volatility_is_unknown_until_the_warm_up_is_over_and_without_a_bar() -> None:
    panel = walk_panel()
    for volatility in (ewma_volatility(panel.history), expanding_volatility(panel.history)):
        assert np.isnan(volatility[:, :WARM_UP]).all()
        assert np.isnan(volatility[~panel.history.present]).all()
        assert np.isfinite(volatility[:, 60:][panel.history.present[:, 60:]]).all()


def test_a_price_that_never_moves_has_no_volatility() -> None:
    days = np.busday_offset(np.datetime64(MONDAY), np.arange(60))
    history = history_of(np.full((1, 60), 7.0), days)
    assert np.isnan(ewma_volatility(history)).all()
    assert np.isnan(expanding_volatility(history)).all()


@given(position=st.integers(30, 400))
@settings(max_examples=20)
def test_the_future_does_not_move_a_volatility(position: int) -> None:
    panel = walk_panel()
    with_future_noise = with_noise_after(panel, position)
    for volatility in (ewma_volatility, expanding_volatility):
        np.testing.assert_array_equal(
            volatility(panel.history)[:, : position + 1], volatility(with_future_noise.history)[:, : position + 1]
        )
