"""Whole runs on a real Ray cluster: the server in its processes, the instance and the lake in a real Postgres."""

import datetime as dt
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path

import dagster as dg
import psutil
import pytest
from rich.console import Console

from market_pipeline.cli.run import materialise, planned_runs
from market_pipeline.config.markets import Market
from market_pipeline.config.markets_file import configured_markets
from market_pipeline.config.settings import Settings
from market_pipeline.orchestration.chain import ASSETS
from market_pipeline.orchestration.instance import open_instance
from market_pipeline.orchestration.processes import PROCESS
from market_pipeline.storage.selection import open_warehouse
from market_pipeline_tests.cluster import services
from market_pipeline_tests.cluster.ray_cluster import ray_cluster
from market_pipeline_tests.pipeline import CONTENT, SMALL

FIRST, LAST = dt.date(2024, 1, 2), dt.date(2024, 2, 29)
PATIENCE = 300.0
"""Seconds for what takes a few on an idle machine."""


@dataclass
class Site:
    """A server, and a cluster that executes its runs."""

    settings: Settings
    instance: dg.DagsterInstance

    @property
    def market(self) -> Market:
        return configured_markets(self.settings)[0]

    def compute(self, *assets: str, first: dt.date = FIRST, last: dt.date = LAST) -> list[dict[str, object]]:
        """What the command does, and what it shows."""
        planned = planned_runs(self.settings, self.market, first, last, assets, from_start=True)
        return materialise(Console(file=StringIO()), self.settings, planned)

    def digests(self) -> dict[str, object]:
        warehouse = open_warehouse(self.settings)
        return {table: warehouse.digest(f"select {columns} from {table}") for table, columns in CONTENT.items()}


@pytest.fixture(scope="module")
def site(catalogue: services.Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    (folder / "markets.toml").write_text(SMALL, encoding="utf-8")
    environment = {
        "MARKET_PIPELINE_HOME": str(folder / "host"),
        "MARKET_PIPELINE_SOURCE": "simulated",
        "MARKET_PIPELINE_CONFIG": str(folder / "markets.toml"),
        "MARKET_PIPELINE_WAREHOUSE": f"ducklake:postgres:{catalogue.make_database()}",
        "MARKET_PIPELINE_STORE": str(folder / "store"),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        with ray_cluster(cpus=2, runs=2) as cluster:
            patch.setenv("MARKET_PIPELINE_COMPUTE", cluster.address)
            settings = Settings.from_environment()
            with open_instance(settings) as instance, server(folder):
                yield Site(settings, instance)


class server:  # noqa: N801  a context manager
    """The code process and the daemon."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.processes = folder, list[subprocess.Popen[bytes]]()

    def __enter__(self) -> None:
        program = str(Path(sys.executable).with_name("market-pipeline"))
        where = ["--code", f"127.0.0.1:{services.free_port()}"]
        for name in ("code", "daemon"):
            with (self.folder / f"{name}.log").open("w") as log:
                line = [program, "serve", name, *where]
                self.processes.append(subprocess.Popen(line, stdout=log, stderr=log, start_new_session=True))
        services.wait_for(*where[1].split(":"), seconds=PATIENCE)

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until(found: object, seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end
        time.sleep(0.5)


def test_a_backfill_in_pieces_on_the_cluster_has_the_tables_of_one_host(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ASSETS, "models", replace(ASSETS["models"], at_most=1))
    monkeypatch.setitem(ASSETS, "forecasts", replace(ASSETS["forecasts"], at_most=21))
    wait_until(site.instance.get_daemon_heartbeats)
    done = site.compute(*ASSETS)
    assert [run["assets"] for run in done] == [
        ("prices", "indicators"), ("models",), ("forecasts",), ("scores",), ("leaderboard", "signals", "mart"),
    ]  # fmt: skip
    runs = site.instance.get_runs()
    assert {run.status.value for run in runs} == {"SUCCESS"}
    assert len(runs) == 1 + 2 + 2 + 1 + 1
    assert {run.tags[PROCESS] for run in runs}.isdisjoint({str(os.getpid())})
    here = replace(site.settings, home=tmp_path, warehouse=None, store=None, compute="local")
    with monkeypatch.context() as laptop:
        for name in ("WAREHOUSE", "STORE", "COMPUTE"):
            laptop.delenv(f"MARKET_PIPELINE_{name}")
        alone = Site(here, open_instance(here))
        alone.compute(*ASSETS)
        expected = alone.digests()
    assert site.digests() == expected


def newest_process(site: Site, earlier: set[str]) -> psutil.Process | None:
    """The process of a run that is none of `earlier`, while it computes."""
    runs = [run for run in site.instance.get_runs() if run.run_id not in earlier and PROCESS in run.tags]
    return psutil.Process(int(runs[0].tags[PROCESS])) if runs and not runs[0].is_finished else None


def test_a_run_that_is_killed_is_repeated_and_the_command_follows_it(site: Site) -> None:
    earlier, before = {run.run_id for run in site.instance.get_runs()}, site.digests()
    with ThreadPoolExecutor(1) as pool:
        computing = pool.submit(site.compute, "models")
        wait_until(lambda: newest_process(site, earlier))
        found = newest_process(site, earlier)
        assert found
        found.kill()
        computing.result(PATIENCE)
    statuses = [run.status.value for run in site.instance.get_runs() if run.run_id not in earlier]
    assert statuses == ["SUCCESS", "FAILURE"]
    assert site.digests() == before


def test_a_run_that_is_lost_before_it_began_is_repeated(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = {run.run_id for run in site.instance.get_runs()}
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    site.compute("scores")
    [again, lost] = [run for run in site.instance.get_runs() if run.run_id not in earlier]
    assert (again.status.value, lost.status.value) == ("SUCCESS", "FAILURE")
    assert [entry for entry in site.instance.all_logs(lost.run_id) if "ended before it began" in entry.message]
