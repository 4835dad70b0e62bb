"""Rank forecasts against what happened."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from market_pipeline.scores.ranks import CHANCES, score_ranks

ORIGIN = dt.date(2024, 1, 2)


def due(chances: np.ndarray, model: str = "joint") -> pa.Table:
    count = len(chances)
    return pa.table(
        {
            "symbol": [f"S{n}" for n in range(count)],
            "origin": pa.array([ORIGIN] * count, pa.date32()),
            "horizon": pa.array([20] * count, pa.int32()),
            "model": [model] * count,
            **dict(zip(CHANCES, chances.T, strict=True)),
        }
    )


def test_a_fifth_in_each_scores_sixteen_hundredths_and_certainty_that_is_right_scores_nothing() -> None:
    realised = np.arange(10.0)
    assert score_ranks(due(np.full((10, 5), 0.2)), realised)["rps"][0].as_py() == pytest.approx(0.16)
    assert score_ranks(due(np.repeat(np.eye(5), 2, axis=0)), realised)["rps"][0].as_py() == 0
    assert score_ranks(due(np.repeat(np.eye(5), 2, axis=0)[::-1]), realised)["rps"][0].as_py() > 0.4


def test_a_symbol_without_an_outcome_is_left_out_and_too_few_are_not_scored() -> None:
    realised = np.arange(10.0)
    realised[3] = np.nan
    assert score_ranks(due(np.full((10, 5), 0.2)), realised).num_rows == 1
    realised[:6] = np.nan
    assert score_ranks(due(np.full((10, 5), 0.2)), realised).num_rows == 0
