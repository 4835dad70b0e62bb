"""Portfolios of every joint model: the identities that must hold, no look-ahead, the same bits in any order."""

from collections.abc import Mapping
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joblib import Parallel

from market_pipeline.models.calibration.distribution import Distribution
from market_pipeline.models.features.panel import Panel
from market_pipeline.models.forecasters.har import HAR
from market_pipeline.models.forecasters.protocol import Origins
from market_pipeline.models.forecasters.random_walk import RANDOM_WALK
from market_pipeline.models.joint.held import Wanted
from market_pipeline.models.joint.simulation import RANGES_OF, Found, forecast_portfolios
from market_pipeline.models.joint.unchosen import LONG_SHORT, MINIMUM_VARIANCE
from market_pipeline.prices.history import History
from market_pipeline.storage.tables.forecasts import HORIZONS, LEVELS
from market_pipeline.storage.tables.portfolios import CONSTANT, HISTORY, JOINT_MODELS
from market_pipeline_tests.panels import history_of, walk_panel, with_noise_after

SESSIONS = 400
END = SESSIONS - 1


def complete(seed: int, symbols: int = 6) -> Panel:
    """A panel without holes, its last symbol the mirror image of the first."""
    panel = walk_panel(seed, symbols=symbols, sessions=SESSIONS)
    draw = np.random.default_rng(seed)
    moves = draw.normal(0, 0.02, (symbols, SESSIONS)) + draw.normal(0, 0.01, SESSIONS)
    moves[-1] = -moves[0]
    history = history_of(100 * np.exp(np.cumsum(moves, axis=1)), panel.history.sessions)
    return replace(panel, history=history)


def ranges_of(panel: Panel, positions: np.ndarray, errors: float = np.inf) -> Mapping[str, Mapping[int, Distribution]]:
    """The distributions of the single symbols, trained on the first 300 sessions, as if on so many `errors`."""
    past = panel.until(panel.history.sessions[300])
    none = dict.fromkeys(HORIZONS, panel.history.sessions[:0])
    return {
        one.name: {
            horizon: replace(found, errors=errors)
            for horizon, found in one.forecast(one.fit(past), panel, Origins(positions, none)).items()
        }
        for one in (RANDOM_WALK, HAR)
    }


def found_at(panel: Panel, *weights: Mapping[str, float], end: int = END, unchosen: bool = False) -> Found:
    """What is forecast of portfolios P0, P1, ... at one session."""
    wanted = [Wanted(f"P{number}", one) for number, one in enumerate(weights)]
    positions = np.array([end])
    [found] = forecast_portfolios(panel.history, positions, ranges_of(panel, positions), [wanted], unchosen=unchosen)
    return found


def numbers(found: Found) -> dict[tuple[str, int], np.ndarray]:
    """All numbers of the portfolios by model and horizon; (portfolios, columns)."""
    return {
        key: np.column_stack([one.mean, one.quantiles, one.p_up, one.var, one.es])
        for key, one in found.outlooks.items()
    }


weights = st.dictionaries(
    st.sampled_from(["S0", "S1", "S2", "S3", "S4"]), st.sampled_from([-0.7, -0.2, 0.1, 0.5, 1.5]), min_size=1
)
few = settings(max_examples=6)


@few
@given(seed=st.integers(0, 100))
def test_a_portfolio_of_one_symbol_is_that_symbol(seed: int) -> None:
    panel = complete(seed)
    found = found_at(panel, {"S2": 1.0})
    ranges = ranges_of(panel, np.array([END]))
    for (model, horizon), one in found.outlooks.items():
        if model == HISTORY:
            continue
        alone = ranges[RANGES_OF[model]][horizon]
        np.testing.assert_allclose(one.quantiles[0], np.expm1(alone.quantiles[2, 0]), rtol=1e-5, atol=1e-8)
        np.testing.assert_allclose(one.p_up[0], alone.p_up[2, 0], atol=3e-3)
        assert alone.quantile_function is not None
        tail = np.expm1(alone.quantile_function(np.linspace(0, 0.025, 1001))[2, 0])
        np.testing.assert_allclose(one.es[0, 1], (tail[1:] + tail[:-1]).mean() / 2, rtol=1e-2)


