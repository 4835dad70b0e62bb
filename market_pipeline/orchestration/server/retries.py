"""Failed runs are repeated: Dagster's own consumer of events, which waits for the status of a run that has ended.

Dagster stores the event of a failure, then the run's status, then whether it is to be repeated. A consumer that reads
between the first and the second takes the run for an unfinished one and passes over it for ever; its backfill would
stay in progress. Both look at their clocks from the start of the daemon, so that they meet more often than by chance.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import dagster as dg

# No public names; the version is pinned below 1.14.
from dagster._core.workspace.context import IWorkspaceProcessContext
from dagster._daemon.auto_run_reexecution.auto_run_reexecution import consume_new_runs_for_automatic_reexecution
from dagster._daemon.auto_run_reexecution.event_log_consumer import EventLogConsumerDaemon
from dagster._daemon.controller import create_daemon_of_type
from dagster._daemon.daemon import DagsterDaemon

LONGEST, PAUSE = 10.0, 0.1
"""Seconds that a status is waited for, and between two looks. A later one is of a process that was killed before it
stored the status: then the run is failed again, with another event."""

Context = IWorkspaceProcessContext[Any]
Handler = Callable[[Context, Sequence[dg.RunRecord], logging.Logger], Iterator[None]]


class PatientConsumer(EventLogConsumerDaemon):
    """In the place of Dagster's own consumer, which starts the repetitions of failed runs."""

    @property
    def handle_updated_runs_fns(self) -> Sequence[Handler]:
        return [repeat_failed]


def daemons_of(instance: dg.DagsterInstance) -> list[DagsterDaemon[Any]]:
    """The daemons that Dagster would start for this instance."""
    return [
        PatientConsumer() if kind == EventLogConsumerDaemon.daemon_type() else create_daemon_of_type(kind, instance)
        for kind in instance.get_required_daemon_types()
    ]


def repeat_failed(context: Context, records: Sequence[dg.RunRecord], logger: logging.Logger) -> Iterator[None]:
    """Start the repetitions of those runs, whose end was read, that failed and may be repeated."""
    ids, until = [record.dagster_run.run_id for record in records], time.monotonic() + LONGEST
    while any(not record.dagster_run.is_finished for record in records) and time.monotonic() < until:
        yield
        time.sleep(PAUSE)
        records = context.instance.get_run_records(dg.RunsFilter(run_ids=ids))
    yield from consume_new_runs_for_automatic_reexecution(context, records, logger)
