"""Which process executes a run: the tags that name it, and the end of runs whose process is gone.

A process that is killed reports nothing. Its run would remain unfinished, and the other runs of its market would wait
for it. The tags name the host, the process, when it started and the start of the machine, so that neither a restart nor
another process with the same number passes for it. Knows nothing of markets.
"""

import datetime as dt
import os
import socket
from pathlib import Path

import dagster as dg
import psutil
from dagster._core.launcher import WorkerStatus  # no public name

HOST, PROCESS, STARTED, BOOT, RUN = (
    f"market_pipeline/{name}" for name in ("host", "process", "process_started", "boot", "run")
)
"""Names of the tags. A process's start is in seconds since the start of its machine; a run that repeats another one
inherits its tags, and the id of the run shows it."""

UNLIMITED = {"dagster/max_runtime": "0", "dagster/max_retries": "0"}
"""Tags of a run that a command executes: it may last as long as its process, and no server repeats it."""

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

TOLERANCE = 2.0
"""Seconds by which two readings of one start may differ: the start of the machine is known to the second."""

SUBMITTING = dt.timedelta(seconds=60)
"""How long the launcher may take from the run's start to the moment when it is known to its host."""

LONGEST = 600
"""Characters of what the launcher reports of a lost run: its end has the cause."""

STARTS = (dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED)
UNFINISHED = (*STARTS, dg.DagsterRunStatus.CANCELING)
"""Statuses of a run that has, or soon should have, a process."""


def process_tags(run_id: str) -> dict[str, str]:
    """The tags of a run that this process executes."""
    return {
        HOST: socket.gethostname(),
        PROCESS: str(os.getpid()),
        STARTED: f"{_started(psutil.Process()):.2f}",
        BOOT: _boot(),
        RUN: run_id,
    }


def why_gone(run: dg.DagsterRun) -> str | None:
    """Why the process of a run is gone; None while it lives, before it is known, and where this host cannot know."""
    tags = run.tags
    if tags.get(RUN) != run.run_id or tags[HOST] != socket.gethostname():
        return None
    name = f"Process {tags[PROCESS]} of {tags[HOST]}, which executed the run,"
    if tags[BOOT] != _boot():
        return f"{name} ended when the machine was started again."
    return None if _lives(int(tags[PROCESS]), float(tags[STARTED])) else f"{name} ended without reporting it."


def why_late(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str | None:
    """Why a run that names no process will never end by itself; None if it names one or still may.

    A process names itself as soon as it has started a run: one that has not within the time to start was killed then.
    """
    limit = instance.run_monitoring_start_timeout_seconds
    if not limit or run.status not in STARTS or run.tags.get(RUN) == run.run_id:
        return None
    record = instance.get_run_record_by_id(run.run_id)
    if record is None or dt.datetime.now(dt.UTC) - record.update_timestamp < dt.timedelta(seconds=limit):
        return None
    if run.status == dg.DagsterRunStatus.STARTED:
        return f"The process that started the run has not named itself within {limit} seconds: it ended before."
    return f"No process began to execute the run within {limit} seconds."


def end_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark the unfinished runs of processes that are gone as failed, or as cancelled; returns their ids."""
    ended = []
    for record in instance.get_run_records(dg.RunsFilter(statuses=list(UNFINISHED))):
        cause = why_gone(record.dagster_run) or why_late(instance, record.dagster_run)
        run = instance.get_run_by_id(record.dagster_run.run_id)
        if cause is None or run is None or run.is_finished:  # it may have ended since it was read
            continue
        if run.status == dg.DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run, cause)
        else:
            instance.report_run_failed(run, cause)
        ended.append(run.run_id)
    return ended


def end_lost_starts(instance: dg.DagsterInstance, now: dt.datetime) -> list[str]:
    """Mark the runs as failed that the launcher lost before they began; returns their ids.

    Dagster's monitoring asks the launcher about runs that have begun, and gives the others a time. On several hosts a
    run may wait for one as long as it takes.
    """
    ended = []
    for record in instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTING])):
        health = instance.run_launcher.check_run_worker_health(record.dagster_run)
        unknown = health.status == WorkerStatus.NOT_FOUND and now - record.update_timestamp > SUBMITTING
        run = instance.get_run_by_id(record.dagster_run.run_id)
        lost = unknown or health.status == WorkerStatus.FAILED
        if lost and run is not None and run.status == dg.DagsterRunStatus.STARTING:
            instance.report_run_failed(run, f"The run ended before it began. {(health.msg or '')[-LONGEST:]}")
            ended.append(run.run_id)
    return ended


def _lives(process: int, started: float) -> bool:
    """Whether the process with this number is the one that started then, in seconds since the machine's start."""
    try:
        found = psutil.Process(process)
        return found.status() != psutil.STATUS_ZOMBIE and abs(_started(found) - started) < TOLERANCE
    except psutil.NoSuchProcess:
        return False


def _started(process: psutil.Process) -> float:
    """Seconds from the machine's start to the process's; setting the clock moves both, and not the difference."""
    return float(process.create_time() - psutil.boot_time())


def _boot() -> str:
    """An identifier that changes at each start of the machine; empty where the system has none."""
    return BOOT_ID.read_text(encoding="ascii").strip() if BOOT_ID.exists() else ""
