"""What would pile up in a data directory is removed after each publication, and nothing that a process may need.

Files that killed processes left unfinished, model files that no row of the registry names, and the logs of old runs.
The history of assets and checks stays.
"""

import datetime as dt
from collections.abc import Collection
from typing import Protocol, runtime_checkable

import dagster as dg

from market_pipeline.config.settings import Settings
from market_pipeline.storage.artifacts import remove_unregistered
from market_pipeline.storage.store import Store, open_store
from market_pipeline.storage.warehouse import Warehouse
from market_pipeline.storage.whole_files import LEFT_AFTER, SORTS, remove_empty_folders, remove_unfinished

KEPT_RUNS = 100
"""Ended runs whose logs are kept."""

ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]

REGISTERED = "select path from models"


@runtime_checkable
class RemovesRuns(Protocol):
    """An event log from which a run can go while the history of assets and checks stays."""

    def remove_run(self, run_id: str) -> int:
        """Remove the other events of a run; the bytes freed."""


def maintain(
    settings: Settings, warehouse: Warehouse, instance: dg.DagsterInstance, run_id: str, now: dt.datetime
) -> dict[str, int]:
    """Remove what is no longer needed, seen from the run `run_id`; the numbers of files and runs, and the bytes.

    What the warehouse itself removes is in the numbers that it names.
    """
    unfinished = remove_unfinished(settings.home, now)
    remove_empty_folders(settings.home / SORTS, now)
    models = unregistered_models(open_store(settings), warehouse, instance, run_id, now)
    runs = old_runs(instance, KEPT_RUNS)
    return {
        "unfinished files removed": len(unfinished),
        "model files removed": len(models),
        "logs of runs removed": len(runs),
        "bytes freed": sum((*unfinished, *models, *runs)),
        **warehouse.maintain(now),
    }


def unregistered_models(
    store: Store, warehouse: Warehouse, instance: dg.DagsterInstance, run_id: str, now: dt.datetime
) -> list[int]:
    """Remove model files that no row names, unless another run is under way, which may still read them; their sizes."""
    under_way = dg.RunsFilter(statuses=[status for status in dg.DagsterRunStatus if status not in ENDED])
    if any(record.dagster_run.run_id != run_id for record in instance.get_run_records(under_way)):
        return []
    registered: Collection[str] = warehouse.read(REGISTERED)["path"].to_pylist()
    return remove_unregistered(store, registered, now - LEFT_AFTER)


def old_runs(instance: dg.DagsterInstance, kept: int) -> list[int]:
    """Remove the runs that ended before the newest `kept` ones, their logs and output; the bytes of the logs of each.

    Dagster's own deletion of a run would take the materialisations with it. Runs of an instance with another event log
    than ours stay.
    """
    log = instance.event_log_storage
    if not isinstance(log, RemovesRuns):
        return []
    freed = []
    for record in instance.get_run_records(dg.RunsFilter(statuses=ENDED))[kept:]:
        freed.append(log.remove_run(record.dagster_run.run_id))
        instance.compute_log_manager.delete_logs(prefix=[record.dagster_run.run_id])
        instance.run_storage.delete_run(record.dagster_run.run_id)
    return freed
