"""Tables in a terminal: the explanation below a forecast, and widths."""

import io

import numpy as np
import pyarrow as pa
import pytest
from rich.console import Console

from market_pipeline.cli.tables import print_forecast, print_signals, print_verdicts

MARKUP = ("[red]", "[/]", "[/red]x", "[link=x]X", "A\\", ":smile:", "[bold]A[/bold]")
"""Symbols that Rich would take for styles, links or emoji, or refuse."""


@pytest.mark.parametrize("symbol", MARKUP)
@pytest.mark.parametrize("width", [80, 200])
def test_a_symbol_is_printed_as_it_is_spelt(symbol: str, width: int) -> None:
    assert f"{symbol} (stocks) at the close of" in printed(("har", "no_evidence"), width=width, symbol=symbol)
    paper = io.StringIO()
    signal = {
        "market": "stocks", "symbol": symbol, "as_of": "2026-11-23", "horizon": 20, "trend": "down", "p_up": 0.5,
        "expected_return": 0.1, "low_80": -0.1, "high_80": 0.1, "model": "har", "verdict": "worse",
    }  # fmt: skip
    print_signals(Console(file=paper, width=width), pa.Table.from_pylist([signal]))
    assert any(line.startswith(f"{symbol} ") for line in paper.getvalue().splitlines())


def printed(
    *selected: tuple[str, str],
    width: int = 200,
    close: float = 60.0,
    symbol: str = "KO",
    question: str | None = None,
) -> str:
    """The output for a symbol whose horizons have these selected models, with these verdicts."""
    rows = [
        {
            "market": "stocks", "symbol": symbol, "as_of": "2026-11-23", "horizon": horizon, "trend": "flat",
            "p_up": 0.5,
            "expected_return": 0.0, "expected_price": close, "low_price": close - 2, "high_price": close + 2,
            "close": close, "adj_close": close, "model": model, "verdict": verdict, "question": question,
        }
        for horizon, (model, verdict) in zip((1, 5, 20), selected, strict=False)
    ]  # fmt: skip
    paper = io.StringIO()
    print_forecast(Console(file=paper, width=width), pa.Table.from_pylist(rows))
    return paper.getvalue()


def test_a_champion_whose_evidence_has_faded_is_not_called_the_random_walk() -> None:
    kept = printed(("har", "no_evidence"), question="range")
    assert "On range, this model beat the random walk before and stays selected" in kept
    assert "No model has beaten" not in kept
    assert "No model has beaten the random walk here on return, direction or range" in printed(
        ("random_walk", "no_evidence")
    )
    assert "On range, this model has beaten the random walk" in printed(("har", "beats_baseline"), question="range")
    assert "On range, this model beat the random walk before, but is worse by now" in printed(
        ("har", "worse"), question="range"
    )


def test_an_explanation_names_its_horizons_where_they_differ() -> None:
    both = printed(("random_walk", "no_evidence"), ("har", "no_evidence"), ("random_walk", "no_evidence"))
    assert "1, 20 sessions: No model has beaten the random walk here" in both
    assert "5 sessions: On one question, this model beat the random walk before" in both
    assert "sessions: " not in printed(*[("random_walk", "no_evidence")] * 3)


