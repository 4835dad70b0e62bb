"""How the server executes runs on a Ray cluster: each run is a Ray job on some host, which Ray watches."""

import os
from urllib.parse import urlsplit

import dagster as dg

# No public names; the version is pinned below 1.14.
from dagster._config.config_schema import UserConfigSchema
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from dagster._serdes import ConfigurableClassData
from dagster_ray.core.run_launcher import RayRunLauncher

from market_pipeline.config.settings import Settings

RUN = "run"
"""The resource of which a run takes one: `ray start --resources='{"run": 1}'` on each host that may execute one.

Not a CPU: a run that trains waits for its fits, and fits take the CPUs.
"""

SERVER = "RAY_API_SERVER_ADDRESS"
"""Ray's own variable with the address of its jobs, where it is not on port 8265 of the head."""

UNKNOWN_JOB = "does not exist"


class ClusterRunLauncher(RayRunLauncher):  # type: ignore[misc]  # of the cluster extra
    """The launcher of dagster-ray at the address of MARKET_PIPELINE_COMPUTE, patient while the head does not answer."""

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, _config_value: object) -> "ClusterRunLauncher":
        address = jobs_address(Settings.from_environment().compute)
        return cls(address=address, resources={RUN: 1}, inst_data=inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Submit the run; while Ray does not answer, it goes back to the queue."""
        try:
            super().launch_run(context)
        except (OSError, RuntimeError) as error:
            raise DagsterUserCodeUnreachableError(
                f"The Ray cluster at {self.address} took no run: {error}. Is its head running?"
            ) from error

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """What Ray knows of the run's process; while Ray does not answer, the run counts as alive."""
        try:
            found: CheckRunHealthResult = super().check_run_worker_health(run)
        except OSError as error:
            return CheckRunHealthResult(WorkerStatus.RUNNING, f"Ray does not answer: {error}")
        if found.status != WorkerStatus.UNKNOWN:
            return found
        status = WorkerStatus.NOT_FOUND if UNKNOWN_JOB in (found.msg or "") else WorkerStatus.RUNNING
        return CheckRunHealthResult(status, found.msg)


def jobs_address(address: str) -> str:
    """Where the cluster at an address takes jobs: a client of `ray://` would have to stay connected.

    >>> jobs_address("ray://head:10001")
    'http://head:8265'
    """
    parts = urlsplit(address)
    if parts.scheme != "ray":
        return address
    return os.environ.get(SERVER) or f"http://{parts.hostname}:8265"
