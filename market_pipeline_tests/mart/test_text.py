"""What stands below a forecast says who is served, and why."""

import io

import pyarrow as pa
from rich.console import Console

from market_pipeline.mart.text import print_forecast


def said(*served: tuple[str, str]) -> str:
    """What is printed of a symbol whose horizons are served by these models, with these verdicts."""
    rows = [
        {
            "market": "stocks", "symbol": "KO", "as_of": "2026-11-23", "horizon": horizon, "trend": "flat", "p_up": 0.5,
            "expected_return": 0.0, "expected_price": 60.0, "low_price": 58.0, "high_price": 62.0, "close": 60.0,
            "adj_close": 60.0, "model": model, "verdict": verdict,
        }
        for horizon, (model, verdict) in zip((1, 5, 20), served, strict=False)
    ]  # fmt: skip
    paper = io.StringIO()
    print_forecast(Console(file=paper, width=200), pa.Table.from_pylist(rows))
    return paper.getvalue()


def test_a_champion_whose_evidence_has_faded_is_not_called_the_random_walk() -> None:
    assert "keeps its place" in said(("har", "no_evidence"))
    assert "Nothing has beaten" not in said(("har", "no_evidence"))
    assert "Nothing has beaten" in said(("random_walk", "no_evidence"))
    assert "has beaten the random walk out of sample" in said(("har", "beats_baseline"))


def test_where_horizons_stand_differently_each_sentence_says_of_which_it_speaks() -> None:
    both = said(("random_walk", "no_evidence"), ("har", "no_evidence"), ("random_walk", "no_evidence"))
    assert "1, 20 sessions: Nothing has beaten the random walk here" in both
    assert "5 sessions: The model named here beat the random walk before" in both
    assert "sessions: " not in said(*[("random_walk", "no_evidence")] * 3)
