"""The data of the scripts are the numbers of the mart, rounded, and a gap stays a gap."""

import datetime as dt
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market_pipeline.mart.report.embedded import DIGITS, PARTS, data_of, past_of, rounded, share
from market_pipeline.mart.report.forecasts import SelectedModel
from market_pipeline.mart.report.queries import PLOTTED_QUANTILES
from market_pipeline.mart.report.rows import Rows

DAYS = [dt.date(2024, 3, 4), dt.date(2024, 3, 5), dt.date(2024, 3, 6)]
NOTHING = ("quarantine_by_symbol", "restatements_by_symbol", "records")


def grid(columns: dict[str, dict[str, list[float | None]]]) -> pa.Table:
    """Rows of symbol, session and the columns, from lines by symbol; None is no row. The horizon is 1."""
    rows = [
        {"symbol": symbol, "session": day, "horizon": 1, **{name: of[symbol][at] for name, of in columns.items()}}
        for symbol in next(iter(columns.values()))
        for at, day in enumerate(DAYS)
        if all(of[symbol][at] is not None for of in columns.values())
    ]
    fields = [("symbol", pa.string()), ("session", pa.date32()), ("horizon", pa.int32())]
    return pa.Table.from_pylist(rows, pa.schema([*fields, *((name, pa.float64()) for name in columns)]))


def selected(horizon: int, prices: dict[str, float | None], *wins: str) -> SelectedModel:
    """The signals of one model, with a price at the origin for each symbol."""
    signals: list[dict[str, Any]] = [
        {
            "symbol": symbol, "trend": "up", "p_up": 0.512344,
            "expected_return": 0.01, "low_80": -0.02, "high_80": 0.03,
            "earlier_expected": None, "earlier_low": None, "earlier_high": None, "moved": None,
            "var_025": None, "es_025": None,
            "target_session": None if price is None else DAYS[-1] + dt.timedelta(horizon), "origin_price": price,
            **{name: None if price is None else price + place for place, name in enumerate(PLOTTED_QUANTILES)},
        }
        for symbol, price in prices.items()
    ]  # fmt: skip
    return SelectedModel(horizon, DAYS[-1], "ewma", "beats_baseline" if wins else "no_evidence", wins, signals)


def data(closes: pa.Table, *models: SelectedModel, symbols: tuple[str, ...] = ("AAA", "BBB")) -> dict[str, Any]:
    rows: dict[str, Rows] = {name: [] for name in NOTHING}
    rows["symbols"] = [{"symbol": symbol, "missing": 0, "no_forecast": None} for symbol in symbols]
    return data_of("stocks", rows, models, closes, grid({"low": {}, "high": {}}))


def test_columns_by_hand() -> None:
    closes = grid({"adj_close": {"AAA": [100.0, None, 101.123456], "BBB": [None, 7.0, None]}})
    models = (selected(1, {"AAA": 100.0}), selected(5, {"BBB": 100.0, "AAA": 100.0}, "range"))
    found = data(closes, *models, symbols=("AAA", "BBB", "GONE"))
    assert found["sessions"] == ["2024-03-04", "2024-03-05", "2024-03-06"]
    assert found["closes"] == [[100, None, 101.123], [None, 7, None], []]
    near, far = found["forecasts"]
    assert (near["horizon"], near["origin"], near["target"], near["at"]) == (1, "2024-03-06", "2024-03-07", [0])
    assert (far["horizon"], far["target"], far["at"]) == (5, "2024-03-11", [1, 0])
    assert far["quantiles"][0] == [100, 101, 102, 103, 104, 105, 106]
    assert (far["price"], far["p_up"], far["trend"]) == ([100, 100], [0.51234, 0.51234], [1, 1])


def test_a_forecast_carries_its_verdict_and_whether_a_direction_is_proven() -> None:
    models = (selected(1, {"AAA": 1.0}), selected(5, {"AAA": 1.0}, "range"), selected(20, {"AAA": 1.0}, "return"))
    forecasts = data(grid({"adj_close": {"AAA": [1.0, 1.0, 1.0]}}), *models)["forecasts"]
    assert [(forecast["verdict"], forecast["directional"]) for forecast in forecasts] == [
        ("○ no evidence of skill", False),
        ("✓ range: beats baseline", False),
        ("✓ return: beats baseline", True),
    ]
    (faded,) = data(
        grid({"adj_close": {"AAA": [1.0, 1.0, 1.0]}}), replace(selected(1, {"AAA": 1.0}, "range"), verdict="worse")
    )["forecasts"]
    assert (faded["verdict"], faded["directional"]) == ("× range: worse than baseline", False)
    assert "worse than the baseline on range since" in faded["sentence"]


def test_a_forecast_whose_origin_has_no_price_has_its_returns() -> None:
    (forecast,) = data(grid({"adj_close": {"AAA": [1.0, 2.0, 3.0]}}), selected(1, {"AAA": None}))["forecasts"]
    assert (forecast["target"], forecast["price"], forecast["low"]) == (None, [None], [-0.02])
    assert forecast["quantiles"] == [[None] * len(PLOTTED_QUANTILES)]


@given(st.lists(st.floats(-0.9, 9), min_size=3, max_size=3))
def test_a_past_range_has_the_sign_of_its_distance_from_the_close(low: list[float]) -> None:
    lines: dict[str, list[float | None]] = {"AAA": [*low]}
    found = past_of(1, grid({"low": lines, "high": lines}), ("AAA", "BBB"), np.array(DAYS, "datetime64[D]"))
    assert found["low"][0] == pytest.approx([PARTS * value for value in low], abs=0.5 + 1e-6)
    assert found["low"][1] == []


@given(st.floats(1e-9, 1e12))
def test_rounding_is_finer_than_a_screen(value: float) -> None:
    assert rounded(value) == pytest.approx(value, rel=0.5 * 10.0 ** (1 - DIGITS))


@pytest.mark.parametrize("value", [None, np.nan, np.inf])
def test_what_is_not_a_number_is_null(value: float | None) -> None:
    assert rounded(value) is None
    assert share(value) is None
