"""A Dagster run in this process, followed to its end, with the definitions and the instance of the web server."""

import os
import sys
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import dagster as dg

from market_pipeline.errors import MarketPipelineError
from market_pipeline.orchestration.backfill import PlannedRun
from market_pipeline.orchestration.chain import ASSETS
from market_pipeline.orchestration.history_files import usable_history
from market_pipeline.orchestration.partitions import range_tags
from market_pipeline.orchestration.processes import UNLIMITED, process_tags
from market_pipeline.orchestration.turns import turn

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""Run configuration that keeps the log out of the terminal; the instance stores it."""

Progress = Callable[[int, int, str], None]
"""Called with the parts done, the parts in all, and the newest line of the run's log."""


def execute(planned: PlannedRun, definitions: dg.Definitions, instance: dg.DagsterInstance, progress: Progress) -> None:
    """Run it to its end, in the market's turn; raises MarketPipelineError with the message of the first failed step."""
    with turn(instance, planned.market, partial(progress, 0, planned.parts)):
        _execute(planned, definitions, instance, progress)


def _execute(
    planned: PlannedRun, definitions: dg.Definitions, instance: dg.DagsterInstance, progress: Progress
) -> None:
    keys = [dg.AssetKey(ASSETS[name].key(planned.market)) for name in planned.assets]
    run_id = str(uuid.uuid4())
    log = RunLog(dict(zip(("__".join(key.path) for key in keys), planned.parts_of.values(), strict=True)))
    instance.add_event_listener(run_id, log.take)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(
            definitions.resolve_implicit_global_asset_job_def().execute_in_process,
            instance=instance,
            asset_selection=keys,
            tags=range_tags(planned.first, planned.last) | process_tags(run_id) | UNLIMITED,
            raise_on_error=False,
            run_id=run_id,
            run_config=QUIET,
        )
        try:
            while not running.done():
                wait([running], timeout=0.3)
                progress(log.done, planned.parts, log.newest)
        except KeyboardInterrupt:
            _interrupt(instance, run_id)
        with usable_history(Path(instance.root_directory)):
            result = running.result()
    if not result.success:
        raise MarketPipelineError(log.failure or f"The Dagster run {run_id} failed; the web server shows its log.")


def _interrupt(instance: dg.DagsterInstance, run_id: str) -> NoReturn:
    """Exit at once, with the run marked as cancelled: its thread cannot be stopped and would work on to its end.

    Writes are in transactions, so nothing half written remains.
    """
    if run := instance.get_run_by_id(run_id):
        instance.report_run_canceled(run, "Interrupted in the terminal.")
    sys.stderr.write("\nInterrupted. What was stored is whole: run the same command again to go on.\n")
    sys.stderr.flush()
    os._exit(1)


class RunLog:
    """What a run of this process has logged so far: the instance passes each event on once it is stored."""

    def __init__(self, parts: Mapping[str, int]) -> None:
        """`parts` has the parts of each step's work."""
        self.parts = parts
        self.newest, self.failure = "", ""
        self._counted = dict.fromkeys(parts, 0)

    @property
    def done(self) -> int:
        """Parts that are done: all of a step that has ended, else one for each line that it has logged."""
        return sum(min(count, self.parts[step]) for step, count in self._counted.items())

    def take(self, entry: dg.EventLogEntry) -> None:
        """Count one more event of the run."""
        event = entry.dagster_event
        if event is None:
            self.newest = entry.user_message
            if entry.step_key in self._counted and self.parts[entry.step_key] > 1:
                self._counted[entry.step_key] += 1
        elif event.event_type == dg.DagsterEventType.STEP_SUCCESS and event.step_key in self._counted:
            self._counted[event.step_key] = self.parts[event.step_key]
        elif event.event_type == dg.DagsterEventType.STEP_FAILURE and not self.failure:
            self.failure = _message_of(event.step_failure_data.error)


def _message_of(error: Any) -> str:
    """The message of this project's error in a chain of causes, else that of the innermost one after its class."""
    while True:
        name, _, message = error.message.strip().partition(": ")
        if name.rpartition(".")[2] in {kind.__name__ for kind in MarketPipelineError.__subclasses__()}:
            return str(message)
        if error.cause is None:
            break
        error = error.cause
    if name in {"OSError", *(kind.__name__ for kind in OSError.__subclasses__())}:  # such as a full disk
        return f"{message}. Fix that, then run the command again; what was stored is whole."
    return f"{name}: {message}"
