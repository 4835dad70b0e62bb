import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from market_pipeline.scores.champions import champions
from market_pipeline.scores.further_tests import further_tests
from market_pipeline.scores.significance import clark_west, confidence_set, e_value, pesaran_timmermann
from market_pipeline.scores.verdicts import comparisons_of
from market_pipeline.storage.tables.scores import FURTHER_TESTS, PORTFOLIO_TESTS, TAIL_TESTS, TESTS
from market_pipeline_tests.scores.test_champions import SESSIONS, losses


def test_clark_west_finds_forecasts_whose_errors_are_no_smaller() -> None:
    draw = np.random.default_rng(0)
    forecast = draw.normal(0, 1, 2000)
    realised = 0.1 * forecast + draw.normal(0, 1, 2000)
    assert ((realised - forecast) ** 2).mean() > (realised**2).mean()
    assert clark_west(2 * realised * forecast, 0) < 0.001
    assert clark_west(2 * draw.normal(0, 1, 2000) * forecast, 0) > 0.05


def test_forecasts_that_go_with_rises_are_found_and_constant_ones_are_not() -> None:
    draw = np.random.default_rng(1)
    rises = draw.random((800, 10)) < 0.55
    knowing = np.where(draw.random(rises.shape) < 0.2, rises, draw.random(rises.shape) < 0.5)
    always = np.ones_like(rises)
    for calls, low, high in ((knowing, 0.0, 0.01), (always, 0.5, 1.0)):
        shares = np.column_stack([every.mean(axis=1) for every in (rises, calls, rises & calls)])
        p_value = pesaran_timmermann(shares, 0)
        assert low <= p_value <= high


def test_the_confidence_set_keeps_the_best_and_drops_the_worse() -> None:
    draw = np.random.default_rng(2)
    every = draw.normal(1, 0.2, (400, 3))
    every[:, 1] += 0.2
    found = confidence_set(every, 5)
    assert found[1] < 0.05
    assert found[[0, 2]].max() == 1
    np.testing.assert_array_equal(found, confidence_set(every, 5))


def test_models_with_equal_losses_are_one_in_the_confidence_set() -> None:
    """As where a model forecasts as the random walk does."""
    losses = np.random.default_rng(2).gamma(2, 1, (200, 3)) + np.array([0, 0.1, 0.8])
    np.testing.assert_array_equal(
        confidence_set(losses[:, [2, 0, 1, 0]], 5), confidence_set(losses[:, [2, 0, 1]], 5)[[0, 1, 2, 1]]
    )
    assert confidence_set(losses[:, [1, 1]], 5).tolist() == [1, 1]


def test_the_e_value_seldom_alarms_without_a_loss_and_soon_with_one() -> None:
    draw = np.random.default_rng(3)
    alarms = sum(e_value(draw.normal(0, 1, 1000)) >= 20 for _ in range(400))
    assert alarms <= 0.05 * 400
    assert e_value(draw.normal(0.5, 1, 150)) >= 20


def test_every_kind_of_test_has_its_rows() -> None:
    ranges = losses({"har": np.full(500, 0.05), "ewma": np.full(500, 0.01)}).to_pandas()
    others = [losses({"linear": np.zeros(300)}, question=name).to_pandas() for name in ("return", "direction")]
    every = pa.Table.from_pandas(pd.concat([ranges, *others]), preserve_index=False)
    draw = np.random.default_rng(4)
    frame = pd.DataFrame({"horizon": 1, "model": "linear", "origin": pd.to_datetime(SESSIONS[:300])})
    frame["product"] = np.where(np.arange(300) < 30, np.nan, draw.normal(size=300))
    frame[["rose", "called_up", "called_up_and_rose"]] = draw.random((300, 3))
    daily = pa.Table.from_pandas(frame, preserve_index=False)
    comparisons = comparisons_of(every, SESSIONS)
    rows = further_tests(comparisons, champions(comparisons, SESSIONS), daily)
    found = {(row["model"], row["test"]): row for row in rows.to_pylist()}
    assert rows.schema == TESTS.schema
    assert set(found) == {
        ("linear", "clark_west"), ("linear", "pesaran_timmermann"), ("har", "model_confidence_set"),
        ("ewma", "model_confidence_set"), ("har", "e_value"),
        *((model, "effective_origins") for model in ("linear", "har", "ewma")),
    }  # fmt: skip
    assert {test for _, test in found} == set(FURTHER_TESTS) - {*TAIL_TESTS, *PORTFOLIO_TESTS}
    assert all(row["value"] <= 1 for (_, test), row in found.items() if test not in {"e_value", "effective_origins"})
    assert found["linear", "clark_west"]["n_origins"] == 270, "origins whose forecasts are all zero have no product"
    assert found["linear", "pesaran_timmermann"]["n_origins"] == 300


@pytest.mark.parametrize("bad", [np.array([1.0, np.nan, 2.0])])
def test_a_missing_loss_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="not a number"):
        clark_west(bad, 0)
