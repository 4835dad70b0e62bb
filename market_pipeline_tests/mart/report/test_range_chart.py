"""The chart has the numbers of the mart, rounded, and a gap stays a gap."""

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market_pipeline.mart.report.forecasts import SelectedModel
from market_pipeline.mart.report.queries import PLOTTED_QUANTILES
from market_pipeline.mart.report.range_chart import DIGITS, chart_of, rounded

DAYS = [dt.date(2024, 3, 4), dt.date(2024, 3, 5), dt.date(2024, 3, 6)]


def closes(**lines: list[float | None]) -> pa.Table:
    rows = [
        {"symbol": symbol, "session": day, "adj_close": close}
        for symbol, line in lines.items()
        for day, close in zip(DAYS, line, strict=True)
        if close is not None
    ]
    schema = pa.schema([("symbol", pa.string()), ("session", pa.date32()), ("adj_close", pa.float64())])
    return pa.Table.from_pylist(rows, schema)


def selected(horizon: int, prices: dict[str, float | None], *wins: str) -> SelectedModel:
    """The signals of one model, with a price at the origin for each symbol."""
    signals: list[dict[str, Any]] = [
        {
            "symbol": symbol,
            "target_session": None if price is None else DAYS[-1] + dt.timedelta(horizon),
            "origin_price": price,
            "p_up": 0.51234,
            **{name: None if price is None else price + place for place, name in enumerate(PLOTTED_QUANTILES)},
        }
        for symbol, price in prices.items()
    ]
    verdict = "beats_baseline" if wins else "no_evidence"
    return SelectedModel(horizon, DAYS[-1], "ewma", verdict, wins, 0.1, signals)


def test_columns_by_hand() -> None:
    lines = closes(AAA=[100.0, None, 101.123456], BBB=[None, 7.0, None])
    models = (selected(1, {"AAA": 100.0}), selected(5, {"BBB": 100.0, "AAA": 100.0}, "range"))
    chart = chart_of(lines, models, ("AAA", "BBB", "GONE"))
    assert chart["sessions"] == ["2024-03-04", "2024-03-05", "2024-03-06"]
    assert chart["closes"] == [[100, None, 101.123], [None, 7, None], [None, None, None]]
    near, far = chart["forecasts"]
    assert (near["horizon"], near["origin"], near["target"], near["symbols"]) == (1, "2024-03-06", "2024-03-07", [0])
    assert (far["horizon"], far["target"], far["symbols"]) == (5, "2024-03-11", [1, 0])
    assert far["quantiles"][0] == [100, 101, 102, 103, 104, 105, 106]
    assert (far["prices"], far["p_up"]) == ([100, 100], [0.512, 0.512])


def test_a_forecast_carries_its_verdict_and_whether_a_direction_is_proven() -> None:
    models = (selected(1, {"AAA": 1.0}), selected(5, {"AAA": 1.0}, "range"), selected(20, {"AAA": 1.0}, "return"))
    forecasts = chart_of(closes(AAA=[1.0, 1.0, 1.0]), models, ("AAA",))["forecasts"]
    assert [(forecast["verdict"], forecast["directional"]) for forecast in forecasts] == [
        ("○ no evidence of skill", False),
        ("✓ range: beats baseline", False),
        ("✓ return: beats baseline", True),
    ]


def test_a_forecast_whose_origin_has_no_price_is_not_plotted() -> None:
    models = (selected(1, {"AAA": None}), selected(5, {"AAA": None, "BBB": 2.0}))
    (forecast,) = chart_of(closes(AAA=[1.0, 2.0, 3.0]), models, ("AAA", "BBB"))["forecasts"]
    assert (forecast["horizon"], forecast["symbols"], forecast["prices"]) == (5, [1], [2])


@given(st.floats(1e-9, 1e12))
def test_rounding_is_finer_than_a_screen(value: float) -> None:
    assert rounded(value) == pytest.approx(value, rel=0.5 * 10.0 ** (1 - DIGITS))


def test_what_is_not_a_number_is_null() -> None:
    assert rounded(np.nan) is None
