"""A small pipeline through a lake holds, publishes and keeps what the same pipeline through a file does."""

import datetime as dt
from pathlib import Path

import pytest

from market_pipeline.mart.publish import publish
from market_pipeline.mart.read import query
from market_pipeline_tests.cluster import services
from market_pipeline_tests.pipeline import CONTENT, SMALL, Pipeline

FIVE = SMALL.replace('"SIM2"', '"SIM2", "SIM3", "WALK1"') + "[stocks.portfolios]\nheld = {SIM1 = 0.6, SIM2 = 0.4}\n"
START, MONTH, FIRST, LAST = dt.date(2023, 1, 3), dt.date(2024, 2, 1), dt.date(2024, 2, 1), dt.date(2024, 2, 9)
NOW = dt.datetime(2024, 2, 10, tzinfo=dt.UTC)
TABLES = (*(f"select {columns} from {table}" for table, columns in CONTENT.items()), "from leaderboard", "from signals")


def computed(pipeline: Pipeline) -> Pipeline:
    pipeline.compute(("prices", "indicators"), START, LAST)
    pipeline.compute(("models",), MONTH, MONTH)
    pipeline.compute(("forecasts", "scores"), FIRST, LAST)
    pipeline.compute(("forecasts", "scores"), FIRST, FIRST)  # again: rows take the place of rows
    pipeline.compute(("leaderboard", "signals"), LAST, LAST)
    return pipeline


def contents(pipeline: Pipeline) -> dict[str, tuple[int, int]]:
    return {sql: pipeline.warehouse.digest(sql) for sql in TABLES}


@pytest.fixture
def lake(tmp_path: Path, connection: str, store: str) -> Pipeline:
    return computed(Pipeline(tmp_path / "lake", FIVE, lake=f"ducklake:postgres:{connection}", store=store))


def test_a_lake_holds_what_a_file_holds_also_after_upkeep(
    lake: Pipeline, object_store: services.ObjectStore, tmp_path: Path
) -> None:
    file = computed(Pipeline(tmp_path / "file", FIVE))
    expected = contents(file)
    assert [sql for sql, (rows, _) in expected.items() if not rows] == []
    assert contents(lake) == expected
    done = lake.warehouse.maintain(dt.datetime.now(dt.UTC))
    assert done["snapshots of the lake after"] >= done["snapshots of the lake before"] > 10
    a_month_later = dt.datetime.now(dt.UTC) + dt.timedelta(days=30)
    expired = lake.warehouse.maintain(a_month_later)
    assert expired["snapshots of the lake after"] < 5
    prefix = str(lake.settings.store).removeprefix("s3://")
    objects = list((object_store.folder / prefix / "lake").rglob("*.parquet"))
    assert len(objects) == expired["files of the lake after"] > 0
    assert contents(lake) == expected
    parts = {name: (ok, message) for name, ok, message in lake.warehouse.inspect()}
    assert [ok for ok, _ in parts.values()] == [True, True]
    assert "files" in parts["lake"][1]
    marts = [tmp_path / "file.duckdb", tmp_path / "lake.duckdb"]
    for pipeline, mart in zip((file, lake), marts, strict=True):
        for _ in range(2):  # the second finds nothing that the first has left attached
            counts = publish(pipeline.warehouse, [pipeline.market], mart, NOW)
        assert counts["forecasts"] > 0
    for table in ("prices", "signals", "leaderboard", "coverage", "indicator_levels"):
        first, second = (query(mart, f"from {table} order by all") for mart in marts)
        assert first.num_rows
        assert first == second, table
