"""What the Dagster UI shows of signals: the question of each verdict, and charts in simple returns."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from market_pipeline.prices.history import History
from market_pipeline.scores.signals import Selected
from market_pipeline.scores.ui_metadata import RANGE, charts_of, with_questions

SELECTED = (Selected(1, "random_walk", "no_evidence"), Selected(5, "har", "beats_baseline", "range"))


def test_a_signal_has_the_question_of_its_horizon_and_none_for_the_random_walk() -> None:
    rows = with_questions(pa.table({"symbol": ["A", "B", "A"], "horizon": [5, 1, 1]}), SELECTED)
    assert rows["question"].to_pylist() == ["range", None, None]
    assert rows.column_names == ["symbol", "horizon", "question"]


def test_a_selected_model_is_shown_with_its_verdict_on_a_question_and_the_random_walk_alone() -> None:
    assert [one.title for one in SELECTED] == ["random_walk", "har (range: beats_baseline)"]


def test_a_chart_has_simple_returns_from_log_returns_and_closes() -> None:
    """A fall from 100 to 80 and back is one of 20 %; a log return of 0.37 is a rise by 44.8 %."""
    close = np.array([[100.0, 80.0, 100.0], [50.0, 50.0, np.nan]])
    days = np.array(["2024-01-02", "2024-01-03", "2024-01-04"], "datetime64[D]")
    history = History(("A", "GONE"), days, close, close, close, close, close)
    newest = pa.Table.from_pylist(
        [
            {"symbol": symbol, "origin": dt.date(2024, 1, 4), "horizon": horizon, "model": model}
            | dict.fromkeys(RANGE, 0.0)
            | {"q025": -0.37, "q975": 0.37}
            for symbol in history.symbols
            for horizon, model in ((5, "har"), (1, "random_walk"), (1, "har"))
        ]
    )
    [chart] = charts_of(SELECTED, newest, history)
    assert chart.title == "A, 2024-01-04: random_walk, har"
    np.testing.assert_allclose(chart.past, [0.0, -0.2, 0.0], atol=1e-12)
    assert chart.ahead.tolist() == [1, 5]
    assert chart.ranges[:, 0].tolist() == pytest.approx([-0.309, -0.309], abs=5e-4)
    assert chart.ranges[:, -1].tolist() == pytest.approx([0.448, 0.448], abs=5e-4)
