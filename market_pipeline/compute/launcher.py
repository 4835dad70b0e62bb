"""How the server executes runs on a Ray cluster: each run is a Ray job on some host, which Ray watches."""

import os
import shlex
from urllib.parse import urlsplit

import dagster as dg

# No public names; the version is pinned below 1.14.
from dagster._config.config_schema import UserConfigSchema
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from dagster._core.origin import get_python_environment_entry_point
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import ConfigurableClassData
from dagster_ray.core.run_launcher import RayRunLauncher, get_job_submission_id_from_run_id

from market_pipeline.config.settings import Settings
from market_pipeline.errors import ServerError

RUN = "run"
"""The resource of which a run takes one: `ray start --resources='{"run": 1}'` on each host that may execute one.

Not a CPU: a run that trains waits for its fits, and fits take the CPUs.
"""

SERVER = "RAY_API_SERVER_ADDRESS"
"""Ray's own variable with the address of its jobs, where it is not on port 8265 of the head."""

BATCH = "DAGSTER_EVENT_BATCH_SIZE"
"""How many events Dagster stores at once: as in the process of the server."""

UNKNOWN_JOB = "does not exist"


class ClusterRunLauncher(RayRunLauncher):  # type: ignore[misc]  # of the cluster extra
    """The launcher of dagster-ray at the address of MARKET_PIPELINE_COMPUTE, patient while the head does not answer."""

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, _config_value: object) -> "ClusterRunLauncher":
        address = jobs_address(Settings.from_environment().compute)
        return cls(address=address, resources={RUN: 1}, env_vars=[BATCH], inst_data=inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Submit the run; while Ray does not answer, it goes back to the queue.

        The command is quoted for a shell here: dagster-ray puts the configuration between single quotes as it is.
        """
        run = context.dagster_run
        if run.job_code_origin is None:
            raise ServerError(f"Run {run.run_id} does not name its code, so no host can execute it.")
        code = run.job_code_origin.repository_origin
        # The code process names the program `dagster`, which Ray's workers may not find.
        module = code._replace(entry_point=get_python_environment_entry_point(code.executable_path))
        command = ExecuteRunArgs(
            job_origin=run.job_code_origin._replace(repository_origin=module),
            run_id=run.run_id,
            instance_ref=self._instance.get_ref(),
            set_exit_code_on_failure=True,
        ).get_command_args()
        try:
            self._launch_ray_job(get_job_submission_id_from_run_id(run.run_id), shlex.join(command), run)
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
