import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
import scoringrules as sr
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from market_pipeline.scores.losses import crps, fissler_ziegel, ranked_probability_score, score, score_ranks
from market_pipeline.storage.tables.forecasts import CHANCES, LEVELS, QUANTILES
from market_pipeline.storage.tables.scores import SCORES

NORMAL = norm.ppf(LEVELS)
TAIL = {"var_01": None, "es_01": None, "var_025": -2.0, "es_025": -2.3, "var_05": -1.6, "es_05": -2.1}


def forecasts(quantiles: np.ndarray, realised: np.ndarray, mean: float = 0.0, p_up: float = 0.5) -> pa.Table:
    count = len(quantiles)
    return pa.table(
        {
            "symbol": pa.array(["A"] * count, pa.string()),
            "origin": pa.array([dt.date(2024, 1, 2)] * count, pa.date32()),
            "horizon": pa.array([1] * count, pa.int32()),
            "target_session": pa.array([dt.date(2024, 1, 3)] * count, pa.date32()),
            "model": pa.array(["m"] * count, pa.string()),
            "mean": pa.array([mean] * count, pa.float64()),
            "p_up": pa.array([p_up] * count, pa.float64()),
            **dict(zip(QUANTILES, quantiles.T, strict=True)),
            **{name: pa.array([tail] * count, pa.float64()) for name, tail in TAIL.items()},
            "realised": realised,
        }
    )


def normal_forecasts(realised: np.ndarray, p_up: float = 0.5) -> pa.Table:
    return forecasts(np.tile(NORMAL, (len(realised), 1)), realised, p_up=p_up)


def test_crps_is_the_integral_of_the_quantile_scores() -> None:
    draw = np.random.default_rng(2)
    quantiles, realised = np.sort(draw.normal(size=(500, 9)), axis=1), draw.normal(size=500)
    scores = sr.quantile_score(realised[:, None], quantiles, np.array(LEVELS))
    whole = np.pad(scores, ((0, 0), (1, 1)))  # the score is 0 at the levels 0 and 1
    expected = 2 * np.trapezoid(whole, np.array([0.0, *LEVELS, 1.0]), axis=1)
    np.testing.assert_allclose(crps(quantiles, realised), expected, rtol=1e-12)


def test_crps_of_a_certain_forecast_is_the_absolute_error() -> None:
    np.testing.assert_allclose(crps(np.full((1, 9), 0.02), np.array([0.05])), [0.03], rtol=0.03)


@pytest.mark.parametrize("realised", [-2.0, -0.5, 0.0, 1.0, 3.0])
def test_crps_is_near_the_closed_form_of_the_normal(realised: float) -> None:
    # Gneiting & Raftery 2007, eq. 21.
    exact = realised * (2 * norm.cdf(realised) - 1) + 2 * norm.pdf(realised) - 1 / np.sqrt(np.pi)
    assert sr.crps_normal(realised, 0.0, 1.0) == pytest.approx(exact)
    assert crps(NORMAL[None], np.array([realised]))[0] == pytest.approx(exact, rel=0.08, abs=0.035)


def test_crps_is_near_the_integral_over_the_distribution() -> None:
    grid = np.linspace(-12, 12, 240_001)
    step = grid[1] - grid[0]
    for realised in (-1.5, 0.2, 2.5):
        exact = ((norm.cdf(grid) - (grid >= realised)) ** 2).sum() * step
        assert crps(NORMAL[None], np.array([realised]))[0] == pytest.approx(exact, abs=0.06)


def test_nine_levels_understate_a_true_normal_by_three_percent() -> None:
    draws = norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    mean = crps(np.tile(NORMAL, (len(draws), 1)), draws).mean()
    assert mean / sr.crps_normal(draws, 0.0, 1.0).mean() == pytest.approx(0.97, abs=0.005)
    assert mean * np.sqrt(np.pi) == pytest.approx(0.97, abs=0.005)  # the mean CRPS of a true normal is 1 / sqrt(pi)


