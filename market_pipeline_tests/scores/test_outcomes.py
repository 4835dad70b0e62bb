import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from market_pipeline.scores.outcomes import with_outcomes
from market_pipeline_tests.panels import history_of

DAYS = np.busday_offset(np.datetime64("2024-01-01"), np.arange(4))


def forecasts(*keys: tuple[str, int, int]) -> pa.Table:
    """Forecasts of a symbol from one session to another, by position."""
    days = [day.item() for day in DAYS.astype("datetime64[D]")]
    return pa.table(
        {
            "symbol": pa.array([symbol for symbol, _, _ in keys], pa.string()),
            "origin": pa.array([days[origin] for _, origin, _ in keys], pa.date32()),
            "target_session": pa.array([days[target] for _, _, target in keys], pa.date32()),
        }
    )


def test_an_outcome_is_the_log_return_between_origin_and_target() -> None:
    history = history_of(np.array([[100.0, 110.0, 99.0, 120.0], [1.0, 2.0, 4.0, 8.0]]), DAYS)
    rows = with_outcomes(forecasts(("S1", 0, 3), ("S0", 1, 2)), history)
    assert rows["symbol"].to_pylist() == ["S1", "S0"]
    assert rows["realised"].to_pylist() == pytest.approx([np.log(8), np.log(0.9)])


def test_forecasts_without_a_bar_or_of_an_unknown_symbol_have_no_outcome() -> None:
    history = history_of(np.array([[100.0, np.nan, 99.0, 120.0]]), DAYS)
    rows = with_outcomes(forecasts(("S0", 0, 1), ("S0", 1, 2), ("GONE", 0, 2), ("S0", 0, 2)), history)
    assert rows["target_session"].to_pylist() == [dt.date(2024, 1, 3)]
    assert rows["origin"].to_pylist() == [dt.date(2024, 1, 1)]


def test_no_forecasts_have_no_outcomes() -> None:
    assert with_outcomes(forecasts(), history_of(np.ones((1, 4)), DAYS)).num_rows == 0
