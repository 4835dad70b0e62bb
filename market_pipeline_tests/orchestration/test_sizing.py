"""What a backfill takes: near what was measured, larger with every part of it, and as the pages print it."""

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market_pipeline.config.markets import Market
from market_pipeline.orchestration.backfill import PlannedRun
from market_pipeline.orchestration.sizing import (
    DISK_PER_MONTH,
    FORECASTING,
    MEMORY,
    MEMORY_PER_BAR,
    PER_BAR,
    TRAINING,
    size,
    size_of,
)
from market_pipeline_tests.pages import TOP

YEAR, MONTHS = 252, 12
SCALE = (TOP / "docs" / "scale.md").read_text(encoding="utf-8")
counts = st.tuples(*[st.integers(0, 10_000)] * 5)


def parts(text: object) -> tuple[str, str, str]:
    """Time, memory and disk of a size in words."""
    time, memory, disk = str(text).split(", ")
    return time.removesuffix(" on two cores"), memory.removesuffix(" of memory"), disk.removesuffix(" of disk")


@pytest.mark.parametrize(
    ("symbols", "bars", "months", "seconds", "disk"),
    [(402, 1_657_551, 61, 1011, 6.2e9), (24, 60_000, 61, 200, 0.4e9)],
    ids=["five years of stocks", "five years of cryptocurrencies"],
)
def test_a_size_is_near_what_was_measured(symbols: int, bars: int, months: int, seconds: float, disk: float) -> None:
    computed = size(symbols, bars, bars, months, months)
    assert computed.seconds == pytest.approx(seconds, rel=0.1)
    assert computed.disk == pytest.approx(disk, rel=0.5)


@given(counts, counts)
def test_a_size_grows_with_symbols_bars_and_months(one: tuple[int, ...], more: tuple[int, ...]) -> None:
    small, large = size(*one), size(*np.add(one, more).tolist())
    assert small.seconds <= large.seconds
    assert small.memory <= large.memory
    assert small.disk <= large.disk


def test_the_size_of_a_plan_counts_what_its_runs_load_train_and_forecast() -> None:
    market = Market("crypto", "24/7", dt.date(2024, 1, 1), ("A", "B", "C"))
    span = (dt.date(2024, 2, 1), dt.date(2024, 3, 31))
    inputs = PlannedRun("crypto", ("prices", "indicators"), market.start, span[1])
    models = PlannedRun("crypto", ("models",), dt.date(2024, 2, 1), dt.date(2024, 3, 1))
    outputs = PlannedRun("crypto", ("forecasts", "scores", "mart"), *span)
    assert size_of(market, [inputs, models, outputs]) == size(3, 3 * 91, 3 * 91, 2, 2)
    assert size_of(market, [outputs]) == size(3, 0, 3 * 91, 0, 2)


def test_the_formulae_of_the_page_have_the_unit_costs_of_the_code() -> None:
    fixed, each = (sum(costs) for costs in zip(TRAINING, FORECASTING, strict=True))
    assert f"seconds = {PER_BAR:.6f} · B + M · ({fixed:.1f} + {each:.4f} · S)" in SCALE
    assert f"memory  = {MEMORY / 1e9:g} GB + {MEMORY_PER_BAR} bytes · B" in SCALE
    assert f"disk    = {DISK_PER_MONTH // 1000} kB · S · M" in SCALE


def test_the_tables_of_the_pages_are_the_sizes_of_the_code() -> None:
    def full(symbols: int, years: int, loaded: int) -> tuple[str, str, str]:
        bars = YEAR * loaded * symbols
        return parts(size(symbols, bars, bars, MONTHS * years, MONTHS * years))

    one, ten = ([full(symbols, years, 10) for symbols in (500, 5_000, 100_000)] for years in (1, 10))
    for title, cells in {
        "a backfill of one year": [time for time, _, _ in one],
        "a backfill of ten years": [time for time, _, _ in ten],
        "memory of the largest process": [memory for _, memory, _ in ten],
        "disk after ten years": [disk for _, _, disk in ten],
    }.items():
        assert f"| {' | '.join([title, *cells])} |" in SCALE
    tutorial = (TOP / "docs" / "tutorials" / "own-universe.md").read_text(encoding="utf-8")
    for symbols in (5, 50, 500):
        cells = [", ".join(full(symbols, years, years + 2)) for years in (1, 5, 10)]
        assert f"| {' | '.join([str(symbols), *cells])} |" in tutorial
