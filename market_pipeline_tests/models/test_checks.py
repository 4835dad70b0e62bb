"""Checks of fitted models when they are launched alone, after the data has changed."""

import datetime as dt
from pathlib import Path

import dagster as dg

from market_pipeline.definitions import build_definitions
from market_pipeline_tests.pipeline import Pipeline

MONTH, LAST = dt.date(2024, 2, 1), dt.date(2024, 2, 6)
TWO = '[stocks]\ncalendar = "XNYS"\nstart = 2023-01-03\nsymbols = ["AUTOREG", "SIM1"]\n'


def evaluated_alone(pipeline: Pipeline, check: str) -> dg.AssetCheckEvaluation:
    """The result of a check of the models that is launched without them."""
    key = dg.AssetCheckKey(dg.AssetKey(["stocks", "models"]), check)
    job = build_definitions(pipeline.settings).resolve_implicit_global_asset_job_def()
    run = job.get_subset(asset_selection=set(), asset_check_selection={key}).execute_in_process(
        instance=pipeline.instance
    )
    [evaluation] = run.get_asset_check_evaluations()
    return evaluation


def test_a_symbol_that_is_added_after_the_training_raises_no_false_alarm(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path, TWO)
    pipeline.compute(("prices", "indicators"), dt.date(2023, 1, 3), LAST)
    pipeline.compute(("models",), MONTH, MONTH)
    before = evaluated_alone(pipeline, "training_sees_no_future")
    assert before.passed
    assert "2024-02, trained through 2024-01-31" in str(before.metadata["compared"].value)
    (tmp_path / "markets.toml").write_text(TWO.replace('"SIM1"', '"SIM1", "SIM2"'), encoding="utf-8")
    pipeline.compute(("prices", "indicators"), dt.date(2023, 1, 3), LAST)
    after = evaluated_alone(pipeline, "training_sees_no_future")
    assert after.passed
    assert str(after.metadata["compared"].value).startswith("nothing: ")
