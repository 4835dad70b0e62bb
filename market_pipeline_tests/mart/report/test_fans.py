"""What the chart draws is what the mart says, rounded, and a gap stays a gap."""

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market_pipeline.mart.report.fans import DIGITS, LEVELS, columns_of, rounded

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


def fan(symbol: str, horizon: int, price: float | None = 100.0) -> dict[str, Any]:
    levels = {level: None if price is None else price + place for place, level in enumerate(LEVELS)}
    key = {"symbol": symbol, "horizon": horizon, "origin": DAYS[-1], "target_session": DAYS[-1] + dt.timedelta(horizon)}
    said = {
        "model": "ewma",
        "verdict": "no_evidence",
        "origin_price": price,
        "p_up": 0.51234,
        "earned": ("range",),
    }
    return {**key, **levels, **said}


def test_columns_by_hand() -> None:
    lines = closes(AAA=[100.0, None, 101.123456], BBB=[None, 7.0, None])
    drawn = columns_of(lines, [fan("BBB", 5), fan("AAA", 1), fan("AAA", 5)], ("AAA", "BBB", "GONE"))
    assert drawn["sessions"] == ["2024-03-04", "2024-03-05", "2024-03-06"]
    assert drawn["closes"] == [[100, None, 101.123], [None, 7, None], [None, None, None]]
    near, far = drawn["fans"]
    assert (near["horizon"], near["origin"], near["target"], near["who"]) == (1, "2024-03-06", "2024-03-07", [0])
    assert (far["horizon"], far["who"]) == (5, [1, 0])
    assert list(far["earned"]) == ["range"]
    assert far["quantiles"][0] == [100, 101, 102, 103, 104, 105, 106]
    assert (far["now"], far["p_up"]) == ([100, 100], [0.512, 0.512])


def test_a_forecast_whose_origin_has_no_price_is_not_drawn() -> None:
    assert columns_of(closes(AAA=[1.0, 2.0, 3.0]), [fan("AAA", 1, None)], ("AAA",))["fans"] == []


@given(st.floats(1e-9, 1e12))
def test_rounding_is_finer_than_a_screen(value: float) -> None:
    assert rounded(value) == pytest.approx(value, rel=0.5 * 10.0 ** (1 - DIGITS))


def test_what_is_not_a_number_is_null() -> None:
    assert rounded(np.nan) is None
