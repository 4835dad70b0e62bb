"""Nothing piles up in a data directory, and what a process may need stays."""

import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from market_pipeline.config.settings import Settings
from market_pipeline.orchestration import maintenance
from market_pipeline.orchestration.instance import open_instance
from market_pipeline.orchestration.maintenance import maintain, old_runs
from market_pipeline.storage.artifacts import save, serialised
from market_pipeline.storage.duckdb_file import DuckDBFile
from market_pipeline.storage.store import FolderStore
from market_pipeline_tests.pipeline import Pipeline

NOW = dt.datetime.now(dt.UTC)
REGISTER = "insert into models values ('m', 'linear', '2024-01-01', '2023-12-29', ?, ?, 1, 1, now()::timestamp)"


@dg.asset(partitions_def=dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-02-01"))
def numbers() -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(metadata={"rows": 3})


@dg.asset_check(asset=numbers)
def numbers_are_numbers() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "data", source="simulated")


@pytest.fixture
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    with open_instance(settings) as instance:
        yield instance


def run(instance: dg.DagsterInstance, day: str) -> str:
    definitions = dg.Definitions(assets=[numbers], asset_checks=[numbers_are_numbers], executor=dg.in_process_executor)
    job = definitions.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(instance=instance, partition_key=day).run_id


def files_of_runs(settings: Settings) -> set[str]:
    return {path.name.split(".")[0] for path in (settings.dagster_home / "history" / "runs").iterdir()} - {"index", ""}


def test_old_runs_go_with_their_files_and_the_history_of_assets_and_checks_stays(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    days = [f"2024-01-0{day}" for day in range(1, 6)]
    runs = [run(instance, day) for day in days]
    printed = [settings.dagster_home / "storage" / run_id / "compute_logs" / "step.err" for run_id in runs]
    for path in printed:
        path.parent.mkdir(parents=True)
        path.write_text("what it printed")
    under_way = instance.create_run_for_job(dg.job(name="other")(lambda: None), status=dg.DagsterRunStatus.STARTED)
    freed = old_runs(instance, kept=2)
    assert len(freed) == 3
    assert min(freed) > 10_000
    assert {record.dagster_run.run_id for record in instance.get_run_records()} == {*runs[3:], under_way.run_id}
    assert files_of_runs(settings) - {under_way.run_id} == set(runs[3:])
    assert [path.exists() for path in printed] == [False] * 3 + [True] * 2
    assert instance.get_materialized_partitions(numbers.key) == set(days)
    check = dg.AssetCheckKey(numbers.key, "numbers_are_numbers")
    history = instance.event_log_storage.get_asset_check_execution_history(check, limit=10)
    assert [(record.run_id, record.status.value) for record in history] == [(one, "SUCCEEDED") for one in runs[::-1]]
    assert old_runs(instance, kept=2) == []
    assert run(instance, "2024-01-06") in files_of_runs(settings)


def test_maintenance_removes_the_logs_of_all_runs_but_the_newest(
    settings: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "KEPT_RUNS", 1)
    runs = [run(instance, f"2024-01-0{day}") for day in range(1, 4)]
    warehouse = DuckDBFile(settings.warehouse_file, settings.source)
    removed = maintain(settings, warehouse, instance, "this run", NOW)
    assert removed["logs of runs removed"] == 2
    assert removed["bytes freed"] > 20_000
    assert files_of_runs(settings) == {runs[-1]}
    assert [one.run_id for one in instance.get_runs()] == [runs[-1]]


def test_a_publication_maintains_the_data_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "KEPT_RUNS", 1)
    pipeline = Pipeline(tmp_path)
    day = pipeline.market.start
    pipeline.compute(("prices",), day, day)
    with open_instance(pipeline.settings) as pipeline.instance:
        runs = [run(pipeline.instance, f"2024-01-0{number}") for number in range(1, 4)]
        result = pipeline.materialise(("mart",), day, day)
        assert result.success
        [event] = result.get_asset_materialization_events()
        assert event.materialization.metadata["logs of runs removed"].value == 2
        assert {one.run_id for one in pipeline.instance.get_runs()} == {runs[-1], result.run_id}


def test_what_is_left_over_goes_and_is_counted(settings: Settings, instance: dg.DagsterInstance) -> None:
    warehouse = DuckDBFile(settings.warehouse_file, "simulated")
    named, lost = (
        save(serialised({"a": [number]}), FolderStore(settings.home), "m/linear/2024-01-01") for number in (1, 2)
    )
    models = settings.home / "models"
    with warehouse.connect(read_only=False) as connection:
        connection.execute(REGISTER, [*named])
    left = settings.home / "mart.duckdb.17.new"
    left.write_bytes(b"1234")
    long_ago = (NOW - dt.timedelta(days=2)).timestamp()
    for path in (models / named[0], models / lost[0], left):
        os.utime(path, (long_ago, long_ago))
    other = instance.create_run_for_job(dg.job(name="other")(lambda: None), status=dg.DagsterRunStatus.STARTED)
    assert maintain(settings, warehouse, instance, "this", NOW) == {
        "unfinished files removed": 1, "model files removed": 0, "logs of runs removed": 0, "bytes freed": 4,
    }  # fmt: skip
    size = (models / lost[0]).stat().st_size
    assert maintain(settings, warehouse, instance, other.run_id, NOW) == {
        "unfinished files removed": 0, "model files removed": 1, "logs of runs removed": 0, "bytes freed": size,
    }  # fmt: skip
    assert [path.relative_to(models).as_posix() for path in models.rglob("*.skops")] == [named[0]]


def test_empty_folders_of_external_sorts_go_and_others_stay(settings: Settings, instance: dg.DagsterInstance) -> None:
    sorts = settings.home / "spill"
    for name, age in {"ended": 2, "in use": 2, "new": 0}.items():
        (sorts / name).mkdir(parents=True)
        if name == "in use":
            (sorts / name / "duckdb_temp_storage.tmp").write_bytes(b"x")
        then = (NOW - dt.timedelta(days=age)).timestamp()
        os.utime(sorts / name, (then, then))
    warehouse = DuckDBFile(settings.warehouse_file, settings.source)
    maintain(settings, warehouse, instance, "this run", NOW)
    assert sorted(path.name for path in sorts.iterdir()) == ["in use", "new"]
