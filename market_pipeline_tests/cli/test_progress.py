"""Progress of long work, on terminals and in logs."""

import datetime as dt
from collections.abc import Sequence
from io import StringIO
from types import SimpleNamespace

import pytest
from rich.console import Console

from market_pipeline.cli import progress
from market_pipeline.cli.progress import followed
from market_pipeline.orchestration.backfill import PlannedRun

RUNS = [
    PlannedRun("stocks", ("prices", "indicators"), dt.date(2024, 1, 2), dt.date(2024, 3, 28)),
    PlannedRun("stocks", ("models",), dt.date(2023, 12, 1), dt.date(2024, 3, 1)),
]


def follow(console: Console, runs: Sequence[PlannedRun], *shown: tuple[int, str]) -> None:
    """Begin and end one run after the other, and show each time how many parts are done, with a line of the log."""
    with followed(console, runs) as begin:
        for place, run in enumerate(runs):
            with begin(place) as show:
                for done, line in shown:
                    show(done, run.parts, line)


def test_a_terminal_shows_every_run_its_parts_and_the_time_left() -> None:
    console = Console(file=StringIO(), force_terminal=True, width=160)
    follow(console, RUNS, (1, "trained for 2023-12-01"))
    written = console.file.getvalue()  # type: ignore[attr-defined]
    assert "stocks: models, 2023-12-01 to 2024-03-01" in written
    assert "0/4" in written  # planned runs are shown from the start
    assert "1/4" in written  # months
    assert "left" in written
    assert "trained for 2023-12-01" in written


def test_a_line_of_a_log_is_shown_as_it_is() -> None:
    console = Console(file=StringIO(), force_terminal=True, width=160, color_system=None)
    follow(console, RUNS[1:], (1, "stocks: [/] of [red] is unknown"))
    assert "stocks: [/] of [red] is unknown" in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_narrow_terminal_wraps_labels_and_no_times() -> None:
    console = Console(file=StringIO(), force_terminal=True, width=80, color_system=None)
    follow(console, RUNS, (1, "trained for 2023-12-01"))
    written = console.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in written
    assert "4/4 0:00:00" in written


def test_a_log_gets_one_line_as_a_run_begins_and_one_as_it_ends() -> None:
    console = Console(file=StringIO(), width=160)
    follow(console, RUNS, (1, "a line of the log"))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert lines[0] == "[1 of 2] stocks: prices, indicators, 2024-01-02 to 2024-03-28 ..."
    assert lines[1].startswith("[1 of 2] done in ")
    assert len(lines) == 4


def test_the_lines_of_runs_at_once_have_their_numbers() -> None:
    console = Console(file=StringIO(), width=160)
    with followed(console, RUNS) as begin, begin(1), begin(0):
        pass
    lines = [line.partition("]")[0] for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]
    assert lines == ["[2 of 2", "[1 of 2", "[1 of 2", "[2 of 2"]


def test_a_log_gets_a_line_now_and_then_with_parts_time_and_an_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 10.0, 31.0, 40.0, 65.0, 70.0])
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    console = Console(file=StringIO(), width=160)
    follow(console, RUNS[1:], *((done, "trained for 2024-01-01" if done else "") for done in (0, 0, 1, 2)))
    assert console.file.getvalue().splitlines()[1:] == [  # type: ignore[attr-defined]
        "[1 of 1] 0 of 4 parts after 31 s",
        "[1 of 1] 2 of 4 parts after 65 s, about 65 s left: trained for 2024-01-01",
        "[1 of 1] done in 70 s",
    ]


def test_the_parts_of_models_and_forecasts_are_months() -> None:
    run = PlannedRun("stocks", ("forecasts", "scores"), dt.date(2023, 12, 29), dt.date(2024, 3, 28))
    assert run.parts_of == {"forecasts": 4, "scores": 1}
    assert run.parts == 5
