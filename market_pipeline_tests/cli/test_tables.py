"""What stands below a forecast says who is served, and why."""

import io

import pyarrow as pa
import pytest
from rich.console import Console

from market_pipeline.cli.tables import print_forecast, print_signals, print_verdicts


def said(*served: tuple[str, str], width: int = 200, close: float = 60.0) -> str:
    """What is printed of a symbol whose horizons are served by these models, with these verdicts."""
    rows = [
        {
            "market": "stocks", "symbol": "KO", "as_of": "2026-11-23", "horizon": horizon, "trend": "flat", "p_up": 0.5,
            "expected_return": 0.0, "expected_price": close, "low_price": close - 2, "high_price": close + 2,
            "close": close, "adj_close": close, "model": model, "verdict": verdict,
        }
        for horizon, (model, verdict) in zip((1, 5, 20), served, strict=False)
    ]  # fmt: skip
    paper = io.StringIO()
    print_forecast(Console(file=paper, width=width), pa.Table.from_pylist(rows))
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


@pytest.mark.parametrize("width", [80, 100, 140])
def test_no_terminal_of_80_columns_or_more_cuts_or_breaks_a_cell(width: int) -> None:
    served = [("AUTOREG", "random_walk", "no_evidence"), ("MATIC-USD", "prophet", "beats_baseline")]
    signals = [
        {
            "market": market, "symbol": symbol, "as_of": "2026-11-23", "horizon": 20, "trend": "down", "p_up": 0.5,
            "expected_return": -0.1234, "low_80": -0.164, "high_80": 0.164, "model": model, "verdict": verdict,
        }
        for market in ("stocks", "crypto") for symbol, model, verdict in served
    ]  # fmt: skip
    board = [
        {"market": market, "model": "ensemble", "question": "direction", "horizon": horizon, "skill": -20.5,
         "verdict": "no_evidence"}
        for market in ("stocks", "crypto") for horizon in (1, 5, 20)
    ]  # fmt: skip
    paper = io.StringIO()
    console = Console(file=paper, width=width)
    print_signals(console, pa.Table.from_pylist(signals))
    print_verdicts(console, pa.Table.from_pylist(board))
    tables = paper.getvalue().split("A universe")[0]
    assert tables.count("▼ down") == tables.count("-16.4% … +16.4%") == 4
    assert tables.count("random_walk") == 2
    assert tables.count("2026-11-23") == (4 if width == 140 else 2)
    assert tables.count("-2050%  no evidence" if width > 80 else "-2050% no evidence") == 6
    assert all(len(line) <= width for line in tables.splitlines())


def test_prices_of_one_symbol_are_whole_on_80_columns() -> None:
    assert "1,234.50 1,232.50 … 1,236.50 random_walk no evidence" in said(
        ("random_walk", "no_evidence"), ("har", "beats_baseline"), width=80, close=1234.5
    )
