"""Conditions of stored forecasts, on rows that were planted."""

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from market_pipeline.forecasts.checks import NOT_CLAIMED, NOT_COHERENT, NOT_THE_QUANTILE, TAILS_NOT_ORDERED
from market_pipeline.models.calibration.distribution import Distribution, is_coherent
from market_pipeline.storage.duckdb_file import DuckDBFile
from market_pipeline.storage.tables.forecasts import FORECASTS, QUANTILES, TAILS

ORIGIN, TARGET = dt.date(2024, 3, 1), dt.date(2024, 3, 4)
EVEN = np.array([-3.0, -2, -1.5, -1, 0, 1, 1.5, 2, 3]) / 100


def row(p_up: float, quantiles: np.ndarray, mean: float, made: int) -> dict[str, object]:
    made_at = dt.datetime(2024, 3, made, tzinfo=dt.UTC).replace(tzinfo=None)
    about = {"symbol": "AAA", "origin": ORIGIN, "horizon": 1, "target_session": TARGET, "model": "ewma"}
    numbers = dict(zip(QUANTILES, quantiles.tolist(), strict=True)) | {"p_up": p_up, "mean": mean}
    return about | numbers | {"trained_through": ORIGIN, "made_at": made_at, "mode": "live"}


@pytest.mark.parametrize(
    ("p_up", "quantiles", "mean", "made", "offends"),
    [
        (0.5, EVEN, 0.0, 10, False),
        (0.6, EVEN, 0.0, 10, True),  # the median of a walk that rises more often than it falls
        (0.6, EVEN + 0.001, 0.0, 10, False),
        (0.6, EVEN + 0.011, 0.0, 10, True),  # the lower quartile is above 0
        (0.6, EVEN - 0.001, 0.0, 10, True),
        (0.99, EVEN + 0.04, 0.0, 10, False),  # a rare large fall may pay for what is nearly certain
        (0.99, EVEN + 0.04, -0.001, 10, True),  # the mean is not inside
        (0.5, EVEN, 0.031, 10, True),
        (0.6, EVEN, 0.0, 2, False),  # an earlier version's
    ],
)
def test_one_distribution(
    tmp_path: Path, p_up: float, quantiles: np.ndarray, mean: float, made: int, *, offends: bool
) -> None:
    warehouse = DuckDBFile(tmp_path / "warehouse.duckdb", "simulated")
    newest = row(0.5, EVEN, 0.0, 10) | {"symbol": "BBB"}
    rows = pa.Table.from_pylist([newest, row(p_up, quantiles, mean, made)], FORECASTS.schema)
    warehouse.replace("forecasts", rows, "stocks", ORIGIN, ORIGIN)
    span = {"market": "stocks", "first": ORIGIN, "last": ORIGIN}
    assert bool(warehouse.read(NOT_COHERENT, span).num_rows) == offends
    one = Distribution(np.array([[mean]]), quantiles[None, None], np.array([[p_up]]))
    assert made < 10 or is_coherent(one).item() != offends  # the same rule, for own models


LOSSES = {"var_01": -0.05, "es_01": -0.06, "var_025": -0.03, "es_025": -0.045, "var_05": -0.02, "es_05": -0.03}


@pytest.mark.parametrize(
    ("changed", "model", "offended"),
    [
        ({}, "ewma", ()),
        ({"var_01": None, "es_01": None}, "ewma", ()),
        ({"var_01": -0.025}, "ewma", ("ordered",)),
        ({"es_025": -0.061}, "ewma", ("ordered",)),
        ({"var_025": -0.0299, "es_025": -0.045}, "ewma", ("quantile",)),
        ({}, "har", ("quantile",)),  # which has no forecast
        ({}, "linear", ("quantile", "claimed")),
    ],
)
def test_tails_that_are_wrong_are_found(
    tmp_path: Path, changed: dict[str, float | None], model: str, offended: tuple[str, ...]
) -> None:
    warehouse = DuckDBFile(tmp_path / "warehouse.duckdb", "simulated")
    forecasts = pa.Table.from_pylist([row(0.5, EVEN, 0.0, 10)], FORECASTS.schema)
    warehouse.replace("forecasts", forecasts, "stocks", ORIGIN, ORIGIN)
    about = {"symbol": "AAA", "origin": ORIGIN, "horizon": 1, "target_session": TARGET, "model": model}
    rows = pa.Table.from_pylist([about | LOSSES | changed], TAILS.schema)
    warehouse.replace("tails", rows, "stocks", ORIGIN, ORIGIN)
    span = {"market": "stocks", "first": ORIGIN, "last": ORIGIN}
    queries = {"ordered": TAILS_NOT_ORDERED, "quantile": NOT_THE_QUANTILE, "claimed": NOT_CLAIMED}
    assert tuple(name for name, query in queries.items() if warehouse.read(query, span).num_rows) == offended