@few
@given(seed=st.integers(0, 100), held=weights)
def test_contributions_add_up_and_single_losses_are_no_smaller_than_the_portfolio_s(
    seed: int, held: dict[str, float]
) -> None:
    found = found_at(complete(seed), held)
    for (model, horizon, _), (parts, single) in found.parts.items():
        es = found.outlooks[model, horizon].es[0, 1]
        assert len(parts) == len(held)
        np.testing.assert_allclose(parts.sum(), es, rtol=1e-5, atol=1e-8)
        assert single.sum() <= es + 1e-7
        assert (single <= 0).all()


@few
@given(seed=st.integers(0, 100), held=weights, factor=st.sampled_from([0.25, 2.0, 3.0]))
def test_weights_that_are_scaled_scale_gains_and_losses(seed: int, held: dict[str, float], factor: float) -> None:
    found = found_at(complete(seed), held, {symbol: factor * weight for symbol, weight in held.items()})
    for one in found.outlooks.values():
        for name in ("mean", "quantiles", "var", "es"):
            values = getattr(one, name)
            np.testing.assert_allclose(values[1], factor * values[0], rtol=1e-4, atol=1e-7)
        np.testing.assert_allclose(one.p_up[1], one.p_up[0], atol=1e-6)


@few
@given(seed=st.integers(0, 100), held=weights)
def test_quantiles_ascend_and_a_shortfall_is_no_smaller_than_its_value_at_risk(
    seed: int, held: dict[str, float]
) -> None:
    for one in found_at(complete(seed), held).outlooks.values():
        assert (np.diff(one.quantiles) >= 0).all()
        known = np.isfinite(one.var[0])  # the portfolio's own history is too short for some
        var, es = one.var[0, known], one.es[0, known]
        assert (es <= var).all()
        assert (np.diff(var) >= 0).all()
        assert (np.diff(es) >= 0).all()
        published = one.quantiles[0, [LEVELS.index(0.025), LEVELS.index(0.05)]]
        np.testing.assert_array_equal(one.var[0, 1:][known[1:]], published[known[1:]])


def test_a_hedge_that_moves_in_opposition_removes_the_risk() -> None:
    panel = complete(3)
    found = found_at(panel, {"S0": 1.0}, {"S0": 0.5, "S5": 0.5})
    for (model, horizon), one in found.outlooks.items():
        # Shrunk and factor correlations are not complete, by intention.
        if model == CONSTANT or (model, horizon) == (HISTORY, 1):
            assert abs(one.es[1, 1]) < 0.1 * abs(one.es[0, 1]), model
    unhedged = found_at(panel, {"S0": 1.0}, {"S0": 0.5, "S4": 0.5})
    assert abs(unhedged.outlooks[CONSTANT, 1].es[1, 1]) > 0.4 * abs(unhedged.outlooks[CONSTANT, 1].es[0, 1])


@few
@given(seed=st.integers(0, 100), origin=st.integers(330, 380))
def test_neither_the_future_nor_other_origins_change_a_bit(seed: int, origin: int) -> None:
    panel = walk_panel(seed, symbols=6, sessions=SESSIONS)
    held = [Wanted("mine", {"S0": 0.5, "S3": -0.5})]
    noisy = with_noise_after(panel, origin)
    # The distributions of the single symbols have tests of their own; here they are those of one training.
    past = panel.until(panel.history.sessions[300])
    none = dict.fromkeys(HORIZONS, panel.history.sessions[:0])
    fitted = {one.name: one.fit(past) for one in (RANDOM_WALK, HAR)}

    def forecast(known: Panel, positions: list[int]) -> list[Found]:
        at = np.array(positions)
        ranges = {one.name: one.forecast(fitted[one.name], known, Origins(at, none)) for one in (RANDOM_WALK, HAR)}
        return forecast_portfolios(known.history, at, ranges, [held] * len(at))

    [alone] = forecast(panel, [origin])
    *_, among = forecast(noisy, [origin - 9, origin - 2, origin])
    assert alone.weights == among.weights
    for key, values in numbers(alone).items():
        np.testing.assert_array_equal(values, numbers(among)[key])


def test_estimates_that_see_the_days_after_an_origin_are_seen() -> None:
    panel = walk_panel(1, symbols=6, sessions=SESSIONS)
    with mock.patch.object(History, "until", lambda history, _: history):
        whole, noisy = (numbers(found_at(one, {"S0": 1.0, "S1": 1.0}, end=350)) for one in (
            panel, with_noise_after(panel, 350)))  # fmt: skip
    assert not np.array_equal(whole["constant", 1], noisy["constant", 1])


