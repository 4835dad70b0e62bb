"""Work as tasks of a Ray cluster. Ray schedules them, repeats those whose worker died, and holds what they share."""

import json
import logging
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from market_pipeline.compute.protocol import Compute, Item, Result, Shared
from market_pipeline.compute.sending import sendable, sent_by_value, with_one_thread
from market_pipeline.errors import ComputeError

REPEATS = 3
"""Times that Ray repeats a piece of work whose worker died."""

PATIENCE = 15.0
"""Seconds until the head of the cluster answers."""

WORKERLESS = 60.0
"""Seconds that a cluster without a single CPU has to get a worker."""

PICKLER = "ray.cloudpickle"

_CONNECTING = threading.Lock()

OF_THE_JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"
"""Ray's own variable: in a run that Ray executes it has what Ray knows of its job."""

WITHIN = "RAY_ADDRESS"
"""Ray's own variable: in a run that Ray executes it has the address of its cluster, which is nearer than the head's."""


@dataclass(frozen=True)
class RayCluster(Compute):
    """Workers of the cluster at an address, such as `ray://head:10001`, `head:6379` or `auto`; one CPU for each piece.

    Every host of the cluster has the same version of this package.
    """

    address: str

    def each(
        self,
        work: Callable[[Shared, Item], Result],
        shared: Shared,
        items: Sequence[Item],
        *,
        modules: Collection[str] = (),
    ) -> Generator[Result, None, None]:
        """The results in the order of `items`, as Compute.each; `shared` is sent to each host once."""
        with self.connected() as ray, sent_by_value(modules, PICKLER):
            self._require_cpu(ray)
            task = ray.remote(num_cpus=1, max_retries=REPEATS)(_done)
            stored = [ray.put(shared)]
            begun = deque(task.remote(work, stored, item) if sendable(item, PICKLER) else None for item in items)
            try:
                for item in items:
                    reference = begun.popleft()
                    yield self._result(ray, reference) if reference else with_one_thread(work, shared, item)
            finally:
                for reference in filter(None, begun):
                    ray.cancel(reference)

    @contextmanager
    def ready(self, start: Callable[[], None]) -> Iterator[None]:
        """As Compute.ready: a thread holds a connection, through which each CPU is asked for `start` once."""
        ended = threading.Event()

        def hold() -> None:
            with suppress(ComputeError), self.connected() as ray:
                with suppress(ray.exceptions.RayError):
                    task = ray.remote(num_cpus=1)(start)
                    for _ in range(int(ray.cluster_resources().get("CPU", 0))):
                        task.remote()
                ended.wait()

        holding = threading.Thread(target=hold, daemon=True)
        holding.start()
        try:
            yield
        finally:
            ended.set()
            holding.join()

    @contextmanager
    def connected(self) -> Iterator[Any]:
        """Ray, connected to the cluster; raises ComputeError where it cannot be reached."""
        try:
            import ray
        except ImportError as error:
            raise ComputeError(
                f"MARKET_PIPELINE_COMPUTE is {self.address!r}, but Ray is not installed here. Install "
                "market-pipeline[cluster], or unset the variable to compute on this machine."
            ) from error
        with _CONNECTING:
            mine = not ray.is_initialized()
            if mine:
                self._connect(ray)
        try:
            yield ray
        finally:
            if mine:
                ray.shutdown()

    def _connect(self, ray: Any) -> None:
        address = os.environ.get(WITHIN) or self.address
        self._require_answer(address)
        if described := os.environ.get(OF_THE_JOB):
            os.environ[OF_THE_JOB] = without_variables(described)
        try:
            ray.init(address=address, logging_level=logging.WARNING, log_to_driver=False)
        except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
            ray.util.disconnect()  # else a client that failed to connect stays one, and no later attempt succeeds
            raise self._unreachable(address, error) from error

    def _require_answer(self, address: str) -> None:
        """See that somebody listens there: Ray itself tries for minutes."""
        parts = urlsplit(address if "://" in address else f"//{address}")
        try:
            if parts.hostname and parts.port:
                socket.create_connection((parts.hostname, parts.port), PATIENCE).close()
        except (OSError, ValueError) as error:
            raise self._unreachable(address, error) from error

    def _unreachable(self, address: str, error: Exception) -> ComputeError:
        return ComputeError(
            f"The Ray cluster of MARKET_PIPELINE_COMPUTE at {address!r} cannot be used: {error}. Start its head, such "
            "as ray start --head, or correct the address. Unset, models are fitted on this machine."
        )

    def _require_cpu(self, ray: Any) -> None:
        until = time.monotonic() + WORKERLESS
        while ray.cluster_resources().get("CPU", 0) < 1:
            if time.monotonic() > until:
                raise ComputeError(
                    f"The Ray cluster at {self.address!r} has no CPU, and got none within {WORKERLESS:.0f} seconds. "
                    "Start a worker: ray start --address=<head>:6379 on another host."
                )
            time.sleep(1)

    def _result(self, ray: Any, reference: Any) -> Any:
        try:
            return ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except ray.exceptions.RayError as error:
            raise ComputeError(
                f"A piece of work was lost on the Ray cluster at {self.address!r}, also when it was repeated {REPEATS} "
                f"times: {type(error).__name__}: {' '.join(str(error).split())[:500]}. Look at the workers' memory, "
                "then run it again; what was stored is whole."
            ) from error


def without_variables(job: str) -> str:
    """What Ray knows of a job, without the environment variables of its own process.

    Tasks need none of them, and would wait for processes that have them beside those that each node starts for a job.

    >>> without_variables('{"runtime_env": {"env_vars": {"A": "1"}}, "metadata": {"job_submission_id": "1"}}')
    '{"runtime_env": {}, "metadata": {"job_submission_id": "1"}}'
    """
    described = json.loads(job)
    (described.get("runtime_env") or {}).pop("env_vars", None)
    return json.dumps(described)


def _done(work: Callable[[Shared, Item], Result], stored: Sequence[Any], item: Item) -> Result:
    """A piece of work in a process of the cluster. Ray leaves a reference within a list as it is."""
    return with_one_thread(work, _read(stored[0]), item)


@lru_cache(1)
def _read(reference: Any) -> Any:
    """What is shared, once for each process, which so keeps what its earlier pieces have computed from it."""
    import ray

    return ray.get(reference)
