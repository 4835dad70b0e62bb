"""The faults, each with its figures."""

import json
import random
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from benchmarks.cluster.campaign import HOLD, Campaign
from benchmarks.cluster.writers import EVERY, SYMBOLS
from market_pipeline_tests.cluster.disks import enlarge, fill
from market_pipeline_tests.cluster.share import HOUR, MARKETS

Figures = Mapping[str, float]
PUBLICATIONS = 20
KILLS = 12
WRITES = 100
REFUSED = b"ERROR : serve s3: "
"""What the store's log has of each write that it refused."""

READS = """
import pathlib, sys
from market_pipeline import mart
end, read, failed = pathlib.Path(sys.argv[1]), 0, 0
while not end.exists():
    try:
        assert len(mart.leaderboard()) and mart.sql("select count(*) as n from scores").n[0]
        read += 1
    except Exception as error:
        failed += 1
        print(type(error).__name__, error, file=sys.stderr)
print(read, failed)
"""


@dataclass(frozen=True)
class Trial:
    """One fault; `run` returns figures, of which those that must be 0 are named `tables that differ`, `lost`, …"""

    name: str
    title: str
    run: Callable[[Campaign], Figures]


def two_writers(campaign: Campaign) -> Figures:
    """Two hosts write each new partition at the same moment."""
    at = str(time.time() + 20)

    def begun(host: str, writer: str) -> "Future[str]":
        return campaign.pool.submit(campaign.module, host, "benchmarks.cluster.writers", writer, at, str(WRITES))

    both = [begun("worker-1", "1"), begun("worker-2", "2")]
    acknowledged = [len(json.loads(one.result())) for one in both]
    found = json.loads(campaign.module("code", "benchmarks.cluster.writers", "found"))
    return {
        "acknowledged": sum(acknowledged),
        "repeated keys": found["rows"] - found["keys"],
        "lost partitions": WRITES - found["sessions"],
        "lost rows": WRITES * len(SYMBOLS) - found["keys"],
        "mixed partitions": found["mixed"],
    }


def killed_in_commits(campaign: Campaign) -> Figures:
    """A host loses its power while it writes, KILLS times."""
    draw, incomplete = random.Random(17), 0
    for _ in range(KILLS):
        writing = campaign.pool.submit(
            campaign.module, "worker-1", "benchmarks.cluster.writers", "3", str(time.time()), str(WRITES)
        )
        time.sleep(10 + draw.random() * 2 * EVERY)
        campaign.cluster.kill("worker-1")
        writing.exception()
        campaign.cluster.start_service("worker-1")
        found = json.loads(campaign.module("code", "benchmarks.cluster.writers", "found"))
        incomplete += found["rows"] != found["keys"] or found["keys"] != found["sessions"] * len(SYMBOLS)
    return {"kills": KILLS, "states with a part of a partition": incomplete}


def killed_host(campaign: Campaign) -> Figures:
    """The host that executes a run loses its power, and is back after HOLD seconds."""
    host = list[str]()

    def kill() -> None:
        host.append(campaign.executing())
        campaign.cluster.kill(host[0])

    return campaign.disturbed(kill, lambda: campaign.cluster.start_service(host[0]))


def killed_fits(campaign: Campaign) -> Figures:
    """The other worker's host, which only fits, loses its power."""
    host = list[str]()

    def kill() -> None:
        host.append("worker-2" if campaign.executing() == "worker-1" else "worker-1")
        campaign.cluster.kill(host[0])

    return campaign.disturbed(kill, lambda: campaign.cluster.start_service(host[0]))


def cut_link(campaign: Campaign) -> Figures:
    """The cable of the host that executes a run is pulled."""
    network, host = campaign.cluster.network, list[str]()

    def cut() -> None:
        host.append(campaign.executing())
        network.cut(host[0])

    return campaign.disturbed(cut, lambda: network.join(host[0]))


def stopped(service: str) -> Callable[[Campaign], Figures]:
    """A service is away."""

    def run(campaign: Campaign) -> Figures:
        return campaign.disturbed(
            lambda: campaign.cluster.kill(service), lambda: campaign.cluster.start_service(service)
        )

    return run


def full_store(campaign: Campaign) -> Figures:
    """The store's disk has no space for a new object, for HOLD seconds from the first write that it refuses."""

    log = campaign.cluster.folder / "store.log"
    earlier = log.stat().st_size  # of other trials

    def refused() -> int:
        return log.read_bytes()[earlier:].count(REFUSED)

    def fill_until_refused() -> None:
        fill(campaign.disk)
        until = time.monotonic() + HOUR
        while not refused():
            assert time.monotonic() < until, "nothing was written"
            time.sleep(1)

    figures = campaign.disturbed(fill_until_refused, lambda: enlarge(campaign.disk))
    return {**figures, "refused writes": refused()}


def read_while_published(campaign: Campaign) -> Figures:
    """A reader reads without a pause while the mart is published."""
    end = campaign.cluster.folder / "published"
    reading = campaign.pool.submit(campaign.python, "reader", READS, str(end))
    command = [*campaign.share.command(MARKETS[0]), "--assets", "mart"]
    command[command.index("--start") + 1] = campaign.share.last
    try:
        for _ in range(PUBLICATIONS):
            campaign.cluster.run("code", command)
    finally:
        end.touch()
    read, failed = map(int, reading.result().split())
    return {"publications": PUBLICATIONS, "readings": read, "failed readings": failed}


TRIALS = (
    Trial("C2", "the host of a run is killed", killed_host),
    Trial("C3", "the host of fits is killed", killed_fits),
    Trial("C5", f"the link of a run's host is cut for {HOLD:.0f} s", cut_link),
    Trial("C6", f"Postgres is stopped for {HOLD:.0f} s", stopped("catalog")),
    Trial("C7", f"the store is stopped for {HOLD:.0f} s", stopped("store")),
    Trial("C9", f"the store is full for {HOLD:.0f} s", full_store),
    Trial("C8", f"a reader during {PUBLICATIONS} publications", read_while_published),
    # These two add rows of their own, which the others would find.
    Trial("C1", f"two writers of one new partition, {WRITES} times", two_writers),
    Trial("C4", f"a host is killed while it writes, {KILLS} times", killed_in_commits),
)
