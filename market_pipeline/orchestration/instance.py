"""The Dagster instance of a data directory: its configuration and its event log, shared with the web server."""

import datetime as dt
import os
import re
import shutil
from importlib.resources import files
from pathlib import Path

import dagster as dg

from market_pipeline.compute.instance import configuration_of, is_current
from market_pipeline.config.settings import Settings
from market_pipeline.orchestration.event_log import gather_events
from market_pipeline.orchestration.history_files import usable_history
from market_pipeline.orchestration.processes import end_dead_runs
from market_pipeline.storage.whole_files import alone, beside, new_file, put_in_place, write_whole

CORRECTIONS = {
    rb"\bmarket_pipeline\.event_log\b": b"market_pipeline.orchestration.event_log",
    rb"(?m)^  pools:(\r?\n)    default_limit: 1\b": rb"  pools:\1    granularity: run\1    default_limit: 1",
    rb"(?m)^  start_timeout_seconds: 120\b": b"  start_timeout_seconds: 90",
    rb"(?m)^  max_runtime_seconds: 7200\b": b"  max_runtime_seconds: 86400",
}
"""What version 0.1.0 wrote, as a pattern, and what this version needs: data directories have copies of dagster.yaml."""

LAUNCHER = b"""
run_launcher:
  module: market_pipeline.orchestration.launcher
  class: LocalRunLauncher
"""
"""What the copies of version 0.1.0 lack."""

OURS = re.compile(rb"(?m)^  class: BatchedEventLog\b")
"""What every copy of our configuration has; to another file, or a damaged one, nothing is added."""


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The Dagster instance of the data directory, created on first use; runs whose process is gone end with it."""
    folder, configuration = settings.dagster_home, configuration_of(settings, dagster_yaml().read_bytes())
    with usable_history(folder):
        if not _is_made(folder, configuration):
            with alone(folder, "made"):
                _make(folder, configuration)
        gather_events()
        instance = _instance_at(folder)
        end_dead_runs(instance)
        return instance


def last_beat(settings: Settings) -> dt.datetime | None:
    """When the daemon of the data directory last sent a heartbeat, UTC; None if it never did."""
    if not _is_made(settings.dagster_home, configuration_of(settings, dagster_yaml().read_bytes())):
        return None
    with usable_history(settings.dagster_home), _instance_at(settings.dagster_home) as instance:
        beats = [beat.timestamp for beat in instance.get_daemon_heartbeats().values()]
    return dt.datetime.fromtimestamp(max(beats), dt.UTC) if beats else None


def dagster_yaml() -> Path:
    """The instance's configuration: in the package when installed, at the top level of a checkout."""
    packaged = Path(str(files("market_pipeline"))) / "dagster.yaml"
    return packaged if packaged.is_file() else packaged.parent.parent / "dagster.yaml"


def _is_made(folder: Path, configuration: bytes) -> bool:
    """Whether there is this configuration, or a copy of its owner.

    An empty file is none: Dagster would take its own defaults for it.
    """
    path = folder / "dagster.yaml"
    return path.is_file() and path.stat().st_size > 0 and is_current(path.read_bytes(), configuration)


def _make(folder: Path, configuration: bytes) -> None:
    """Put the folder of an instance in its place, with its configuration and databases, or what is missing of them."""
    if _is_made(folder, configuration):
        return
    if folder.is_dir() and any(folder.iterdir()):
        write_whole(folder / "dagster.yaml", configuration)
        return
    new = beside(folder, "new")
    shutil.rmtree(new, ignore_errors=True)  # of a process that was killed
    write_whole(new / "dagster.yaml", configuration)
    # Dagster makes its databases here, where no other process opens them before they are complete.
    _instance_at(new).dispose()
    put_in_place(new, folder)


def _instance_at(folder: Path) -> dg.DagsterInstance:
    """The instance that `dagster.yaml` of this folder configures.

    Its relative paths are resolved from the environment, as in every process of the web server.
    """
    _update_copy(folder / "dagster.yaml")
    before = os.environ.get("DAGSTER_HOME")
    os.environ["DAGSTER_HOME"] = str(folder)
    try:
        return dg.DagsterInstance.from_config(str(folder))
    finally:
        if before is None:
            del os.environ["DAGSTER_HOME"]
        else:
            os.environ["DAGSTER_HOME"] = before


def _update_copy(path: Path) -> None:
    """Correct what version 0.1.0 wrote into a copy, by one rename; what its owner has changed or added stays."""
    path = path.resolve()
    content = path.read_bytes()
    updated = content
    for written, needed in CORRECTIONS.items():
        updated = re.sub(written, needed, updated)
    if OURS.search(updated) and b"\nrun_launcher:" not in updated:
        updated += LAUNCHER
    if updated != content:
        with new_file(path) as new:
            new.write_bytes(updated)
            shutil.copymode(path, new)
