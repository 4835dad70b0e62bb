"""How much faster two workers are than one, each pinned to a core of its own: models and forecasts of a year.

    .venv-cluster/bin/python -m benchmarks.cluster.hosts_speed [--symbols 100] [--rounds 2] [--share 0.6]

As root, on a machine without other load. The rounds alternate between one worker and two, each on a new cluster, and
the tables of both must be equal. Everything else (catalogue, store, Ray's head, code, daemon) takes what it needs of
both cores. With two cores, two workers therefore share theirs with it, and one worker does not; --share gives each
worker that part of its core, by a control group, so that the rest is free for the others in both cases.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from market_pipeline_tests.cluster.compose_cluster import cluster
from market_pipeline_tests.cluster.hosts import lacking
from market_pipeline_tests.cluster.share import DIGESTS, HOUR, Share, variables_of
from market_pipeline_tests.pages import TOP

MARKET = "stocks"
WORKERS = {"worker-1": 0, "worker-2": 1}
STEPS = ("models", "forecasts")

CONTROL = Path("/sys/fs/cgroup/cpu")
"""The control groups of processors, of version 1."""

PERIOD = 20_000
"""Microseconds within which a group gets its part."""


@contextmanager
def limited(worker: str, core: int, part: float) -> Iterator[list[str]]:
    """What starts a worker on one core, of which it may use a part."""
    pinned = ["taskset", "--cpu-list", str(core)]
    if part == 1:
        yield pinned
        return
    group = CONTROL / f"market-pipeline-{worker}"
    group.mkdir(exist_ok=True)
    try:
        (group / "cpu.cfs_period_us").write_text(str(PERIOD))
        (group / "cpu.cfs_quota_us").write_text(str(round(PERIOD * part)))
        yield ["sh", "-c", 'echo $$ > "$0"; exec "$@"', str(group / "cgroup.procs"), *pinned]
    finally:
        group.rmdir()


def measured(share: Share, folder: Path, workers: int, part: float) -> tuple[dict[str, float], str]:
    """The seconds of each step on a new cluster with so many workers, and the digests of its tables."""
    without = list(WORKERS)[workers:]
    share.write(folder / "share")
    variables = variables_of(folder / "share")
    with ExitStack() as stack:
        used = {name: core for name, core in WORKERS.items() if name not in without}
        started = {name: stack.enter_context(limited(name, core, part)) for name, core in used.items()}
        made = stack.enter_context(cluster(folder / "hosts", variables, started_by=started, without=[*without, "web"]))
        command = share.command(MARKET)
        made.run("code", share.loading(MARKET), seconds=HOUR)
        seconds = {}
        for step in STEPS:
            began = time.perf_counter()
            made.run("code", [*command, "--assets", step], seconds=HOUR)
            seconds[step] = time.perf_counter() - began
        found = json.loads(made.run("code", ["python", "-c", DIGESTS], PYTHONPATH=str(TOP)))
        return seconds, json.dumps(found, sort_keys=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="The time of a year of models and forecasts by one and two workers.")
    parser.add_argument("--symbols", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--share", type=float, default=1.0, help="the part of its core that a worker may use")
    asked = parser.parse_args()
    if reason := lacking():
        sys.exit(f"This machine lacks {reason}.")
    share = Share(asked.symbols, 1, "2024-01-02", "2024-12-31")
    every = dict[int, list[dict[str, float]]]()
    digests = set[str]()
    for _ in range(asked.rounds):
        for workers in (1, 2):
            with tempfile.TemporaryDirectory(prefix="market-pipeline-hosts-") as folder:
                seconds, digest = measured(share, Path(folder), workers, asked.share)
            every.setdefault(workers, []).append(seconds)
            digests.add(digest)
            print(workers, {step: round(value, 1) for step, value in seconds.items()}, flush=True)
    print(f"equal tables: {len(digests) == 1}")
    print("| step | one worker | two workers | times as fast |\n|---|---|---|---|")
    medians = {
        workers: [statistics.median(round_[step] for round_ in rounds) for step in STEPS]
        for workers, rounds in every.items()
    }
    for step, one, two in zip((*STEPS, "both"), *([*row, sum(row)] for row in medians.values()), strict=True):
        print(f"| {step} | {one:.0f} s | {two:.0f} s | {one / two:.2f} |")


if __name__ == "__main__":
    main()
