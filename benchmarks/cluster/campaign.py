"""What the trials share: a running cluster, the work that is disturbed, and the digests that must result."""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.digests import digests
from market_pipeline_tests.cluster.compose_cluster import Cluster, cluster
from market_pipeline_tests.cluster.disks import disk_at
from market_pipeline_tests.cluster.share import DIGESTS, HOUR, MARKETS, Share, on_one_host, variables_of
from market_pipeline_tests.pages import TOP

HOLD = 30.0
"""Seconds for which something is away."""

ATTEMPTS = 5
"""Commands until one succeeds; more are a fault."""

STARTED = """
import dagster as dg
under_way = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
runs = dg.DagsterInstance.get().get_runs(under_way)
print(*(run.tags["market_pipeline/host"] for run in runs if "market_pipeline/host" in run.tags))
"""


@dataclass
class Campaign:
    """One cluster for all trials; after each, its tables are compared with those of one host."""

    cluster: Cluster
    share: Share
    expected: Mapping[str, tuple[int, str]]
    disk: Path
    """Of the store."""
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(4))

    def backfill(self, market: str) -> "Future[str]":
        """The work of a market, begun."""
        return self.pool.submit(self.cluster.run, "code", self.share.command(market), seconds=HOUR)

    def differing(self) -> list[str]:
        """The tables that are not those of one host."""
        return [table for table, content in self.contents().items() if content != self.expected[table]]

    def contents(self) -> dict[str, tuple[int, str]]:
        found = json.loads(self.python("code", DIGESTS, "repeated"))
        return {table: tuple(content) for table, content in found.items()}

    def python(self, host: str, code: str, *arguments: str) -> str:
        """What a program prints on a host."""
        home = "/srv/market-pipeline/dagster"
        return self.cluster.run(host, ["python", "-c", code, *arguments], PYTHONPATH=str(TOP), DAGSTER_HOME=home)

    def module(self, host: str, *arguments: str) -> str:
        """What a module prints on a host."""
        return self.cluster.run(host, ["python", "-m", *arguments], seconds=HOUR, PYTHONPATH=str(TOP))

    def executing(self) -> str:
        """The host that executes a run, once there is one."""
        until = time.monotonic() + HOUR
        while time.monotonic() < until:
            if hosts := self.python("code", STARTED).split():
                return hosts[0]
            time.sleep(2)
        raise AssertionError("no run began")

    def disturbed(self, fault: Callable[[], object], repair: Callable[[], object]) -> dict[str, float]:
        """Figures of a backfill in whose middle something is away for HOLD seconds."""
        began, commands = time.monotonic(), 1
        work = self.backfill(MARKETS[0])
        self.executing()
        fault()
        time.sleep(HOLD)
        repair()
        while (error := work.exception()) and commands < ATTEMPTS:
            sys.stderr.write(f"the command ended: {str(error)[:300]}\n")
            commands, work = commands + 1, self.backfill(MARKETS[0])
        work.result()
        seconds, differing = time.monotonic() - began, self.differing()
        sys.stderr.write(f"tables that differ: {', '.join(differing) or 'none'}\n")
        return {"commands": commands, "seconds": seconds, "tables that differ": len(differing)}


@contextmanager
def campaign(share: Share, **options: object) -> Iterator[Campaign]:
    """A cluster that holds the share already, as one host computes it, too."""
    with tempfile.TemporaryDirectory(prefix="market-pipeline-cluster-") as temporary:
        folder = Path(temporary)
        share.write(folder / "share")
        on_one_host(share, folder / "share")
        with (
            disk_at(folder / "hosts" / "volumes" / "store") as disk,
            cluster(folder / "hosts", variables_of(folder / "share"), **options) as made,
        ):
            campaign = Campaign(made, share, digests(folder / "share" / "one", counted=False), disk)
            for market in MARKETS:
                campaign.backfill(market).result()
            yield campaign
