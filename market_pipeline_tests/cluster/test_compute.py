"""Work on a real Ray cluster: the results of threads, in order, and clear errors."""

import os
import signal
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from market_pipeline.compute import cluster as under_test
from market_pipeline.compute.cluster import RayCluster
from market_pipeline.compute.threads import Threads
from market_pipeline.errors import ComputeError
from market_pipeline_tests.cluster.ray_cluster import Cluster, ray_cluster
from market_pipeline_tests.cluster.services import free_port


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with ray_cluster(cpus=2) as started:
        yield started


def product(matrix: np.ndarray, power: int) -> np.ndarray:
    """Sums in many orders; a second thread would change the last bits."""
    return np.linalg.matrix_power(matrix, power) @ matrix


def process_of(_: np.ndarray, __: int) -> int:
    return os.getpid()


def failing(_: np.ndarray, number: int) -> int:
    if number == 2:
        raise KeyError("no good")
    return number


def killed_once(_: np.ndarray, marker: str) -> str:
    """Kills its own worker the first time."""
    if not Path(marker).exists():
        Path(marker).write_text("first", encoding="utf-8")
        os.kill(os.getpid(), signal.SIGKILL)
    return "again"


def always_killed(_: np.ndarray, __: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


MATRIX = np.random.default_rng(5).normal(0, 0.05, (300, 300))


def test_a_cluster_has_the_bits_of_threads_in_other_processes(cluster: Cluster) -> None:
    there, here = RayCluster(cluster.address), Threads()
    powers = [5, 2, 9, 3, 7]
    for found, expected in zip(there.each(product, MATRIX, powers), here.each(product, MATRIX, powers), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert os.getpid() not in set(there.each(process_of, MATRIX, range(4)))


def test_an_error_is_raised_in_its_place_as_it_was(cluster: Cluster) -> None:
    for compute in (Threads(), RayCluster(cluster.address)):
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


def test_no_cluster_is_a_clear_error() -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    for address in (nowhere, f"ray://{nowhere}"):
        with pytest.raises(ComputeError, match=r"cannot be used: .*Start its head"):
            list(RayCluster(address).each(product, MATRIX, [1]))


def test_a_cluster_without_a_cpu_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "WORKERLESS", 1.0)
    with ray_cluster(cpus=0) as empty, pytest.raises(ComputeError, match="has no CPU"):
        list(RayCluster(empty.address).each(product, MATRIX, [1]))
