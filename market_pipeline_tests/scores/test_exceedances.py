"""The tests of a market's tails: combined over symbols, on outcomes that do not overlap."""

import numpy as np
import pyarrow as pa
import pytest

from market_pipeline.scores.exceedances import LEAST, exceedance_tests, origins_apart
from market_pipeline.scores.tail_tests import kupiec
from market_pipeline.storage.tables.scores import TAIL_TESTS, TESTS

SESSIONS = np.busday_offset(np.datetime64("2020-01-06"), np.arange(1500))


def outcomes(realised: np.ndarray, model: str = "har", var: float = -1.96, shortfall: float = -2.34) -> pa.Table:
    """Of forecasts whose value at risk and shortfall are those of a standard normal; `realised` (symbols, origins)."""
    symbols, count = realised.shape
    return pa.table(
        {
            "symbol": np.repeat([f"S{n}" for n in range(symbols)], count),
            "origin": pa.array(np.tile(SESSIONS[:count], symbols), pa.date32()),
            "horizon": pa.array([1] * realised.size, pa.int32()),
            "model": [model] * realised.size,
            "realised": realised.ravel(),
            "var_025": np.full(realised.size, var) - np.tile(1e-6 * np.arange(count), symbols),
            "es_025": np.full(realised.size, shortfall),
            "exceeded_025": realised.ravel() < var,
            "exceeded_01": realised.ravel() < -2.326,
        }
    )


def values(*tables: pa.Table) -> dict[tuple[str, str], float]:
    rows = exceedance_tests(tables)
    assert rows.schema == TESTS.schema
    return {(row["model"], row["test"]): row["value"] for row in rows.to_pylist()}


def test_right_tails_pass_and_wrong_ones_fail() -> None:
    draw = np.random.default_rng(0)
    right = draw.normal(size=(30, 800))
    found = values(outcomes(right), outcomes(1.5 * right, "narrow"), outcomes(draw.standard_t(3, (30, 800)), "thin"))
    assert {test for model, test in found if model == "har"} == set(TAIL_TESTS)
    assert all(found["har", test] > 0.05 for test in TAIL_TESTS)
    assert all(found["narrow", test] < 0.05 for test in ("kupiec", "christoffersen", "dynamic_quantile"))
    assert found["narrow", "traffic_light"] > 0.8
    assert found["thin", "shortfall"] < 0.05


def test_the_value_is_twice_the_median_whatever_the_order_of_rows() -> None:
    realised = np.random.default_rng(1).normal(size=(9, 400)) * np.linspace(0.8, 1.3, 9)[:, None]
    table = outcomes(realised)
    shuffled = table.take(pa.array(np.random.default_rng(2).permutation(table.num_rows)))
    expected = min(1, 2 * np.median([kupiec(one < -1.96, 0.025) for one in realised]))
    assert values(table)["har", "kupiec"] == pytest.approx(expected)
    assert values(shuffled) == values(table)


def test_too_few_outcomes_are_not_tested() -> None:
    assert values(outcomes(np.random.default_rng(3).normal(size=(5, LEAST - 1)))) == {}
    assert values(outcomes(np.zeros((0, 0)))) == {}


def test_origins_apart_share_no_session_and_stay_when_sessions_are_added() -> None:
    for horizon in (1, 5, 20):
        early, late = (origins_apart(SESSIONS, SESSIONS[last], horizon) for last in (700, 1400))
        assert (np.diff(np.searchsorted(SESSIONS, late)) == horizon).all()
        assert set(early[-20:]) <= set(SESSIONS[::horizon])
        assert early[-1] <= SESSIONS[700]
