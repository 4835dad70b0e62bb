import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from market_pipeline.scores.champions import champions, reigns
from market_pipeline.scores.further_tests import CALLED, other_tests
from market_pipeline.scores.significance import clark_west, confidence_set, e_value, pesaran_timmermann
from market_pipeline_tests.scores.test_champions import SESSIONS, daily


def test_clark_west_finds_a_mean_whose_errors_are_no_smaller() -> None:
    draw = np.random.default_rng(0)
    forecast = draw.normal(0, 1, 2000)
    realised = 0.1 * forecast + draw.normal(0, 1, 2000)
    assert ((realised - forecast) ** 2).mean() > (realised**2).mean()
    assert clark_west(2 * realised * forecast, 0).p_value < 0.001
    assert clark_west(2 * draw.normal(0, 1, 2000) * forecast, 0).p_value > 0.05


def test_calls_that_go_with_rises_are_found_and_a_constant_call_is_not() -> None:
    draw = np.random.default_rng(1)
    rises = draw.random((800, 10)) < 0.55
    knowing = np.where(draw.random(rises.shape) < 0.2, rises, draw.random(rises.shape) < 0.5)
    always = np.ones_like(rises)
    for calls, low, high in ((knowing, 0.0, 0.01), (always, 0.5, 1.0)):
        p_value = pesaran_timmermann(rises.mean(axis=1), calls.mean(axis=1), (rises & calls).mean(axis=1), 0).p_value
        assert low <= p_value <= high


def test_the_confidence_set_keeps_the_best_and_drops_the_worse() -> None:
    draw = np.random.default_rng(2)
    losses = draw.normal(1, 0.2, (400, 3))
    losses[:, 1] += 0.2
    found = confidence_set(losses, 5)
    assert found[1] < 0.05
    assert found[[0, 2]].max() == 1
    np.testing.assert_array_equal(found, confidence_set(losses, 5))


def test_the_e_value_seldom_alarms_while_nothing_is_wrong_and_soon_when_something_is() -> None:
    draw = np.random.default_rng(3)
    alarms = sum(e_value(draw.normal(0, 1, 1000)) >= 20 for _ in range(400))
    assert alarms <= 0.05 * 400
    assert e_value(draw.normal(0.5, 1, 150)) >= 20


def test_every_kind_of_test_has_its_rows() -> None:
    rows = daily({"har": np.full(500, 0.05), "ewma": np.full(500, 0.01)})
    series = {"horizon": 1, "model": "linear", "origin": pd.to_datetime(SESSIONS[:300])}
    returns = daily({"linear": np.zeros(300)}, question="return").to_pandas()
    both = pa.Table.from_pandas(pd.concat([rows.to_pandas(), returns]), preserve_index=False)
    draw = np.random.default_rng(4)
    products = pa.Table.from_pandas(pd.DataFrame({**series, "product": draw.normal(size=300)}))
    called = {name: draw.random(300) for name in CALLED}
    calls = pa.Table.from_pandas(pd.DataFrame({**series, **called}))
    found = other_tests(both, champions(both, SESSIONS), products, calls, SESSIONS).to_pylist()
    assert {(row["model"], row["test"]) for row in found} == {
        ("linear", "clark_west"), ("har", "model_confidence_set"), ("ewma", "model_confidence_set"), ("har", "e_value"),
        *((model, "effective_origins") for model in ("linear", "har", "ewma")),
    }  # fmt: skip
    assert all(row["value"] <= 1 for row in found if row["test"] not in {"e_value", "effective_origins"})


def test_the_walk_reigns_without_a_trend() -> None:
    titles = champions(daily({"linear": np.full(400, 0.05)}, question="return"), SESSIONS)
    [(model, since, until)] = reigns(titles, 1)
    assert model == "linear"
    assert since < until
    assert reigns(titles, 5) == []


@pytest.mark.parametrize("bad", [np.array([1.0, np.nan, 2.0])])
def test_a_missing_loss_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="not a number"):
        clark_west(bad, 0)
