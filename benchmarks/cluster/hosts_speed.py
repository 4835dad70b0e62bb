"""How much faster two workers are than one: models and forecasts of a year, as on a machine with three cores.

    .venv-cluster/bin/python -m benchmarks.cluster.hosts_speed [--symbols 100] [--rounds 2]

As root, on a machine with two cores and without other load. Each worker is pinned to a core of its own and has two
thirds of it; everything else together (catalogue, store, Ray's head, code, daemon, the command) has two thirds of a
core in either case. So the second worker brings a core, and takes nothing from the rest. The rounds alternate between
one worker and two, each on a new cluster, and the tables of both must be equal.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from market_pipeline_tests.cluster.compose_cluster import cluster
from market_pipeline_tests.cluster.hosts import lacking
from market_pipeline_tests.cluster.share import DIGESTS, HOUR, Share, variables_of
from market_pipeline_tests.pages import TOP

MARKET = "stocks"
WORKERS = {"worker-1": 0, "worker-2": 1}
STEPS = ("models", "forecasts")

PERIOD = 30_000
QUOTA = 20_000
"""Microseconds of each PERIOD for which the processes of a group may run, on all cores together."""

ENTER = 'echo $$ > "$0"; exec "$@"'
"""Starts a command, as `sh -c`, within the group whose list of processes is its first argument."""


def group(name: str) -> Path:
    """The list of processes of a new control group with QUOTA, of either version of control groups."""
    top = Path("/sys/fs/cgroup")
    if unified := (top / "cgroup.controllers").exists():
        (top / "cgroup.subtree_control").write_text("+cpu", encoding="utf-8")
    folder = top / ("" if unified else "cpu") / f"market-pipeline-{name}"
    folder.mkdir(exist_ok=True)
    limits = {"cpu.max": f"{QUOTA} {PERIOD}"} if unified else {"cpu.cfs_period_us": PERIOD, "cpu.cfs_quota_us": QUOTA}
    for file, limit in limits.items():
        (folder / file).write_text(str(limit), encoding="utf-8")
    return folder / "cgroup.procs"


def measured(share: Share, folder: Path, workers: int) -> tuple[dict[str, float], str]:
    """The seconds of each step on a new cluster with so many workers, and the digests of its tables."""
    used = dict(list(WORKERS.items())[:workers])
    without = [name for name in WORKERS if name not in used]
    share.write(folder / "share")
    variables = variables_of(folder / "share")
    started = {
        name: ["sh", "-c", ENTER, str(group(name)), "taskset", "--cpu-list", str(core)] for name, core in used.items()
    }
    with cluster(folder / "hosts", variables, started_by=started, without=[*without, "web"]) as made:
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
    asked = parser.parse_args()
    if reason := lacking():
        sys.exit(f"This machine lacks {reason}.")
    group("rest").write_text(str(os.getpid()), encoding="utf-8")  # all that starts from here inherits it
    share = Share(asked.symbols, 1, "2024-01-02", "2024-12-31")
    every = dict[int, list[dict[str, float]]]()
    digests = set[str]()
    for _ in range(asked.rounds):
        for workers in (1, 2):
            with tempfile.TemporaryDirectory(prefix="market-pipeline-hosts-") as folder:
                seconds, digest = measured(share, Path(folder), workers)
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
