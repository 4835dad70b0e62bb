"""A published verdict names the questions that it is about."""

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa

from market_pipeline.mart.publish import publish
from market_pipeline.mart.read import query
from market_pipeline.storage.tables.scores import CHAMPIONS, LEADERBOARD, SIGNALS
from market_pipeline_tests.pipeline import Pipeline

DAY = dt.date(2024, 3, 15)


def board(horizon: int, model: str, question: str, verdict: str) -> dict[str, Any]:
    numbers = dict.fromkeys(("loss", "baseline_loss", "skill", "p_value", "p_adjusted"), 0.01)
    return {"horizon": horizon, "model": model, "question": question, "verdict": verdict, "n_origins": 90} | numbers


def signal(horizon: int, model: str, verdict: str) -> dict[str, Any]:
    values = {"symbol": "SIM1", "as_of": DAY, "trend": "flat", "p_up": 0.5, "expected_return": 0.0}
    return values | {"low_80": -0.1, "high_80": 0.1, "horizon": horizon, "model": model, "verdict": verdict}


def test_wins_are_all_named_and_a_champion_without_evidence_has_its_own_question(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path)
    rows = {
        LEADERBOARD: [
            board(1, "har", "range", "beats_baseline"),
            board(1, "har", "return", "beats_baseline"),
            board(1, "har", "direction", "no_evidence"),
            board(1, "har", "rank", "beats_baseline"),  # which no signal answers
            board(5, "ewma", "range", "no_evidence"),
            board(5, "ewma", "return", "no_evidence"),  # another model's question
            board(20, "random_walk", "range", "no_evidence"),
        ],
        CHAMPIONS: [
            {"horizon": horizon, "question": "range", "since": DAY, "model": model, "reason": ""}
            for horizon, model in ((1, "har"), (5, "ewma"), (20, "random_walk"))
        ],
        SIGNALS: [
            signal(1, "har", "beats_baseline"),
            signal(5, "ewma", "no_evidence"),
            signal(20, "random_walk", "no_evidence"),
        ],
    }
    with pipeline.warehouse.transaction("stocks") as transaction:
        for table, values in rows.items():
            transaction.replace_all(table.name, pa.Table.from_pylist(values, table.schema))
    publish(pipeline.warehouse, [pipeline.market], pipeline.mart, dt.datetime(2024, 3, 16, tzinfo=dt.UTC))
    found = query(pipeline.mart, "select horizon, model, question from signals order by horizon").to_pylist()
    assert [tuple(row.values()) for row in found] == [
        (1, "har", "return, range"),
        (5, "ewma", "range"),
        (20, "random_walk", None),
    ]
