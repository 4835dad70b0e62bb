"""Runs whose process is gone end at once, on the server or not; a run that lives is never ended."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import dagster as dg
import pytest
from dagster._core.launcher import WorkerStatus
from dagster._daemon.monitoring.run_monitoring import execute_run_monitoring_iteration

from market_pipeline.compute.instance import FOR_EVER
from market_pipeline.config.settings import Settings
from market_pipeline.orchestration.instance import open_instance
from market_pipeline.orchestration.launcher import one_process
from market_pipeline.orchestration.processes import PROCESS, process_tags

COMMAND = """
import datetime as dt, sys, time
from pathlib import Path
import dagster as dg
from market_pipeline.config.settings import Settings
from market_pipeline.orchestration.backfill import PlannedRun
from market_pipeline.orchestration.instance import open_instance
from market_pipeline.orchestration.runs import execute

@dg.asset(key=["slow", "prices"], partitions_def=dg.DailyPartitionsDefinition("2024-01-01"), pool="slow",
          backfill_policy=dg.BackfillPolicy.single_run())
def prices():
    print("began", flush=True)
    time.sleep(float(sys.argv[2]))
    print("ended", flush=True)

day = dt.date(2024, 1, 2)
instance = open_instance(Settings(home=Path(sys.argv[1]), source="simulated"))
print("opened", flush=True)
execute(PlannedRun("slow", ("prices",), day, day), dg.Definitions([prices]), instance, lambda *found: None)
"""
"""A command that executes a run of the market `slow` in its own process, with one step of some seconds."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "data", source="simulated")


@contextmanager
def command(settings: Settings, seconds: float, until: str = "began") -> Iterator[subprocess.Popen[str]]:
    """The command, from when it has printed `until`; killed in the end."""
    line = [sys.executable, "-W", "ignore", "-c", COMMAND, str(settings.home), str(seconds)]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    try:
        wait_for(process, until)
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout
    while (line := process.stdout.readline()).strip() != word:
        assert line, "the command has ended"


def statuses(instance: dg.DagsterInstance) -> list[str]:
    return [run.status.value for run in instance.get_runs()]


def monitor(instance: dg.DagsterInstance) -> None:
    """One evaluation of Dagster's run monitoring, as the daemon makes it."""
    context = SimpleNamespace(instance=instance, create_request_context=lambda: None)
    assert not any(execute_run_monitoring_iteration(context, logging.getLogger("monitoring")))  # type: ignore[arg-type]


def test_the_run_of_a_killed_command_ends_when_the_next_command_starts(settings: Settings) -> None:
    with command(settings, 600), open_instance(settings) as instance:
        assert statuses(instance) == ["STARTED"]
    with open_instance(settings) as instance:
        assert statuses(instance) == ["FAILURE"]


def test_the_server_finds_the_run_of_a_killed_command_and_no_living_one(settings: Settings) -> None:
    with open_instance(settings) as instance:
        with command(settings, 600):
            longest = instance.run_monitoring_max_runtime_seconds
            assert longest
            later = time.time() + 10 * longest
            with mock.patch("dagster._daemon.monitoring.run_monitoring.get_current_timestamp", return_value=later):
                monitor(instance)
            assert statuses(instance) == ["STARTED"]
        monitor(instance)
        assert statuses(instance) == ["FAILURE"]
        assert instance.get_runs()[0].tags["dagster/will_retry"] == "false"


def unfinished(instance: dg.DagsterInstance, status: dg.DagsterRunStatus, tags: dict[str, str]) -> str:
    """A run in a status before its first step."""

    @dg.job
    def empty() -> None:
        pass

    return instance.create_run_for_job(empty, status=status, tags=tags).run_id


@contextmanager
def start_timeout(instance: dg.DagsterInstance, seconds: float) -> Iterator[None]:
    with mock.patch.object(
        type(instance), "run_monitoring_start_timeout_seconds", new_callable=mock.PropertyMock, return_value=seconds
    ):
        yield


STARTS = {
    dg.DagsterRunStatus.NOT_STARTED: "No process began to execute the run within 0.001 seconds.",
    dg.DagsterRunStatus.STARTING: "No process began to execute the run within 0.001 seconds.",
    dg.DagsterRunStatus.STARTED: "The process that started the run has not named itself within 0.001 seconds",
}
"""Statuses of a run that names no process, and why such a run ends after the time to start."""


