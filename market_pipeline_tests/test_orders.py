"""Any order, any batch, same tables."""

import datetime as dt
import re
from pathlib import Path

import joblib
import pytest

from market_pipeline.compute import selection
from market_pipeline.compute.processes import Processes
from market_pipeline.compute.threads import OneByOne
from market_pipeline.forecasts import assets as forecasts_assets
from market_pipeline.scores import assets as scores_assets
from market_pipeline_tests.pipeline import CONTENT, Pipeline

START = dt.date(2023, 1, 3)
BEFORE = dt.date(2024, 2, 23)
FIRST, LAST = dt.date(2024, 2, 26), dt.date(2024, 3, 4)
MONTHS = (dt.date(2024, 2, 1), dt.date(2024, 3, 1))
"""The last days cross a month's end, where the next month's models begin and Prophet forecasts."""

FIVE = """
[stocks]
calendar = "XNYS"
start = 2023-01-03
symbols = ["AUTOREG", "SIM1", "SIM2", "SIM3", "WALK1"]
portfolios = {pair = {SIM1 = 0.6, SIM2 = -0.4}}
"""
"""A market has ranks and portfolios that nobody chose from five symbols on."""

BY_SESSION = ("prices", "indicators", "forecasts", "scores")


def with_history(folder: Path) -> Pipeline:
    pipeline = Pipeline(folder, FIVE)
    pipeline.compute(("prices", "indicators"), START, BEFORE)
    return pipeline


def in_one_range(folder: Path) -> Pipeline:
    pipeline = with_history(folder)
    pipeline.build(("prices", "indicators"), FIRST, LAST)
    pipeline.build(("models",), *MONTHS)
    pipeline.build(("forecasts", "scores"), FIRST, LAST)
    return pipeline


def day_by_day(folder: Path) -> Pipeline:
    pipeline = with_history(folder)
    pipeline.build(("models",), MONTHS[0], MONTHS[0])
    for day in pipeline.market.sessions_between(FIRST, LAST).tolist():
        if day.month == MONTHS[1].month:
            pipeline.build(("models",), MONTHS[1], MONTHS[1])
        pipeline.build(BY_SESSION, day, day)
    return pipeline


def backwards(folder: Path) -> Pipeline:
    pipeline = with_history(folder)
    days = pipeline.market.sessions_between(FIRST, LAST).tolist()[::-1]
    for asset in ("prices", "indicators"):
        for day in days:
            pipeline.build((asset,), day, day)
    for month in MONTHS[::-1]:
        pipeline.build(("models",), month, month)
    for asset in ("forecasts", "scores"):
        for day in days:
            pipeline.build((asset,), day, day)
    return pipeline


@pytest.fixture(scope="module")
def one_range(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return in_one_range(tmp_path_factory.mktemp("range"))


@pytest.fixture(scope="module")
def reference(one_range: Pipeline) -> dict[str, str]:
    """The digests before anything ran again."""
    return {table: one_range.digest(table) for table in CONTENT}


def test_day_by_day_gives_the_tables_of_one_range(reference: dict[str, str], tmp_path: Path) -> None:
    pipeline = day_by_day(tmp_path)
    assert {table: pipeline.digest(table) for table in CONTENT} == reference


def test_processes_and_small_transactions_give_the_tables_of_one_range(
    reference: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joblib, "cpu_count", lambda: 2)
    for kind in ("FITS", "MONTHS"):
        monkeypatch.setattr(selection, kind, Processes(enough=1, ahead=1, otherwise=OneByOne()))
    for module in (forecasts_assets, scores_assets):
        monkeypatch.setattr(module, "AT_ONCE", 1)
    pipeline = in_one_range(tmp_path)
    assert {table: pipeline.digest(table) for table in CONTENT} == reference


def test_reversed_order_gives_the_tables_of_one_range(reference: dict[str, str], tmp_path: Path) -> None:
    pipeline = backwards(tmp_path)
    assert {table: pipeline.digest(table) for table in CONTENT} == reference


def test_running_a_range_again_changes_nothing(one_range: Pipeline, reference: dict[str, str]) -> None:
    one_range.build(BY_SESSION, dt.date(2024, 2, 27), dt.date(2024, 3, 1))
    assert {table: one_range.digest(table) for table in CONTENT} == reference


def test_every_long_step_logs_how_far_it_is(one_range: Pipeline) -> None:
    lines = [entry for run in one_range.instance.get_runs() for entry in one_range.instance.all_logs(run.run_id)]
    logged = {
        entry.step_key
        for entry in lines
        if entry.dagster_event is None and re.search("stocks: .* 2024-0", entry.user_message)
    }
    assert logged >= {f"stocks__{step}" for step in ("prices", "models", "forecasts", "scores")}


def test_training_again_changes_no_model_and_no_file(one_range: Pipeline) -> None:
    registry = "select * exclude (seconds, fitted_at) from models order by all"
    before, files = one_range.warehouse.read(registry), contents_of(one_range.settings.home / "models")
    assert len(files) == before.num_rows > 0
    one_range.build(("models",), dt.date(2024, 3, 1), dt.date(2024, 3, 1))
    assert one_range.warehouse.read(registry) == before
    assert contents_of(one_range.settings.home / "models") == files


def contents_of(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_indicators_refuse_a_session_whose_past_was_never_loaded(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path)
    pipeline.build(("prices",), START, dt.date(2023, 1, 31))
    pipeline.build(("prices",), dt.date(2023, 2, 2), dt.date(2023, 2, 3))
    result = pipeline.materialise(("indicators",), dt.date(2023, 2, 2), dt.date(2023, 2, 3))
    assert not result.success
    failures = [str(event.step_failure_data.error) for event in result.all_events if event.is_step_failure]
    assert "the first 2023-02-01" in failures[0]
    assert "market-pipeline backfill" in failures[0]
