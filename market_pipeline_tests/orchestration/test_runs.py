"""What is followed of a run: the parts that are done, the newest line of its log, the cause of its failure."""

from collections.abc import Iterator

import dagster as dg
import pytest

from market_pipeline.errors import SourceError
from market_pipeline.orchestration.runs import RunLog

PARTS = {"months": 3, "one": 1, "short": 4, "broken": 2, "broken_later": 1}


@dg.op(out=dg.Out(dg.Nothing))
def months(context: dg.OpExecutionContext) -> None:
    for month in ("2024-01", "2024-02", "2024-03", "2024-04"):
        context.log.info("trained for %s", month)


@dg.op(ins={"before": dg.In(dg.Nothing)}, out=dg.Out(dg.Nothing))
def one(context: dg.OpExecutionContext) -> None:
    context.log.info("prices")


@dg.op(ins={"before": dg.In(dg.Nothing)}, out=dg.Out(dg.Nothing))
def short(context: dg.OpExecutionContext) -> None:
    context.log.info("nothing but one line")


@dg.op(ins={"before": dg.In(dg.Nothing)})
def broken(context: dg.OpExecutionContext) -> None:
    context.log.info("about to fail")
    raise SourceError("files holds no .csv.")


@dg.op(ins={"before": dg.In(dg.Nothing)})
def broken_later() -> None:
    raise OSError(28, "No space left on device")


@dg.job
def chain() -> None:
    done = short(one(months()))
    broken(done)
    broken_later(done)


@pytest.fixture(scope="module")
def events() -> list[dg.EventLogEntry]:
    """Everything that a real run logs, in order."""
    with dg.DagsterInstance.ephemeral() as instance:
        result = chain.execute_in_process(instance=instance, raise_on_error=False)
        return instance.all_logs(result.run_id)


def followed(events: list[dg.EventLogEntry]) -> Iterator[tuple[dg.EventLogEntry, RunLog]]:
    """Each event with the log once it has taken it."""
    log = RunLog(PARTS)
    for event in events:
        log.take(event)
        yield event, log


def test_a_line_is_a_part_of_a_step_with_several_and_the_end_of_a_step_fills_it_up(
    events: list[dg.EventLogEntry],
) -> None:
    done = {}
    for event, log in followed(events):
        what = event.user_message if event.dagster_event is None else event.dagster_event.event_type_value
        done[event.step_key, what] = log.done
    assert [done["months", f"trained for 2024-0{month}"] for month in (1, 2, 3)] == [1, 2, 3]
    assert done["months", "trained for 2024-04"] == 3  # more lines than parts
    assert done["months", "STEP_SUCCESS"] == 3
    assert (done["one", "prices"], done["one", "STEP_SUCCESS"]) == (3, 4)  # a step of one part has it at its end
    assert (done["short", "nothing but one line"], done["short", "STEP_SUCCESS"]) == (5, 8)
    assert done["broken", "about to fail"] == done["broken", "STEP_FAILURE"] == 9  # no success: what it had remains
    assert done["broken_later", "STEP_FAILURE"] == 9


def test_a_step_that_nobody_counts_adds_nothing(events: list[dg.EventLogEntry]) -> None:
    log = RunLog({"one": 2})
    for event in events:
        log.take(event)
    assert log.done == 2


def test_the_newest_line_is_kept_and_the_message_of_the_first_failure(events: list[dg.EventLogEntry]) -> None:
    lines, failures = [], []
    for _, log in followed(events):
        lines.append(log.newest)
        failures.append(log.failure)
    assert list(dict.fromkeys(lines))[-2:] == ["nothing but one line", "about to fail"]
    assert list(dict.fromkeys(failures)) == ["", "files holds no .csv."]
    log = RunLog(PARTS)
    for event in events:
        if event.step_key == "broken_later":
            log.take(event)
    assert log.failure.endswith(
        "No space left on device. Fix that, then run the command again; what was stored is whole."
    )
