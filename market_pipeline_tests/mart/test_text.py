"""What stands below a forecast says who is served, and why."""

import io

import pyarrow as pa
from rich.console import Console

from market_pipeline.mart.text import print_forecast


def said(model: str, verdict: str) -> str:
    row = {
        "market": "stocks", "symbol": "KO", "as_of": "2026-11-23", "horizon": 5, "trend": "flat", "p_up": 0.5,
        "expected_return": 0.0, "expected_price": 60.0, "low_price": 58.0, "high_price": 62.0, "close": 60.0,
        "adj_close": 60.0, "model": model, "verdict": verdict,
    }  # fmt: skip
    paper = io.StringIO()
    print_forecast(Console(file=paper, width=200), pa.Table.from_pylist([row]))
    return paper.getvalue()


def test_a_champion_whose_evidence_has_faded_is_not_called_the_random_walk() -> None:
    assert "keeps its place" in said("har", "no_evidence")
    assert "Nothing has beaten" not in said("har", "no_evidence")
    assert "Nothing has beaten" in said("random_walk", "no_evidence")
    assert "has beaten the random walk out of sample" in said("har", "beats_baseline")