@given(shift=st.floats(-1, 1).filter(lambda s: abs(s) > 0.15), stretch=st.floats(0.4, 2.5))
def test_the_true_distribution_loses_least(shift: float, stretch: float) -> None:
    draws = np.random.default_rng(1).normal(size=20_000)
    truth, other = (np.tile(q, (len(draws), 1)) for q in (NORMAL, shift + stretch * NORMAL))
    assert crps(truth, draws).mean() < crps(other, draws).mean()


def test_every_loss_by_hand() -> None:
    quantiles = np.array([[-0.04, -0.03, -0.02, -0.01, 0.0, 0.01, 0.02, 0.03, 0.04]])
    row = score(forecasts(quantiles, np.array([0.015]), mean=0.005, p_up=0.6)).to_pylist()[0]
    assert row["abs_error"] == pytest.approx(0.015)
    assert row["squared_error"] == pytest.approx(0.0001)
    assert row["brier"] == pytest.approx(0.16)
    assert (row["covered_50"], row["covered_80"], row["covered_95"]) == (False, True, True)


def test_the_brier_score_equals_that_of_scoringrules() -> None:
    realised = np.random.default_rng(6).normal(size=200)
    expected = sr.brier_score((realised > 0).astype(int), np.full(200, 0.7))
    np.testing.assert_allclose(score(normal_forecasts(realised, p_up=0.7))["brier"].to_numpy(), expected)


def test_a_return_of_zero_is_no_rise() -> None:
    assert score(normal_forecasts(np.zeros(1), p_up=0.7)).to_pylist()[0]["brier"] == pytest.approx(0.49)


def test_scores_have_the_declared_columns_in_the_order_of_the_forecasts() -> None:
    rows = score(normal_forecasts(np.array([0.1, 0.2])))
    assert {field.name: field.type for field in rows.schema} == {f.name: f.type for f in SCORES.schema}
    assert rows["realised"].to_pylist() == [0.1, 0.2]
    assert score(normal_forecasts(np.zeros(0))).num_rows == 0


def test_a_score_does_not_depend_on_later_forecasts() -> None:
    draws = np.random.default_rng(4).normal(size=30)
    assert score(normal_forecasts(draws[:20])).equals(score(normal_forecasts(draws)).slice(0, 20))


def test_equal_chances_score_as_in_the_m6_competition() -> None:
    scores = ranked_probability_score(np.full((5, 5), 0.2), np.arange(1, 6))
    np.testing.assert_allclose(scores, [0.24, 0.12, 0.08, 0.12, 0.24])
    assert scores.mean() == pytest.approx(0.16)


def test_the_rank_score_equals_that_of_scoringrules_over_the_number_of_classes() -> None:
    draw = np.random.default_rng(5)
    chances, quintile = draw.dirichlet(np.ones(5), 300), draw.integers(1, 6, 300)
    np.testing.assert_allclose(ranked_probability_score(chances, quintile), sr.rps_score(quintile, chances) / 5)


def test_the_rank_score_grows_with_the_distance_in_quintiles() -> None:
    certain_of_the_first = np.tile([1.0, 0, 0, 0, 0], (5, 1))
    np.testing.assert_allclose(ranked_probability_score(certain_of_the_first, np.arange(1, 6)), [0, 0.2, 0.4, 0.6, 0.8])


@given(st.lists(st.floats(0.01, 1), min_size=5, max_size=5), st.lists(st.floats(0.01, 1), min_size=5, max_size=5))
def test_no_chances_lose_less_on_average_than_the_true_ones(true: list[float], forecast: list[float]) -> None:
    truth, other = (np.array(weights) / sum(weights) for weights in (true, forecast))
    loss = [truth @ ranked_probability_score(np.tile(chances, (5, 1)), np.arange(1, 6)) for chances in (truth, other)]
    assert loss[0] <= loss[1] + 1e-12


