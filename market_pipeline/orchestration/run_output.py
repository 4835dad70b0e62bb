"""What runs of the server print, in files that the Dagster UI shows and downloads beside the log of a run.

Dagster's own class starts a `tail` and a second process for each step, which copy the files to the terminal and can
outlive the run, holding its pipe open. Here the output goes to the files alone. A command keeps its terminal.
"""

import multiprocessing
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dagster as dg

# No public names; the version is pinned below 1.14.
from dagster._config.config_schema import UserConfigSchema
from dagster._core.execution.compute_logs import redirect_to_file
from dagster._core.storage.compute_log_manager import CapturedLogContext
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._serdes import ConfigurableClassData

STREAMS = {"out": "stdout", "err": "stderr"}
"""The ends of the files' names, with the streams of the process."""


class RunOutput(LocalComputeLogManager):
    """The output of each run that the server started, below DAGSTER_HOME where Dagster's own class has it."""

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, _config_value: object) -> "RunOutput":
        return cls("", inst_data=inst_data)

    def register_instance(self, instance: dg.DagsterInstance) -> None:
        super().register_instance(instance)
        self._base_dir = str(Path(instance.root_directory, "storage"))

    @contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Iterator[CapturedLogContext]:
        """Send what this process prints to files, if it is a run's own; a command's stays where it is."""
        of_a_run = multiprocessing.parent_process() is not None
        with ExitStack() as redirected:
            for end, stream in STREAMS.items() if of_a_run else ():
                path = Path(self.get_captured_local_path(log_key, end))
                path.parent.mkdir(parents=True, exist_ok=True)
                redirected.enter_context(redirect_to_file(getattr(sys, stream), str(path)))
            yield CapturedLogContext(log_key)
        if of_a_run:
            Path(self.get_captured_local_path(log_key, "complete")).touch()
