"""What makes thousands of simulated hours quick: one connection, one clock, and answers that are read once.

A quarter has two thousand evaluations of each sensor. Nothing but the simulation itself changes the data between them,
so what it has not changed since is not read again.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

import dagster as dg

from market_pipeline_tests.pipeline import clock_at


class Runs:
    """The runs of an instance; the same question is asked again only after another run was recorded."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance, self.ask = instance, instance.get_runs
        self.answers: dict[str, Sequence[dg.DagsterRun]] = {}

    def get_runs(self, *arguments: Any, **named: Any) -> Sequence[dg.DagsterRun]:
        question = f"{arguments} {named}"
        if question not in self.answers:
            self.answers[question] = self.ask(*arguments, **named)
        return self.answers[question]

    def end(self, job: str, tags: dict[str, str], *, succeeded: bool) -> None:
        """Record a run that has ended, where the sensors look for it."""

        @dg.job(name=job)
        def empty() -> None:
            pass

        status = dg.DagsterRunStatus.SUCCESS if succeeded else dg.DagsterRunStatus.FAILURE
        self.instance.create_run_for_job(empty, status=status, tags=tags)
        self.answers.clear()


class Clock:
    """The time of assets and sensors while it is `running`; `moment` is read and set."""

    def __init__(self, moment: dt.datetime) -> None:
        self.clock = clock_at(moment)
        self.moment = moment

    def set(self, moment: dt.datetime) -> None:
        self.moment = self.clock.datetime.now.return_value = moment

    @contextmanager
    def running(self) -> Iterator[None]:
        with (
            mock.patch("market_pipeline.prices.assets.dt", self.clock),
            mock.patch("market_pipeline.orchestration.sensors.dt", self.clock),
        ):
            yield


@contextmanager
def quick(runs: Runs, resources: Any) -> Iterator[None]:
    """Schedules share the `resources` of a context, where each evaluation would make an instance; runs are `runs`."""
    with (
        mock.patch.object(runs.instance, "get_runs", runs.get_runs),
        mock.patch.object(dg.ScheduleEvaluationContext, "resources", resources),
    ):
        yield
