"""Runs that a command submits to the instance: the daemon launches them on any host, the command follows them."""

import datetime as dt
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

import dagster as dg

# No public names; the version is pinned below 1.14.
from dagster._core.code_pointer import CodePointer
from dagster._core.instance import DagsterInstance
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin, get_python_environment_entry_point
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.run_coordinator import SubmitRunContext
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES
from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG, WILL_RETRY_TAG

from market_pipeline.errors import MarketPipelineError, ServerError
from market_pipeline.orchestration.backfill import PlannedRun
from market_pipeline.orchestration.chain import ASSETS
from market_pipeline.orchestration.partitions import range_tags
from market_pipeline.orchestration.runs import Progress, RunLog
from market_pipeline.orchestration.server.workspace import DEFINITIONS

POLL = 0.5
"""Seconds between two looks at the runs."""

AWAY = 180.0
"""Seconds for which the instance's database may not answer."""

BEAT = dt.timedelta(seconds=120)
"""How old the daemon's last heartbeat may be."""

FIRST_BEAT = 20.0
"""Seconds in which a new instance, whose services are starting, may get its first heartbeat."""


@dataclass
class Followed:
    """A submitted run, or the one that repeats it, and what its log has had so far."""

    run_id: str
    log: RunLog
    cursor: str | None = None
    ended: bool = False
    failure: str = field(default="")

    def look(self, instance: dg.DagsterInstance) -> None:
        """Read what is new. A run that failed and is repeated goes on as its repetition."""
        run = instance.get_run_by_id(self.run_id)  # before its events: of a run that has ended here, all are read below
        found = instance.get_records_for_run(self.run_id, self.cursor)
        for record in found.records:
            self.log.take(record.event_log_entry)
        self.cursor = found.cursor
        if run is None or found.has_more or not run.is_finished:
            return
        if run.status != dg.DagsterRunStatus.SUCCESS and found.records:
            return  # Dagster marks it as one to repeat a moment after it has failed
        if run.status == dg.DagsterRunStatus.FAILURE and run.tags.get(WILL_RETRY_TAG) == "true":
            if repeated := run.tags.get(AUTO_RETRY_RUN_ID_TAG):
                self.run_id, self.cursor, self.log = repeated, None, RunLog(self.log.parts)
            return
        self.ended = True
        if run.status != dg.DagsterRunStatus.SUCCESS:
            ended = run.status.value.lower()
            self.failure = self.log.failure or f"The Dagster run {run.run_id} ended as {ended}; the UI shows its log."


def pieces(planned: PlannedRun, partitions: dg.PartitionsDefinition[str] | None) -> list[PlannedRun]:
    """The runs into which several hosts cut a planned one, each with at most as many partitions as its asset allows.

    Months stay whole, because a run reads the models and makes the estimates of each of its months.
    """
    at_most = min(ASSETS[name].at_most for name in planned.assets)
    if not at_most or partitions is None:
        return [planned]
    days = [dt.date.fromisoformat(key) for key in partitions.get_partition_keys()]
    found = list[list[dt.date]]()
    for _, month in groupby(
        (day for day in days if planned.first <= day <= planned.last), lambda day: day.replace(day=1)
    ):
        more = list(month)
        if found and len(found[-1]) + len(more) <= at_most:
            found[-1] += more
        else:
            found.append(more)
    return [replace(planned, first=of_run[0], last=of_run[-1]) for of_run in found]


def submit(planned: PlannedRun, definitions: dg.Definitions, instance: dg.DagsterInstance, progress: Progress) -> None:
    """Submit a planned run, in pieces, and follow them to their end.

    Raises ServerError if no daemon runs, MarketPipelineError with the message of the first failed step.
    """
    require_daemon(instance)
    job = definitions.resolve_implicit_global_asset_job_def()
    keys = [dg.AssetKey(ASSETS[name].key(planned.market)) for name in planned.assets]
    partitions = job.asset_layer.get(keys[0]).partitions_def
    followed = [_submitted(piece, job, keys, instance) for piece in pieces(planned, partitions)]
    try:
        _follow(followed, instance, planned.parts, progress)
    except KeyboardInterrupt:
        for one in followed:
            run = instance.get_run_by_id(one.run_id)
            if run is not None and run.status in NOT_FINISHED_STATUSES:
                instance.run_coordinator.cancel_run(one.run_id)
        raise
    if failures := [one.failure for one in followed if one.failure]:
        raise MarketPipelineError(failures[0])


def require_daemon(instance: dg.DagsterInstance) -> None:
    """Raise ServerError where no daemon launches runs."""
    until = time.monotonic() + FIRST_BEAT
    while not (beats := [beat.timestamp for beat in instance.get_daemon_heartbeats().values()]):
        if time.monotonic() > until:
            break
        time.sleep(POLL)
    if not beats or dt.datetime.fromtimestamp(max(beats), dt.UTC) < dt.datetime.now(dt.UTC) - BEAT:
        raise ServerError(
            "No daemon runs, and it launches the runs of a cluster. Start market-pipeline serve daemon on one host, "
            "then run the command again."
        )


def _submitted(
    piece: PlannedRun, job: dg.JobDefinition, keys: Sequence[dg.AssetKey], instance: DagsterInstance
) -> Followed:
    run = instance.create_run_for_job(
        job,
        asset_selection=set(keys),
        tags=range_tags(piece.first, piece.last),
        remote_job_origin=RemoteJobOrigin(
            RemoteRepositoryOrigin(
                # The daemon finds the code by the location's name, wherever it listens.
                GrpcServerCodeLocationOrigin(host="localhost", location_name=DEFINITIONS), "__repository__"
            ),
            job.name,
        ),
        job_code_origin=JobPythonOrigin(
            job.name,
            RepositoryPythonOrigin(
                sys.executable,
                CodePointer.from_module(DEFINITIONS, "defs", None),
                entry_point=get_python_environment_entry_point(sys.executable),
            ),
        ),
    )  # fmt: skip
    instance.run_coordinator.submit_run(SubmitRunContext(run, workspace=None))  # type: ignore[arg-type]  # not read
    return Followed(
        run.run_id,
        RunLog({"__".join(key.path): parts for key, parts in zip(keys, piece.parts_of.values(), strict=True)}),
    )


def _follow(followed: Sequence[Followed], instance: dg.DagsterInstance, parts: int, progress: Progress) -> None:
    answered = time.monotonic()
    while waiting := [one for one in followed if not one.ended]:
        try:
            for one in waiting:
                one.look(instance)
            answered = time.monotonic()
        except Exception:  # only the driver of the database knows its errors; the runs go on meanwhile
            if time.monotonic() - answered > AWAY:
                raise
        newest = next((one.log.newest for one in waiting if one.log.newest), "")
        progress(min(parts, sum(one.log.done for one in followed)), parts, newest)
        if not all(one.ended for one in followed):
            time.sleep(POLL)