def test_the_order_of_symbols_other_portfolios_and_the_number_of_cores_change_no_bit() -> None:
    panel = complete(7, symbols=9)
    order = np.array([4, 2, 8, 0, 1, 7, 3, 6, 5])
    other = replace(panel, history=panel.history.some(order), recent=panel.recent[:, order])
    positions = np.arange(END - 3, END + 1)
    held = {"S1": 0.5, "S7": 0.25, "S3": -0.25}
    many = [Wanted("another", {"S2": 1.0}), Wanted("mine", held), *(Wanted(f"x{n}", {"S0": 1.0}) for n in range(20))]
    ranges = ranges_of(panel, positions)

    def of(known: Panel, wanted: list[Wanted], jobs: int = -1) -> list[Found]:
        some = order if known is other else np.arange(9)
        by_place = {
            name: {horizon: at_places(one, some) for horizon, one in found.items()} for name, found in ranges.items()
        }
        with mock.patch("joblib.Parallel", lambda **given: Parallel(**given | {"n_jobs": jobs})):
            return forecast_portfolios(known.history, positions, by_place, [wanted] * len(positions))

    expected = of(panel, [Wanted("mine", held)])
    for known, wanted, jobs in ((other, many, -1), (other, [Wanted("mine", held)], 1)):
        for one, again in zip(expected, of(known, wanted, jobs), strict=True):
            places = [[*again.weights].index(name) for name in one.weights]
            assert all(one.weights[name] == again.weights[name] for name in one.weights)
            for key, values in numbers(one).items():
                np.testing.assert_array_equal(values, numbers(again)[key][places])
            for key, (parts, single) in one.parts.items():
                np.testing.assert_array_equal((parts, single), again.parts[key])


def at_places(one: Distribution, places: np.ndarray) -> Distribution:
    """The distribution of the symbols at some places."""
    function = one.quantile_function
    assert function is not None
    return Distribution(
        one.mean[places], one.quantiles[places], one.p_up[places], lambda levels: function(levels)[places], one.errors
    )


def test_a_symbol_without_a_bar_is_named_and_its_weight_is_not_spread() -> None:
    panel = complete(5)
    close = panel.history.close.copy()
    close[1, END] = np.nan
    panel = replace(panel, history=history_of(close, panel.history.sessions))
    found = found_at(panel, {"S0": 0.5, "S1": 0.5}, {"S0": 1.0})
    assert found.missing == {"P0": ("S1",)}
    assert found.weights == {"P1": {"S0": 1.0}}
    assert len(found.outlooks["constant", 1].mean) == 1


def test_every_joint_model_forecasts_the_portfolios_that_nobody_chose() -> None:
    found = found_at(walk_panel(2, symbols=12, sessions=SESSIONS), unchosen=True)
    assert {model for model, _ in found.outlooks} == {*JOINT_MODELS}
    assert len(found.weights) == 1 + 20 + 20 + 4
    for name, held in found.weights.items():
        sizes = sum(abs(weight) for weight in held.values())
        if not name.startswith(MINIMUM_VARIANCE):
            assert sizes == pytest.approx(1)
        if name not in LONG_SHORT and not name.startswith(MINIMUM_VARIANCE):
            assert min(held.values()) > 0
    assert any(min(found.weights[name].values()) < 0 for name in LONG_SHORT)
    for (model, _), values in numbers(found).items():
        assert np.isfinite(values if model != HISTORY else values[:, : 2 + len(LEVELS)]).all()


def test_a_level_with_too_few_errors_behind_it_has_no_loss_and_no_parts() -> None:
    panel = complete(2)
    positions = np.array([END])
    ranges = ranges_of(panel, positions, errors=150)  # 5 % needs 99, 2.5 % 199
    [found] = forecast_portfolios(panel.history, positions, ranges, [[Wanted("mine", {"S0": 1.0})]], unchosen=False)
    one = found.outlooks[CONSTANT, 1]
    assert np.isfinite(one.es[0]).tolist() == np.isfinite(one.var[0]).tolist() == [False, False, True]
    assert np.isfinite(one.quantiles).all()
    assert (CONSTANT, 1, "mine") not in found.parts


def test_a_small_market_has_no_such_portfolios_and_a_short_past_no_forecast() -> None:
    assert found_at(walk_panel(symbols=4, sessions=SESSIONS), unchosen=True).weights == {}
    early = found_at(walk_panel(symbols=6, sessions=SESSIONS), {"S0": 1.0}, end=40)
    assert early.missing == {"P0": ("S0",)}
