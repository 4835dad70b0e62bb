"""Work on a real Ray cluster: the results of threads, in order, and clear errors."""

import datetime as dt
import json
import os
import signal
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from market_pipeline.compute import cluster as under_test
from market_pipeline.compute.cluster import RayCluster
from market_pipeline.compute.threads import THREADS
from market_pipeline.errors import ComputeError
from market_pipeline.models.forecasters.catalogue import BUILT_IN
from market_pipeline.models.registry.training import months_between, train
from market_pipeline.storage.store import FolderStore
from market_pipeline_tests.cluster.ray_cluster import STARTS, Cluster, ray_cluster
from market_pipeline_tests.cluster.services import free_port
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


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with ray_cluster(cpus=2) as started:
        yield started


def killed_once(_: np.ndarray, marker: str) -> str:
    """Kills its own worker the first time."""
    if not Path(marker).exists():
        Path(marker).write_text("first", encoding="utf-8")
        os.kill(os.getpid(), signal.SIGKILL)
    return "again"


def counted(pieces: list[int], number: int) -> tuple[int, int]:
    """The process, and how many pieces it has done with what is shared."""
    pieces.append(number)
    return os.getpid(), len(pieces)


def variable_of_the_run(_: np.ndarray, __: int) -> str | None:
    return os.environ.get("OF_THE_RUN")


