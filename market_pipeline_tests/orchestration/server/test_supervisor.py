"""The supervisor with small processes: what ends is started again, and nothing outlives it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

WORKER = """
import os, subprocess, sys, threading, time
from market_pipeline.orchestration.server.supervisor import end_with_parent
end_with_parent()
if sys.argv[2] == "stubborn":
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
run = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
with open(sys.argv[1], "a") as log:
    log.write(f"{os.getpid()} {run.pid}\\n")
time.sleep(600)
"""
SUPERVISOR = """
import sys
from market_pipeline.orchestration.server import supervisor
supervisor.GRACE, supervisor.ORDERLY = 3, 1
commands = {name: [sys.executable, "-c", sys.argv[2], f"{sys.argv[1]}/{name}", sys.argv[3]] for name in ("one", "two")}
supervisor.supervise(commands, lambda line: print(line, flush=True))
"""


class Supervised:
    """A supervisor with two workers, each with a process of its own."""

    def __init__(self, folder: Path, kind: str = "obedient") -> None:
        self.folder = folder
        self.log = (folder / "log").open("wb")
        line = [sys.executable, "-c", SUPERVISOR, str(folder), WORKER, kind]
        self.process = subprocess.Popen(line, stdout=self.log, stderr=self.log, start_new_session=True)
        self.started("one", 1), self.started("two", 1)

    def started(self, name: str, times: int) -> list[psutil.Process]:
        """The worker and its own process, once it was started that often."""
        path = self.folder / name
        wait_for(lambda: path.exists() and path.read_text().count("\n") == times)
        return [psutil.Process(int(pid)) for pid in path.read_text().splitlines()[-1].split()]

    @property
    def output(self) -> str:
        return (self.folder / "log").read_text()


def wait_for(done: Any) -> None:
    until = time.monotonic() + 30
    while not done():
        assert time.monotonic() < until
        time.sleep(0.1)


def lives(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


@pytest.mark.parametrize(
    ("send", "number"), [(os.killpg, signal.SIGTERM), (os.kill, signal.SIGINT)], ids=["SIGTERM to the group", "SIGINT"]
)
def test_a_signal_ends_the_supervisor_and_all_that_was_started(
    tmp_path: Path, send: Callable[[int, int], None], number: signal.Signals
) -> None:
    supervised = Supervised(tmp_path)
    workers = [*supervised.started("one", 1), *supervised.started("two", 1)]
    send(supervised.process.pid, number)
    assert supervised.process.wait(20) == 0
    assert not [worker for worker in workers if lives(worker)]


def test_what_ignores_the_signal_is_killed(tmp_path: Path) -> None:
    supervised = Supervised(tmp_path, "stubborn")
    workers = [*supervised.started("one", 1), *supervised.started("two", 1)]
    supervised.process.terminate()
    assert supervised.process.wait(20) == 0
    assert not [worker for worker in workers if lives(worker)]


def test_a_killed_process_is_started_again_and_what_it_left_ends_with_the_supervisor(tmp_path: Path) -> None:
    supervised = Supervised(tmp_path)
    worker, left = supervised.started("one", 1)
    worker.kill()
    again, _ = supervised.started("one", 2)
    assert "The one process ended with SIGKILL; it is started again in 1 s." in supervised.output
    assert lives(again)
    assert lives(left)
    supervised.process.terminate()
    assert supervised.process.wait(20) == 0
    assert not [process for process in (again, left) if lives(process)]


def test_nothing_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    supervised = Supervised(tmp_path)
    workers = [*supervised.started("one", 1), *supervised.started("two", 1)]
    supervised.process.kill()
    supervised.process.wait(20)
    wait_for(lambda: not [worker for worker in workers if lives(worker)])


def test_a_process_that_keeps_ending_ends_all_with_an_error(tmp_path: Path) -> None:
    code = """
import sys
from market_pipeline.orchestration.server import supervisor
supervisor.LONGEST_WAIT = 0
commands = {"good": ["sleep", "600"], "bad": [sys.executable, "-c", "raise SystemExit(7)"]}
supervisor.supervise(commands, print)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert "The bad process ended 5 times in a row, the last time with exit status 7." in ended.stderr
    assert ended.stdout.count("it is started again in 0 s.") == 4