@pytest.mark.parametrize("width", [80, 100, 140])
def test_no_terminal_of_80_columns_or_more_cuts_or_breaks_a_cell(width: int) -> None:
    selected = [("AUTOREG", "random_walk", "no_evidence"), ("MATIC-USD", "prophet", "beats_baseline")]
    signals = [
        {
            "market": market, "symbol": symbol, "as_of": "2026-11-23", "horizon": 20, "trend": "down", "p_up": 0.5,
            "expected_return": np.log(1 - 0.1234), "low_80": np.log(1 - 0.164), "high_80": np.log(1.164),
            "model": model, "verdict": verdict, "question": None if model == "random_walk" else "range",
        }
        for market in ("stocks", "crypto") for symbol, model, verdict in selected
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
    assert tables.count("range: beats" if width < 140 else "range: beats baseline") == 2
    assert all(len(line) <= width for line in tables.splitlines())


@pytest.mark.parametrize("width", [80, 140])
@pytest.mark.parametrize(
    ("verdict", "label"),
    [
        ("beats_baseline", "beats baseline"),
        ("no_evidence", "no evidence"),
        ("worse", "worse"),
        ("insufficient_data", "insufficient data"),
    ],
)
def test_every_verdict_fits_on_80_columns(verdict: str, label: str, width: int) -> None:
    board = [
        {"market": "stocks", "model": "logistic", "question": "direction", "horizon": horizon, "skill": -0.123,
         "verdict": verdict}
        for horizon in (1, 5, 20)
    ]  # fmt: skip
    paper = io.StringIO()
    print_verdicts(Console(file=paper, width=width), pa.Table.from_pylist(board))
    table = paper.getvalue().split("A universe")[0]
    _title, _head, line = [line for line in table.splitlines() if line.strip()]  # no cell takes a second line
    assert line.count(label if width > 80 else label.removesuffix(" data").removesuffix(" baseline")) == 3


def test_prices_of_one_symbol_are_whole_on_80_columns() -> None:
    assert "1,234.50 1,232.50 … 1,236.50 random_walk any: no evidence" in printed(
        ("random_walk", "no_evidence"), ("har", "beats_baseline"), width=80, close=1234.5
    )


def test_per_cents_are_the_moves_of_the_prices_beside_them() -> None:
    """A log return of 0.37 is a rise by 44.8 %."""
    signal = {
        "market": "crypto", "symbol": "BTC-USD", "as_of": "2026-11-23", "horizon": 20, "trend": "flat", "p_up": 0.5,
        "expected_return": -0.005, "low_80": -0.37, "high_80": 0.37, "model": "har", "verdict": "beats_baseline",
        "question": "range",
    }  # fmt: skip
    paper = io.StringIO()
    print_signals(Console(file=paper, width=160), pa.Table.from_pylist([signal]))
    assert "-30.9% … +44.8%" in paper.getvalue()
    assert "-0.50%" in paper.getvalue()
    prices = {"expected_price": 99.5, "low_price": 69.07, "high_price": 144.77, "close": 100.0, "adj_close": 100.0}
    paper = io.StringIO()
    print_forecast(Console(file=paper, width=160), pa.Table.from_pylist([signal | prices | {"expected_return": 0.37}]))
    assert "(+44.77%)" in paper.getvalue()


@pytest.mark.parametrize("width", [80, 160])
@pytest.mark.parametrize("question", ["range", "direction"])
def test_a_verdict_beside_a_trend_names_its_question(question: str, width: int) -> None:
    words = " ".join(printed(("ensemble", "beats_baseline"), width=width, question=question).split())
    assert f"{question}: beats{' baseline' if width == 160 else ''}" in words


@pytest.mark.parametrize(
    ("verdict", "wide", "narrow"),
    [
        ("no_evidence", "no evidence on any question", "any: no evidence"),
        ("insufficient_data", "insufficient data on any question", "any: insufficient"),
    ],
)
def test_the_verdict_of_the_random_walk_is_about_any_question(verdict: str, wide: str, narrow: str) -> None:
    for width, words in ((160, wide), (80, narrow)):
        lines = printed(("random_walk", verdict), width=width).splitlines()
        assert any(line.endswith(f"random_walk  {words}" if width == 160 else f"random_walk {words}") for line in lines)


def test_a_mart_of_an_earlier_version_has_no_question() -> None:
    signal = {
        "market": "stocks", "symbol": "KO", "as_of": "2026-11-23", "horizon": 1, "trend": "flat", "p_up": 0.5,
        "expected_return": 0.0, "low_80": -0.01, "high_80": 0.01, "model": "har", "verdict": "beats_baseline",
    }  # fmt: skip
    paper = io.StringIO()
    print_signals(Console(file=paper, width=160), pa.Table.from_pylist([signal]))
    assert "beats baseline" in paper.getvalue()
