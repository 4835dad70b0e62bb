"""The metadata that a run stores for the UI."""

import datetime as dt
from base64 import b64decode
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from market_pipeline.orchestration import ui_metadata
from market_pipeline.orchestration.ui_metadata import markdown_table
from market_pipeline_tests.pipeline import SMALL, Pipeline

START, FIRST, LAST = dt.date(2023, 1, 3), dt.date(2024, 9, 3), dt.date(2024, 9, 17)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    pipeline = Pipeline(tmp_path_factory.mktemp("metadata"), SMALL)
    pipeline.compute(("prices", "indicators"), START, dt.date(2024, 8, 30))
    pipeline.compute(("models",), FIRST.replace(day=1), FIRST)
    pipeline.build(("prices", "indicators", "forecasts", "scores", "leaderboard", "signals", "mart"), FIRST, LAST)
    return pipeline


def metadata_of(pipeline: Pipeline, asset: str, partition: str | None = None) -> dict[str, Any]:
    """Metadata of the newest event of an asset, or of one of its partitions."""
    key = dg.AssetKey(asset if asset == "mart" else ["stocks", asset])
    wanted = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[partition] if partition else None)
    event = pipeline.instance.fetch_materializations(wanted, limit=1).records[0].asset_materialization
    assert event is not None
    return {name: entry.value for name, entry in event.metadata.items()}


def test_every_partition_has_numbers_of_its_own(pipeline: Pipeline) -> None:
    for day in ("2024-09-04", str(LAST)):
        found = metadata_of(pipeline, "prices", day)
        assert found["dagster/partition_row_count"] == found["coverage"] * 3
        assert metadata_of(pipeline, "indicators", day)["dagster/partition_row_count"] == 3
    stored = pipeline.warehouse.read("select count(*) as rows from forecasts where origin = date '2024-09-05'")
    assert metadata_of(pipeline, "forecasts", "2024-09-05")["dagster/partition_row_count"] == stored["rows"][0].as_py()


def test_scores_have_the_error_of_the_coverage_and_the_skill_of_the_ranges(pipeline: Pipeline) -> None:
    found = metadata_of(pipeline, "scores", str(LAST))
    day = pipeline.warehouse.read(
        "select avg(covered_80::integer) - 0.8 as off, 1 - avg(crps) filter (model <> 'random_walk') "
        "/ avg(crps) filter (model = 'random_walk') as skill, count(*) as rows from scores "
        "where target_session = $day", {"day": LAST},
    ).to_pylist()[0]  # fmt: skip
    assert found["coverage of 80 % ranges, less 0.8"] == pytest.approx(day["off"])
    assert found["skill of ranges"] == pytest.approx(day["skill"])
    assert found["dagster/partition_row_count"] == day["rows"]


def test_only_the_last_partition_of_a_run_has_the_metadata_of_the_run(pipeline: Pipeline) -> None:
    assert metadata_of(pipeline, "prices", str(LAST))["sessions of the run"] == 11
    assert "sessions of the run" not in metadata_of(pipeline, "prices", "2024-09-16")
    assert "dagster/column_lineage" in metadata_of(pipeline, "indicators", str(LAST))
    assert "dagster/column_lineage" not in metadata_of(pipeline, "indicators", "2024-09-16")


@pytest.mark.parametrize(
    ("asset", "name"),
    [
        ("leaderboard", "skill over time: range"),
        ("leaderboard", "skill over time: return"),
        ("leaderboard", "reliability"),
        ("signals", "newest forecasts"),
    ],
)
def test_a_plot_is_a_small_png_within_the_metadata(pipeline: Pipeline, asset: str, name: str) -> None:
    alternative, content = metadata_of(pipeline, asset)[name].removesuffix(")").split("](data:image/png;base64,")
    assert alternative.startswith("![")
    assert len(alternative) > 20  # an alternative text
    png = b64decode(content, validate=True)
    assert png.startswith(b"\x89PNG")
    assert 3_000 < len(png) < 90_000


def test_unpartitioned_assets_have_their_rows_and_verdicts(pipeline: Pipeline) -> None:
    board = metadata_of(pipeline, "leaderboard")
    assert (
        board["dagster/row_count"] == pipeline.warehouse.read("select count(*) as n from leaderboard")["n"][0].as_py()
    )
    assert board["champions"].startswith(
        "| horizon | question | since | model | reason |"
    )  # no review has taken place yet
    assert "| insufficient_data |" in board["verdicts"]
    assert metadata_of(pipeline, "signals")["champion at 1"] == "random_walk"
    assert metadata_of(pipeline, "mart")["rows of forecasts"] > 0


def test_a_long_run_has_numbers_for_its_newest_partitions_only(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ui_metadata, "NEWEST", 3)
    pipeline.build(("prices",), dt.date(2024, 2, 1), dt.date(2024, 2, 29))
    assert metadata_of(pipeline, "prices", "2024-02-01") == {}
    assert metadata_of(pipeline, "prices", "2024-02-27")["dagster/partition_row_count"] == 3


def test_a_table_is_valid_markdown_for_every_value() -> None:
    rows = pa.table({"a": ["x|y", None], "b": [0.123456, 2.0]})
    assert markdown_table(rows).md_str == "| a | b |\n| --- | --- |\n| x\\|y | 0.1235 |\n| – | 2.0000 |"
