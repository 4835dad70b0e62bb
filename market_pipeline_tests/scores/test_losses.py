import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from market_pipeline.models.calibration.distribution import LEVELS, QUANTILES
from market_pipeline.scores.losses import crps, ranked_probability_score, score

NORMAL = norm.ppf(LEVELS)


def forecasts(quantiles: np.ndarray, mean: float = 0.0, p_up: float = 0.5) -> pa.Table:
    count = len(quantiles)
    return pa.table(
        {
            "symbol": ["A"] * count,
            "origin": [dt.date(2024, 1, 2)] * count,
            "horizon": pa.array([1] * count, pa.int32()),
            "target_session": [dt.date(2024, 1, 3)] * count,
            "model": ["m"] * count,
            "mean": [mean] * count,
            "p_up": [p_up] * count,
            **dict(zip(QUANTILES, quantiles.T, strict=True)),
        }
    )


def test_crps_of_a_certain_forecast_is_the_absolute_error() -> None:
    np.testing.assert_allclose(crps(np.full((1, 9), 0.02), np.array([0.05])), [0.03], rtol=0.03)


@pytest.mark.parametrize("realised", [-2.0, -0.5, 0.0, 1.0, 3.0])
def test_crps_is_near_the_closed_form_of_the_normal(realised: float) -> None:
    # Gneiting & Raftery 2007, eq. 21.
    exact = realised * (2 * norm.cdf(realised) - 1) + 2 * norm.pdf(realised) - 1 / np.sqrt(np.pi)
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
    assert mean * np.sqrt(np.pi) == pytest.approx(0.97, abs=0.005)  # the mean CRPS of a true normal is 1 / sqrt(pi)


@given(shift=st.floats(-1, 1).filter(lambda s: abs(s) > 0.15), stretch=st.floats(0.4, 2.5))
def test_the_true_distribution_loses_least(shift: float, stretch: float) -> None:
    draws = np.random.default_rng(1).normal(size=20_000)
    truth, other = (np.tile(q, (len(draws), 1)) for q in (NORMAL, shift + stretch * NORMAL))
    assert crps(truth, draws).mean() < crps(other, draws).mean()


def test_every_loss_by_hand() -> None:
    quantiles = np.array([[-0.04, -0.03, -0.02, -0.01, 0.0, 0.01, 0.02, 0.03, 0.04]])
    row = score(forecasts(quantiles, mean=0.005, p_up=0.6), np.array([0.015])).to_pylist()[0]
    assert row["abs_error"] == pytest.approx(0.015)
    assert row["squared_error"] == pytest.approx(0.0001)
    assert row["brier"] == pytest.approx(0.16)
    assert (row["covered_50"], row["covered_80"], row["covered_95"]) == (False, True, True)


def test_a_return_of_zero_is_no_rise() -> None:
    assert score(forecasts(NORMAL[None], p_up=0.7), np.array([0.0])).to_pylist()[0]["brier"] == pytest.approx(0.49)


def test_what_did_not_happen_is_not_scored() -> None:
    rows = score(forecasts(np.tile(NORMAL, (3, 1))), np.array([0.1, np.nan, 0.2]))
    assert rows["realised"].to_pylist() == [0.1, 0.2]
    assert score(forecasts(np.tile(NORMAL, (2, 1))), np.array([np.nan, np.nan])).num_rows == 0


def test_a_score_does_not_depend_on_what_came_due_later() -> None:
    draws = np.random.default_rng(4).normal(size=30)
    every = score(forecasts(np.tile(NORMAL, (30, 1))), draws)
    assert score(forecasts(np.tile(NORMAL, (20, 1))), draws[:20]).equals(every.slice(0, 20))


def test_equal_chances_score_as_the_m6_competition_says() -> None:
    scores = ranked_probability_score(np.full((5, 5), 0.2), np.arange(1, 6))
    np.testing.assert_allclose(scores, [0.24, 0.12, 0.08, 0.12, 0.24])
    assert scores.mean() == pytest.approx(0.16)


def test_the_rank_score_grows_with_the_distance_in_fifths() -> None:
    certain_of_the_first = np.tile([1.0, 0, 0, 0, 0], (5, 1))
    np.testing.assert_allclose(ranked_probability_score(certain_of_the_first, np.arange(1, 6)), [0, 0.2, 0.4, 0.6, 0.8])


@given(st.lists(st.floats(0.01, 1), min_size=5, max_size=5), st.lists(st.floats(0.01, 1), min_size=5, max_size=5))
def test_no_chances_lose_less_on_average_than_the_true_ones(true: list[float], told: list[float]) -> None:
    truth, other = (np.array(weights) / sum(weights) for weights in (true, told))
    loss = [truth @ ranked_probability_score(np.tile(chances, (5, 1)), np.arange(1, 6)) for chances in (truth, other)]
    assert loss[0] <= loss[1] + 1e-12


@pytest.mark.parametrize("fifth", [0, 6])
def test_a_fifth_that_is_none_is_refused(fifth: int) -> None:
    with pytest.raises(ValueError, match="1 to 5"):
        ranked_probability_score(np.full((1, 5), 0.2), np.array([fifth]))


def test_ranges_cover_what_they_say_on_normal_draws() -> None:
    draws = np.random.default_rng(0).normal(size=20_000)
    rows = score(forecasts(np.tile(NORMAL, (len(draws), 1))), draws)
    for column, share in (("covered_50", 0.5), ("covered_80", 0.8), ("covered_95", 0.95)):
        assert np.mean(rows[column].to_pylist()) == pytest.approx(share, abs=0.01)