@pytest.mark.parametrize("status", STARTS)
def test_a_run_that_no_process_began_ends_after_the_time_to_start(
    settings: Settings, status: dg.DagsterRunStatus
) -> None:
    with open_instance(settings) as instance:
        run_id = unfinished(instance, status, {})
        open_instance(settings).dispose()
        assert statuses(instance) == [status.value]
        with start_timeout(instance, 0.001):
            open_instance(settings).dispose()
        assert statuses(instance) == ["FAILURE"]
        [event] = instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_FAILURE)
        assert STARTS[status] in event.message


@pytest.mark.parametrize(("seconds", "status"), [(0.001, "FAILURE"), (90, "STARTED"), (FOR_EVER, "STARTED")])
def test_the_server_ends_a_started_run_that_names_no_process_after_the_time_to_start(
    settings: Settings, seconds: float, status: str
) -> None:
    """The worker was killed between its start and its tags; the tags of a run that it repeats are not its own."""
    with open_instance(settings) as instance:
        unfinished(instance, dg.DagsterRunStatus.STARTED, process_tags("the run that this one repeats"))
        with start_timeout(instance, seconds):
            monitor(instance)
        assert statuses(instance) == [status]


def test_the_run_of_a_living_process_does_not_end_after_the_time_to_start(settings: Settings) -> None:
    with open_instance(settings) as instance:
        run_id = unfinished(instance, dg.DagsterRunStatus.STARTED, {})
        instance.add_run_tags(run_id, process_tags(run_id))
        with start_timeout(instance, 0.001):
            monitor(instance)
            open_instance(settings).dispose()
        assert statuses(instance) == ["STARTED"]


@pytest.mark.parametrize("status", ["CANCELED", "CANCELING"])
def test_a_run_that_is_being_cancelled_is_cancelled_once_its_process_is_gone(settings: Settings, status: str) -> None:
    process = str(2**22 + 1 if status == "CANCELED" else os.getpid())
    with open_instance(settings) as instance:
        run_id = unfinished(instance, dg.DagsterRunStatus.CANCELING, {})
        instance.add_run_tags(run_id, process_tags(run_id) | {PROCESS: process})
        open_instance(settings).dispose()
        assert statuses(instance) == [status]
        events = instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_CANCELED)
        assert ["ended without reporting it" in event.message for event in events] == [True] * (status == "CANCELED")


@dg.op
def step() -> None:
    """Nothing."""


@dg.job(executor_def=one_process)
def of_the_server() -> None:
    """With the executor of every job."""
    step()


def test_a_run_that_the_server_starts_names_its_process(settings: Settings) -> None:
    """It inherits the tags of a run that it repeats."""
    earlier = process_tags("the run that this one repeats") | {PROCESS: "1"}
    with open_instance(settings) as instance:
        with dg.execute_job(dg.reconstructable(of_the_server), instance, tags=earlier) as result:
            assert result.success
        tags = instance.get_runs()[0].tags
        assert {name: tags[name] for name in earlier} == process_tags(result.run_id)


def tagged(settings: Settings, change: Callable[[dict[str, str]], dict[str, str]]) -> tuple[str, WorkerStatus]:
    """The status, after a command has started, of a run of this process whose tags are changed; and its health."""
    with open_instance(settings) as instance:
        run_id = unfinished(instance, dg.DagsterRunStatus.STARTED, {})
        instance.add_run_tags(run_id, change(process_tags(run_id)))
        health = instance.run_launcher.check_run_worker_health(instance.get_runs()[0])
        open_instance(settings).dispose()
        return statuses(instance)[0], health.status


@pytest.mark.parametrize(
    ("changed", "lives"),
    [
        ({}, True),
        ({"process_started": "0.0"}, False),  # another process has the number now
        ({"boot": "an earlier start of the machine"}, False),
        ({"process": str(2**22 + 1)}, False),  # above the largest number of a process
        ({"host": "another", "process": str(2**22 + 1)}, True),
        ({"run": "the run that this one repeats", "process": str(2**22 + 1)}, True),
    ],
)
def test_only_a_process_that_is_known_to_be_gone_ends_its_run(
    settings: Settings, changed: dict[str, str], *, lives: bool
) -> None:
    named = {f"market_pipeline/{name}": value for name, value in changed.items()}
    expected = ("STARTED", WorkerStatus.RUNNING) if lives else ("FAILURE", WorkerStatus.NOT_FOUND)
    assert tagged(settings, lambda tags: tags | named) == expected


def test_a_process_that_was_not_waited_for_is_gone(settings: Settings) -> None:
    from market_pipeline.orchestration.processes import _lives, _started, psutil

    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = _started(psutil.Process(process.pid))
    assert _lives(process.pid, started)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not _lives(process.pid, started)
    process.communicate()