@pytest.mark.parametrize("quintile", [0, 6])
def test_a_quintile_outside_one_to_five_is_refused(quintile: int) -> None:
    with pytest.raises(ValueError, match="1 to 5"):
        ranked_probability_score(np.full((1, 5), 0.2), np.array([quintile]))


def test_ranges_cover_their_share_of_normal_draws() -> None:
    rows = score(normal_forecasts(np.random.default_rng(0).normal(size=20_000)))
    for column, share in (("covered_50", 0.5), ("covered_80", 0.8), ("covered_95", 0.95)):
        assert np.mean(rows[column].to_pylist()) == pytest.approx(share, abs=0.01)


def rank_forecasts(chances: np.ndarray) -> pa.Table:
    """Chances of symbols whose returns are in ascending order."""
    count = len(chances)
    return pa.table(
        {
            "symbol": [f"S{n}" for n in range(count)],
            "origin": pa.array([dt.date(2024, 1, 2)] * count, pa.date32()),
            "horizon": pa.array([20] * count, pa.int32()),
            "model": ["joint"] * count,
            **dict(zip(CHANCES, chances.T, strict=True)),
            "realised": np.arange(float(count)),
        }
    )


def test_equal_chances_of_ranks_score_0_16_and_certainty_that_is_right_scores_0() -> None:
    right = np.repeat(np.eye(5), 2, axis=0)
    equal, certain, wrong = (
        score_ranks(rank_forecasts(chances))["rps"][0].as_py()
        for chances in (np.full((10, 5), 0.2), right, right[::-1])
    )
    assert equal == pytest.approx(0.16)
    assert certain == 0
    assert wrong > 0.4


def test_ranks_of_fewer_than_five_symbols_are_not_scored() -> None:
    assert score_ranks(rank_forecasts(np.full((9, 5), 0.2))).num_rows == 1
    assert score_ranks(rank_forecasts(np.full((4, 5), 0.2))).num_rows == 0


def test_the_fz0_loss_is_least_for_the_true_value_at_risk_and_shortfall() -> None:
    """Of the normal: VaR = quantile, ES = -density / level (McNeil, Frey & Embrechts 2015, example 2.14)."""
    level, realised = 0.025, norm.ppf((np.arange(400_000) + 0.5) / 400_000)
    true = np.array([norm.ppf(level), -norm.pdf(norm.ppf(level)) / level])

    def mean_loss(pair: np.ndarray) -> float:
        return float(fissler_ziegel(pair[:1], pair[1:], realised, level).mean())

    least = mean_loss(true)
    for factor in ([0.97, 1], [1.03, 1], [1, 0.97], [1, 1.03], [0.9, 0.9], [1.1, 1.1]):
        assert mean_loss(true * factor) > least
    # At the truth the expected loss is log(-ES): Patton, Ziegel & Chen 2019, below eq. 6.
    assert least == pytest.approx(np.log(-true[1]), abs=2e-4)


def test_differences_of_the_fz0_loss_do_not_depend_on_the_unit() -> None:
    realised = np.random.default_rng(0).normal(size=50)
    one, other = ((np.full(50, var), np.full(50, es)) for var, es in ((-1.0, -1.5), (-2.0, -2.2)))
    differences = [
        fissler_ziegel(one[0] * unit, one[1] * unit, realised * unit, 0.05)
        - fissler_ziegel(other[0] * unit, other[1] * unit, realised * unit, 0.05)
        for unit in (1, 100)
    ]
    np.testing.assert_allclose(*differences, atol=1e-12)


def test_the_fz0_loss_refuses_a_gain_and_passes_a_gap_on() -> None:
    gap, loss = np.array([np.nan]), np.array([-0.02])
    assert np.isnan(fissler_ziegel(gap, loss, loss, 0.01)).all()
    with pytest.raises(ValueError, match="not below 0"):
        fissler_ziegel(loss, -loss, loss, 0.01)
