"""The batched event log stores what Dagster's own stores, and Dagster's own can read it."""

import os
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage

from market_pipeline.orchestration.event_log import BatchedEventLog, gather_events
from market_pipeline.orchestration.instance import dagster_yaml

DAYS = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-02-01")
KEY = dg.AssetKey("numbers")


@dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
def numbers() -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(metadata={"rows": 3})


@dg.asset_check(asset=numbers)
def numbers_are_numbers() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


def run_a_range(folder: Path, yaml: str, monkeypatch: pytest.MonkeyPatch) -> tuple[dg.DagsterInstance, str]:
    """An instance with this configuration after a run of 31 partitions and a check; and the run's id."""
    folder.mkdir()
    (folder / "dagster.yaml").write_text(yaml, encoding="utf-8")
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    instance = dg.DagsterInstance.from_config(str(folder))
    definitions = dg.Definitions(assets=[numbers], asset_checks=[numbers_are_numbers], executor=dg.in_process_executor)
    tags = {"dagster/asset_partition_range_start": "2024-01-01", "dagster/asset_partition_range_end": "2024-01-31"}
    job = definitions.resolve_implicit_global_asset_job_def()
    return instance, job.execute_in_process(instance=instance, tags=tags).run_id


def events_of(instance: dg.DagsterInstance, run_id: str) -> list[tuple[str, str | None, str | None]]:
    """The events of a run: type, step, partition."""
    entries = [record.event_log_entry for record in instance.get_records_for_run(run_id, limit=10_000).records]
    found = [entry.get_dagster_event() for entry in entries if entry.is_dagster_event]
    planned = {dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED.value}
    events = [(event.event_type_value, event.step_key, event.partition) for event in found]
    return [one for one in events if one[0] not in planned] + sorted(one for one in events if one[0] in planned)


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[tuple[dg.DagsterInstance, str], ...]:
    """The same run with the pipeline's configuration, events in batches of 7, and with Dagster's own event log."""
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "7")
    batched = run_a_range(tmp_path / "batched", dagster_yaml().read_text(encoding="utf-8"), monkeypatch)
    own = run_a_range(tmp_path / "own", "telemetry:\n  enabled: false\n", monkeypatch)
    return batched, own


def test_a_range_stores_the_same_events_as_dagsters_own_log(
    both: tuple[tuple[dg.DagsterInstance, str], ...],
) -> None:
    (batched, mine), (own, theirs) = both
    assert isinstance(batched.event_log_storage, BatchedEventLog)
    assert type(own.event_log_storage) is SqliteEventLogStorage
    assert events_of(batched, mine) == events_of(own, theirs)
    assert batched.get_materialized_partitions(KEY) == own.get_materialized_partitions(KEY)
    assert len(batched.get_materialized_partitions(KEY)) == 31
    newest = batched.get_latest_materialization_event(KEY)
    assert newest is not None
    assert newest.get_dagster_event().partition == "2024-01-31"


def test_a_check_of_a_range_is_recorded_once_and_has_succeeded(
    both: tuple[tuple[dg.DagsterInstance, str], ...],
) -> None:
    check = dg.AssetCheckKey(KEY, "numbers_are_numbers")
    [record] = both[0][0].event_log_storage.get_asset_check_execution_history(check, limit=100)
    assert record.status.value == "SUCCEEDED"


def test_dagsters_own_log_reads_the_same_files(both: tuple[tuple[dg.DagsterInstance, str], ...]) -> None:
    instance, run_id = both[0]
    storage = SqliteEventLogStorage(str(Path(instance.root_directory) / "history" / "runs"))
    assert len(storage.get_materialized_partitions(KEY)) == 31
    written = instance.event_log_storage.get_records_for_run(run_id, limit=10_000)
    assert len(storage.get_records_for_run(run_id, limit=10_000).records) == len(written.records)


def test_a_configured_batch_size_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "5")
    gather_events()
    assert os.environ["DAGSTER_EVENT_BATCH_SIZE"] == "5"
