"""Work in processes of this host: the bits and the errors of threads, and nothing left behind."""

import datetime as dt
import errno
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import joblib
import numpy as np
import psutil
import pytest

from market_pipeline.compute.processes import Processes
from market_pipeline.compute.threads import THREADS, OneByOne
from market_pipeline.errors import ComputeError
from market_pipeline.models.forecasters.catalogue import BUILT_IN
from market_pipeline.models.registry.training import months_between, train
from market_pipeline.storage.store import FolderStore
from market_pipeline_tests.compute.pieces import (
    BROKEN_LINE,
    MATRIX,
    Locked,
    failing,
    held,
    own_models,
    process_of,
    product,
)
from market_pipeline_tests.panels import walk_panel

NOW = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
PROCESSES = Processes(enough=3, ahead=2, otherwise=OneByOne())
SOON = 20.0
"""Seconds until a process must have ended."""


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joblib, "cpu_count", lambda: 2)


def place_of(matrix: np.ndarray, _: int) -> tuple[int, int, str]:
    """Which process has which object of which type."""
    return os.getpid(), id(matrix), type(matrix).__name__


def writing(matrix: np.ndarray, _: int) -> None:
    matrix[0, 0] = 1.0


def killed(_: np.ndarray, number: int) -> None:
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)


def test_processes_have_the_bits_of_threads() -> None:
    powers = [5, 2, 9, 3, 7, 4, 8, 6, 11, 10]
    for found, expected in zip(
        PROCESSES.each(product, MATRIX, powers), THREADS.each(product, MATRIX, powers), strict=True
    ):
        np.testing.assert_array_equal(found, expected)
    assert os.getpid() not in set(PROCESSES.each(process_of, MATRIX, range(4)))


def test_few_pieces_or_a_single_core_need_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(PROCESSES.each(process_of, MATRIX, range(2))) == {os.getpid()}
    monkeypatch.setattr(joblib, "cpu_count", lambda: 1)
    assert set(PROCESSES.each(process_of, MATRIX, range(9))) == {os.getpid()}


def test_a_process_reads_what_is_shared_once_and_cannot_change_it() -> None:
    large = np.ones((1000, 1000))
    places = list(PROCESSES.each(place_of, large, range(12)))
    assert {kind for *_, kind in places} == {"memmap"}
    assert len(set(places)) == len({process for process, *_ in places}) <= 2
    with pytest.raises(ValueError, match="read-only"):
        list(PROCESSES.each(writing, large, range(3)))


def test_an_error_is_raised_in_its_place_as_it_was() -> None:
    results = PROCESSES.each(failing, MATRIX, range(5))
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(KeyError, match="no good") as raised:
        next(results)
    assert raised.value.__cause__ is None  # loky's is a text of many lines
    assert list(PROCESSES.each(failing, MATRIX, range(3, 7))) == [3, 4, 5, 6]


def test_a_killed_process_is_a_clear_error_and_the_next_work_has_new_ones() -> None:
    with pytest.raises(ComputeError, match=r"ended from outside: .*memory is short.*run it again"):
        list(PROCESSES.each(killed, MATRIX, range(4)))
    assert list(PROCESSES.each(failing, MATRIX, range(3, 7))) == [3, 4, 5, 6]


def test_a_full_disk_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: object, __: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(joblib, "dump", full)
    with pytest.raises(ComputeError, match=r"could not be written to .*No space left .*TMPDIR"):
        list(PROCESSES.each(process_of, MATRIX, range(4)))


def test_what_cannot_be_sent_is_done_here_and_the_rest_there(caplog: pytest.LogCaptureFixture) -> None:
    assert list(PROCESSES.each(held, MATRIX, [1, Locked(), 3])) == [1, os.getpid(), 3]
    [warning] = caplog.messages
    assert "cannot be sent to other processes" in warning


def test_models_of_processes_are_those_of_threads_and_own_models_travel(tmp_path: Path) -> None:
    plugins = own_models(tmp_path)
    panel = walk_panel(symbols=4, sessions=340)
    months = months_between(panel.history.sessions, dt.date(2020, 6, 1), panel.history.sessions[-1].item())[-3:]
    digests, faults = [], list[str]()
    for place, compute in (("threads", THREADS), ("processes", PROCESSES)):
        forecasters, store = (*BUILT_IN, *plugins.usable), FolderStore(tmp_path / place)
        tables = train(panel, months, store, "m", NOW, forecasters, compute=compute, report=faults.append)
        digests.append([(row["model"], row["path"], row["sha256"]) for rows in tables for row in rows.to_pylist()])
    assert digests[0] == digests[1]
    assert len(digests[0]) == len(months) * (len(BUILT_IN) + 1)
    assert set(faults) == {faults[0]}
    assert f"{tmp_path / 'only_here.py'}, line {BROKEN_LINE}" in faults[0]


LONG = """
    import os, sys, time
    import numpy as np
    from market_pipeline.compute.processes import Processes
    from market_pipeline.compute.threads import THREADS
    sys.path.insert(0, os.path.dirname(__file__))

    if __name__ == "__main__":
        from working import working
        for process in Processes(1, 2, THREADS).each(working, np.ones(200_000), range(1_000)):
            print(process, flush=True)
"""
WORKING = """
    import os, time

    def working(_, number):
        time.sleep(0.1)
        return os.getpid()
"""


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_processes_and_files_end_with_the_one_that_started_them(tmp_path: Path, by: signal.Signals) -> None:
    (tmp_path / "working.py").write_text(textwrap.dedent(WORKING), encoding="utf-8")
    (tmp_path / "long.py").write_text(textwrap.dedent(LONG), encoding="utf-8")
    (tmp_path / "temporary").mkdir()
    variables = os.environ | {"TMPDIR": str(tmp_path / "temporary"), "PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "long.py")], env=variables, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True,
    ) as started:  # fmt: skip
        assert started.stdout
        workers = {int(started.stdout.readline()) for _ in range(10)}
        assert started.pid not in workers
        assert list((tmp_path / "temporary").iterdir())
        started.send_signal(by)
    until = time.monotonic() + SOON
    while any(map(psutil.pid_exists, workers)) or list((tmp_path / "temporary").iterdir()):
        assert time.monotonic() < until
        time.sleep(0.1)