def always_killed(_: np.ndarray, __: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_cluster_has_the_bits_of_threads_in_other_processes(cluster: Cluster) -> None:
    there, here = RayCluster(cluster.address), THREADS
    powers = [5, 2, 9, 3, 7]
    for found, expected in zip(there.each(product, MATRIX, powers), here.each(product, MATRIX, powers), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert os.getpid() not in set(there.each(process_of, MATRIX, range(4)))


def first_answer(compute: RayCluster) -> list[tuple[int, int]]:
    """What `counted` gives; again where a head of another test has taken the port for clients."""
    for _ in range(STARTS):
        try:
            return list(compute.each(counted, list[int](), range(8)))
        except ComputeError as error:
            if "Starting Ray client server failed" not in str(error):
                raise
    raise AssertionError("No client could connect.")


@pytest.mark.parametrize("client", [False, True])
def test_a_process_of_the_cluster_reads_what_is_shared_once(cluster: Cluster, *, client: bool) -> None:
    """So the fits of several months share what one of them has computed."""
    address = f"ray://127.0.0.1:{cluster.client}" if client else cluster.address
    found = first_answer(RayCluster(address))
    per_process: dict[int, list[int]] = {}
    for process, pieces in found:
        per_process.setdefault(process, []).append(pieces)
    assert len(per_process) <= 2
    assert all(sorted(pieces) == list(range(1, len(pieces) + 1)) for pieces in per_process.values())


def test_tasks_of_a_run_take_the_processes_that_each_node_starts_for_its_job(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task with variables of its own waits for another process; what Ray knows of the run itself stays."""
    job = {"runtime_env": {"env_vars": {"OF_THE_RUN": "1"}}, "metadata": {"job_submission_id": "run-1"}}
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", json.dumps(job))
    compute = RayCluster(cluster.address)
    with compute.connected() as ray:
        assert set(compute.each(variable_of_the_run, MATRIX, range(2))) == {None}
        worker = ray._private.worker.global_worker
        assert dict(worker.core_worker.get_job_config().metadata) == {"job_submission_id": "run-1"}
    assert "OF_THE_RUN" not in os.environ["RAY_JOB_CONFIG_JSON_ENV_VAR"]


def test_models_of_a_cluster_are_those_of_one_host_and_own_models_travel(cluster: Cluster, tmp_path: Path) -> None:
    plugins = own_models(tmp_path)
    panel = walk_panel(symbols=4, sessions=320)
    months = months_between(panel.history.sessions, dt.date(2020, 6, 1), panel.history.sessions[-1].item())[-2:]
    digests, faults = [], list[str]()
    for place, compute in (("here", THREADS), ("there", RayCluster(cluster.address))):
        forecasters, store = (*BUILT_IN, *plugins.usable), FolderStore(tmp_path / place)
        tables = train(panel, months, store, "m", NOW, forecasters, compute=compute, report=faults.append)
        digests.append([(row["model"], row["path"], row["sha256"]) for rows in tables for row in rows.to_pylist()])
    assert digests[0] == digests[1]
    assert len(digests[0]) == len(months) * (len(BUILT_IN) + 1)
    assert len(faults) == 4
    assert set(faults) == {faults[0]}
    assert "'broken' failed in fit" in faults[0]
    assert f"{tmp_path / 'only_here.py'}, line {BROKEN_LINE}" in faults[0]


def test_an_error_is_raised_in_its_place_as_it_was(cluster: Cluster) -> None:
    for compute in (THREADS, RayCluster(cluster.address)):
        results = compute.each(failing, MATRIX, range(5))
        assert [next(results), next(results)] == [0, 1]
        with pytest.raises(KeyError, match="no good"):
            next(results)


def test_work_whose_worker_is_killed_is_repeated_and_then_refused(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute = RayCluster(cluster.address)
    assert list(compute.each(killed_once, MATRIX, [str(tmp_path / "marker")])) == ["again"]
    monkeypatch.setattr(under_test, "REPEATS", 1)
    with pytest.raises(ComputeError, match=r"lost on the Ray cluster .*repeated 1 times.*workers' memory"):
        list(compute.each(always_killed, MATRIX, [1]))


def test_code_that_only_this_process_has_travels(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = "STEP = 3\n\ndef step():\n    return STEP\n\nclass Adding:\n    def __call__(self, _, number):\n"
    (tmp_path / "only_here.py").write_text(own + textwrap.indent("return number + step()\n", " " * 8))
    monkeypatch.syspath_prepend(str(tmp_path))
    module = __import__("only_here")
    compute = RayCluster(cluster.address)
    try:
        assert list(compute.each(module.Adding(), MATRIX, [1, 2], modules=["only_here"])) == [4, 5]
    finally:
        del sys.modules["only_here"]


def test_what_cannot_be_sent_is_done_here_and_the_rest_there(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    assert list(RayCluster(cluster.address).each(held, MATRIX, [1, Locked(), 3])) == [1, os.getpid(), 3]
    [warning] = caplog.messages
    assert "cannot be sent to other processes" in warning
    assert "lock" in warning


def test_no_cluster_is_a_clear_error() -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    for address in (nowhere, f"ray://{nowhere}"):
        with pytest.raises(ComputeError, match=r"cannot be used: .*Start its head"):
            list(RayCluster(address).each(product, MATRIX, [1]))


def test_a_client_that_could_not_connect_hinders_no_later_attempt(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray keeps a process in the mode of its client, even if that has failed."""
    for name in ("INITIAL_TIMEOUT_SEC", "MAX_TIMEOUT_SEC"):
        monkeypatch.setattr(f"ray.util.client.worker.{name}", 1)
    elsewhere = f"ray://127.0.0.1:{cluster.dashboard}"  # somebody listens there, and serves no clients
    with pytest.raises(ComputeError, match="cannot be used"):
        list(RayCluster(elsewhere).each(product, MATRIX, [1]))
    assert list(RayCluster(cluster.address).each(held, MATRIX, [1])) == [1]


def test_a_cluster_without_a_cpu_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "WORKERLESS", 1.0)
    with ray_cluster(cpus=0) as empty, pytest.raises(ComputeError, match="has no CPU"):
        list(RayCluster(empty.address).each(product, MATRIX, [1]))


def test_workers_start_while_the_input_is_read_and_without_a_cluster_the_work_itself_finds_out(
    cluster: Cluster, tmp_path: Path
) -> None:
    cpus = 2

    def start() -> None:
        """Last until every CPU has begun, as imports do: a quick start may be asked twice of one process."""
        (tmp_path / str(os.getpid())).touch()
        until = time.monotonic() + 60
        while len(list(tmp_path.iterdir())) < cpus and time.monotonic() < until:
            time.sleep(0.05)

    def begun() -> set[str]:
        return {path.name for path in tmp_path.iterdir()}

    there = RayCluster(cluster.address)
    with there.ready(start):
        until = time.monotonic() + 60
        while len(begun()) < cpus and time.monotonic() < until:
            time.sleep(0.1)
        workers = {str(worker) for worker in there.each(process_of, None, [1, 2, 3, 4])}
    assert len(begun()) == cpus
    assert workers
    assert workers <= begun()
    nowhere = RayCluster(f"127.0.0.1:{free_port()}")
    with nowhere.ready(start), pytest.raises(ComputeError, match="Start its head"):
        list(nowhere.each(process_of, None, [1]))
