import datetime as dt

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from market_pipeline.storage.grids import to_grids, to_rows

SESSIONS = np.arange("2024-01-01", "2024-01-05", dtype="datetime64[D]")
SYMBOLS = ("A", "B", "C")


@given(arrays(np.float64, (3, 4), elements=st.floats(-1e6, 1e6) | st.just(np.nan)))
def test_a_grid_becomes_rows_and_again_the_grid(grid: np.ndarray) -> None:
    rows = to_rows(SYMBOLS, SESSIONS, {"x": grid}, ~np.isnan(grid))
    np.testing.assert_array_equal(to_grids(rows, SYMBOLS, SESSIONS, ("x",))["x"], grid)


def test_rows_of_other_symbols_and_sessions_are_left_out() -> None:
    days = [dt.date(2024, 1, 1), dt.date(2024, 1, 2), dt.date(2023, 1, 1), dt.date(2025, 1, 1)]
    rows = pa.table({"symbol": ["A", "Z", "A", "A"], "session": days, "x": [1.0, 2.0, 3.0, 4.0]})
    grid = to_grids(rows, SYMBOLS, SESSIONS, ("x",))["x"]
    assert grid[0, 0] == 1
    assert np.isnan(grid).sum() == grid.size - 1


def test_rows_come_by_session_then_symbol_and_nan_is_null() -> None:
    grid = np.array([[1.0, np.nan], [2.0, 3.0], [4.0, 5.0]])
    rows = to_rows(SYMBOLS, SESSIONS[:2], {"x": grid}, np.ones_like(grid, bool))
    assert rows["symbol"].to_pylist() == ["A", "B", "C"] * 2
    assert rows["x"].to_pylist() == [1, 2, 4, None, 3, 5]
