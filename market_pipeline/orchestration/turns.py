"""Turns: runs of one market exclude each other, but for ranges of assets that several hosts may compute at once.

Each asset of a market is in the market's pool: the server starts no run of a market while another one is under way. A
command executes its run itself and does not wait in the server's queue; so each process that executes a run also holds
a lock of the market, which is free when the process ends, however it ends.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES  # no public names
from dagster._core.storage.tags import POOL_TAG_PREFIX

from market_pipeline.compute.market_lock import market_lock
from market_pipeline.config.markets import Market
from market_pipeline.orchestration.chain import ASSETS


def turns_of(steps: Iterable[str]) -> Mapping[str, bool]:
    """The markets of a run's steps, in the order in which their turns are taken, and whether each turn is shared.

    It is if every asset of the market may be computed in several ranges at once.
    """
    named = [step.rpartition("__")[::2] for step in steps]
    assets = [(market, ASSETS[asset]) for market, asset in named if market and asset in ASSETS]
    return {
        market: all(asset.at_most for other, asset in assets if other == market)
        for market in sorted({market for market, _ in assets})
    }


@contextmanager
def turn(
    instance: dg.DagsterInstance, market: str, report: Callable[[str], object], *, shared: bool = False
) -> Iterator[None]:
    """Hold the turn of a market; waits for it as long as needed, and reports once that it does."""

    def waiting() -> None:
        report(f"{market}: waits until another run of the market has ended.")

    with market_lock(Path(instance.root_directory, "turns"), market, waiting, shared=shared):
        yield


def under_way(instance: dg.DagsterInstance, market: Market) -> str | None:
    """A sentence on a run of the market that is queued or under way; None if there is none."""
    unfinished = dg.RunsFilter(tags={f"{POOL_TAG_PREFIX}{market.name}": "true"}, statuses=NOT_FINISHED_STATUSES)
    run = next(iter(instance.get_runs(unfinished, limit=1)), None)
    return None if run is None else f"Run {run.run_id} of {market.name} is {run.status.value.lower()}; it goes first."
