"""How the server executes runs: a launcher that finds dead ones, and an executor that names the process.

Dagster's run monitoring asks the launcher every few seconds about each run that has started, on the server or not.
"""

from collections.abc import Iterator
from contextlib import ExitStack

import dagster as dg
from dagster._core.execution.context.system import PlanOrchestrationContext  # no public names
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.in_process import InProcessExecutor
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus

from market_pipeline.orchestration.processes import process_tags, why_gone, why_late
from market_pipeline.orchestration.turns import turn, turns_of


class LocalRunLauncher(dg.DefaultRunLauncher):
    """Dagster's own launcher, which starts a process for each run, and a look at the processes of all runs."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the process of a run lives; that of another host counts as alive."""
        cause = why_gone(run) or why_late(self._instance, run)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND if cause else WorkerStatus.RUNNING, cause)


class OneProcess(InProcessExecutor):
    """All steps in the run's process, since each process costs seconds of imports; the run is tagged with it."""

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[dg.DagsterEvent]:
        run, instance = plan_context.dagster_run, plan_context.instance
        instance.add_run_tags(run.run_id, process_tags(run.run_id))
        with ExitStack() as turns:
            for market, shared in turns_of(execution_plan.step_keys_to_execute).items():
                turns.enter_context(turn(instance, market, plan_context.log.info, shared=shared))
            yield from super().execute(plan_context, execution_plan)


@dg.executor(name="one_process", config_schema={})
def one_process(_: dg.InitExecutorContext) -> OneProcess:
    """The executor of every job: one process for all steps."""
    return OneProcess(retries=RetryMode.ENABLED)
