"""A failed run is repeated, whenever the daemon reads that it has failed."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget

from market_pipeline.config.settings import Settings
from market_pipeline.orchestration.instance import open_instance
from market_pipeline.orchestration.server import retries

LOCATION = """
import dagster as dg

@dg.asset
def something():
    pass

definitions = dg.Definitions([something], jobs=[dg.define_asset_job("work", "*")])
"""


@pytest.fixture
def context(tmp_path: Path) -> Iterator[WorkspaceProcessContext]:
    """The daemon's view of a data directory and of a small code location, whose events so far were read."""
    (tmp_path / "location.py").write_text(LOCATION)
    origin = InProcessCodeLocationOrigin(LoadableTargetOrigin(python_file=str(tmp_path / "location.py")))
    instance = open_instance(Settings(home=tmp_path / "data", source="simulated"))
    with instance, WorkspaceProcessContext(instance, InProcessWorkspaceLoadTarget(origin)) as made:
        consume(made)
        yield made


def consume(context: WorkspaceProcessContext) -> None:
    """One evaluation of the daemon's consumer."""
    [consumer] = [one for one in retries.daemons_of(context.instance) if isinstance(one, retries.PatientConsumer)]
    list(consumer.run_iteration(context))


def started(context: WorkspaceProcessContext) -> dg.DagsterRun:
    """A run that was launched from the UI and is under way."""
    [location] = context.create_request_context().code_locations
    [repository] = location.get_repositories().values()
    job = repository.get_full_job("work")
    plan = location.get_execution_plan(job, {}, step_keys_to_execute=None, known_state=None, instance=context.instance)
    return context.instance.create_run(
        job_name="work", run_id=None, run_config={}, status=dg.DagsterRunStatus.STARTING, tags={}, root_run_id=None,
        parent_run_id=None, step_keys_to_execute=None, execution_plan_snapshot=plan.execution_plan_snapshot,
        job_snapshot=job.job_snapshot, parent_job_snapshot=None, asset_selection=None, asset_check_selection=None,
        resolved_op_selection=None, op_selection=None, remote_job_origin=job.get_remote_origin(),
        job_code_origin=job.get_python_origin(), asset_graph=repository.asset_graph,
    )  # fmt: skip


@contextmanager
def failing(run: dg.DagsterRun, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The moment after the event of the run's failure was stored, and half a second before its status is."""
    stored, handle = threading.Event(), instance.run_storage.handle_run_event

    def later(*of_the_run: Any) -> None:
        stored.set()
        threading.Event().wait(0.5)
        handle(*of_the_run)

    monkeypatch.setattr(instance.run_storage, "handle_run_event", later)
    thread = threading.Thread(target=instance.report_run_failed, args=(run, "It did not start."))
    thread.start()
    assert stored.wait(30)
    yield
    thread.join()


def repetitions(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[dg.DagsterRun]:
    return [one for one in instance.get_runs() if one.parent_run_id == run.run_id]


def test_a_failure_that_is_read_before_its_status_is_stored_is_repeated(
    context: WorkspaceProcessContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = started(context)
    with failing(run, context.instance, monkeypatch):
        consume(context)
    assert len(repetitions(context.instance, run)) == 1
    consume(context)
    assert len(repetitions(context.instance, run)) == 1


def test_a_run_without_a_status_is_waited_for_until_it_is_failed_again(
    context: WorkspaceProcessContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "LONGEST", 0.2)
    run, storage = started(context), context.instance.run_storage
    with monkeypatch.context() as killed:  # between the event and the status
        killed.setattr(storage, "handle_run_event", lambda *_: None)
        context.instance.report_run_failed(run, "It did not start.")
    consume(context)
    assert not repetitions(context.instance, run)
    context.instance.report_run_failed(run, "It did not start.")
    consume(context)
    assert len(repetitions(context.instance, run)) == 1


def test_every_other_daemon_is_dagsters_own(context: WorkspaceProcessContext) -> None:
    kinds = [daemon.daemon_type() for daemon in retries.daemons_of(context.instance)]
    assert kinds == context.instance.get_required_daemon_types()
    assert "EVENT_LOG_CONSUMER" in kinds
