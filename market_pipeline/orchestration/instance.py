"""The Dagster instance of a data directory: its configuration and its event log, shared with the web server."""

import datetime as dt
import os
import re
import shutil
from importlib.resources import files
from pathlib import Path

import dagster as dg

from market_pipeline.config.settings import Settings
from market_pipeline.orchestration.event_log import BatchedEventLog, gather_events
from market_pipeline.orchestration.history_files import usable_history
from market_pipeline.storage.whole_files import alone, beside, put_in_place, write_whole

MOVED = rb"\bmarket_pipeline\.event_log\b"
"""How version 0.1.0 names the module of the event log; data directories have copies of its dagster.yaml."""


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The Dagster instance of the data directory, created on first use."""
    folder = settings.dagster_home
    with usable_history(folder):
        if not _is_made(folder):
            with alone(folder, "made"):
                _make(folder)
        gather_events()
        return _instance_at(folder)


def last_beat(settings: Settings) -> dt.datetime | None:
    """When the daemon of the data directory last sent a heartbeat, UTC; None if it never did."""
    if not _is_made(settings.dagster_home):
        return None
    with usable_history(settings.dagster_home), _instance_at(settings.dagster_home) as instance:
        beats = [beat.timestamp for beat in instance.get_daemon_heartbeats().values()]
    return dt.datetime.fromtimestamp(max(beats), dt.UTC) if beats else None


def dagster_yaml() -> Path:
    """The instance's configuration: in the package when installed, at the top level of a checkout."""
    packaged = Path(str(files("market_pipeline"))) / "dagster.yaml"
    return packaged if packaged.is_file() else packaged.parent.parent / "dagster.yaml"


def _is_made(folder: Path) -> bool:
    """Whether there is a configuration; an empty file is none, and Dagster would take its own defaults for it."""
    path = folder / "dagster.yaml"
    return path.is_file() and path.stat().st_size > 0


def _make(folder: Path) -> None:
    """Put the folder of an instance in its place, with its configuration and databases, or what is missing of them."""
    if _is_made(folder):
        return
    if folder.is_dir() and any(folder.iterdir()):
        write_whole(folder / "dagster.yaml", dagster_yaml().read_bytes())
        return
    new = beside(folder, "new")
    shutil.rmtree(new, ignore_errors=True)  # of a process that was killed
    write_whole(new / "dagster.yaml", dagster_yaml().read_bytes())
    # Dagster makes its databases here, where no other process opens them before they are complete.
    _instance_at(new).dispose()
    put_in_place(new, folder)


def _instance_at(folder: Path) -> dg.DagsterInstance:
    """The instance that `dagster.yaml` of this folder configures.

    Its relative paths are resolved from the environment, as in every process of the web server.
    """
    _update_module_name(folder / "dagster.yaml")
    before = os.environ.get("DAGSTER_HOME")
    os.environ["DAGSTER_HOME"] = str(folder)
    try:
        return dg.DagsterInstance.from_config(str(folder))
    finally:
        if before is None:
            del os.environ["DAGSTER_HOME"]
        else:
            os.environ["DAGSTER_HOME"] = before


def _update_module_name(path: Path) -> None:
    """Replace the event log's old module name in a copy of an older version, by one rename; the rest stays."""
    path = path.resolve()
    content = path.read_bytes()
    updated = re.sub(MOVED, BatchedEventLog.__module__.encode(), content)
    if updated != content:
        new = path.with_name(f"{path.name}.{os.getpid()}.new")
        new.write_bytes(updated)
        shutil.copymode(path, new)
        new.replace(path)
