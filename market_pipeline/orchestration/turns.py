"""Turns: runs of one market exclude each other.

Each asset of a market is in the market's pool: the server starts no run of a market while another one is under way. A
command executes its run itself and does not wait in the server's queue; so each process that executes a run also holds
a lock of the market, which the system releases when the process ends, however it ends.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES  # no public names
from dagster._core.storage.tags import POOL_TAG_PREFIX
from filelock import FileLock, Timeout

from market_pipeline.config.markets import Market

PATIENCE = 1.0
"""Seconds after which a run reports that it waits."""


def markets_of(run: dg.DagsterRun) -> list[str]:
    """The markets of a run, in the order in which their turns are taken."""
    return sorted((run.run_op_concurrency and run.run_op_concurrency.all_pools) or ())


@contextmanager
def turn(instance: dg.DagsterInstance, market: str, report: Callable[[str], object]) -> Iterator[None]:
    """Hold the turn of a market; waits for it as long as needed, and reports once that it does."""
    lock = FileLock(Path(instance.root_directory, "turns", f"{market}.lock"), thread_local=False)
    try:
        lock.acquire(timeout=PATIENCE)
    except Timeout:
        report(f"{market}: waits until another run of the market has ended.")
        lock.acquire(poll_interval=PATIENCE)
    try:
        yield
    finally:
        lock.release()


def under_way(instance: dg.DagsterInstance, market: Market) -> str | None:
    """A sentence on a run of the market that is queued or under way; None if there is none."""
    unfinished = dg.RunsFilter(tags={f"{POOL_TAG_PREFIX}{market.name}": "true"}, statuses=NOT_FINISHED_STATUSES)
    run = next(iter(instance.get_runs(unfinished, limit=1)), None)
    return None if run is None else f"Run {run.run_id} of {market.name} is {run.status.value.lower()}; it goes first."
