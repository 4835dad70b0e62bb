"""Runs of several markets: two at once, each in its own process, and the mart of all after them."""

import datetime as dt
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import dagster as dg

from market_pipeline.config.settings import Settings
from market_pipeline.mart.read import query
from market_pipeline.orchestration.instance import open_instance
from market_pipeline.orchestration.processes import PROCESS
from market_pipeline_tests.cli.test_commands import command

Found = TypeVar("Found")
TODAY = dt.datetime.now(dt.UTC).date()
START = TODAY - dt.timedelta(days=300)
TWO = "".join(
    f'[{name}]\ncalendar = "24/7"\nstart = {START}\nsymbols = ["WALK1-USD", "SIM1-USD"]\nsettle_minutes = 0\n'
    for name in ("coins", "tokens")
)


def loaded(folder: Path, *markets: str) -> Path:
    """The data directory with bars and indicators of some markets until the day before the newest closed session."""
    until = str(TODAY - dt.timedelta(days=2))
    for market in markets:
        loading = ("--start", str(START), "--end", until, "--assets", "prices,indicators")
        result = command(folder, "backfill", "--market", market, *loading, config=TWO)
        assert result.returncode == 0, result.stderr
    return folder / "data"


def processes_by_market(home: Path) -> dict[str, set[str]]:
    """The processes that executed the runs of each market, and those of the mart."""
    with open_instance(Settings(home, "simulated")) as instance:
        runs = instance.get_runs()
    found = dict[str, set[str]]()
    for run in runs:
        for key in run.asset_selection or ():
            found.setdefault(key.path[0], set()).add(run.tags[PROCESS])
    return found


def test_two_markets_are_computed_in_their_own_processes_and_published_once(tmp_path: Path) -> None:
    home = loaded(tmp_path, "coins", "tokens")
    before = processes_by_market(home)
    result = command(tmp_path, "run", config=TWO)
    assert (result.returncode, result.stderr) == (0, ""), result.stdout + result.stderr
    found = {name: processes - before.get(name, set()) for name, processes in processes_by_market(home).items()}
    assert len(found["coins"] | found["tokens"] | found["mart"]) == 3
    assert result.stdout.count("mart,") == 1
    markets = query(home / "mart.duckdb", "select distinct market from forecasts order by 1")["market"].to_pylist()
    assert markets == ["coins", "tokens"]


def test_a_market_that_fails_stops_no_other_and_is_named_at_the_end(tmp_path: Path) -> None:
    home = loaded(tmp_path, "tokens")
    result = command(tmp_path, "run", config=TWO)
    assert result.returncode == 1
    assert result.stderr.startswith("Error: coins: ")
    assert "were never loaded" in result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    assert query(home / "mart.duckdb", "select distinct market from forecasts")["market"].to_pylist() == ["tokens"]


def test_a_process_that_is_killed_is_a_failure_of_its_market_alone(tmp_path: Path) -> None:
    home = loaded(tmp_path, "coins", "tokens")
    with started(tmp_path, home) as running:
        children = waited(lambda: children_of(running.pid), 2)
        os.kill(children[0], signal.SIGKILL)
        _, errors = running.communicate(timeout=300)
    assert running.returncode == 1
    assert "was ended from outside" in errors
    assert len(query(home / "mart.duckdb", "select distinct market from forecasts")) == 1


def test_an_interrupt_ends_the_processes_of_both_markets_and_cancels_their_runs(tmp_path: Path) -> None:
    home = loaded(tmp_path, "coins", "tokens")
    with started(tmp_path, home) as running:
        children = waited(lambda: children_of(running.pid), 2)
        waited(lambda: statuses(home, dg.DagsterRunStatus.STARTED), 2)
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=60)
    assert running.returncode == 1
    assert errors.count("Interrupted") == 1
    assert not any(Path("/proc", str(child)).exists() for child in children)
    assert len(statuses(home, dg.DagsterRunStatus.CANCELED)) == 2


def started(folder: Path, home: Path) -> "subprocess.Popen[str]":
    environment = os.environ | {
        "MARKET_PIPELINE_HOME": str(home),
        "MARKET_PIPELINE_SOURCE": "simulated",
        "MARKET_PIPELINE_CONFIG": str(folder / "markets.toml"),
    }
    line = [sys.executable, "-m", "market_pipeline.cli", "run"]
    return subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def children_of(process: int) -> list[int]:
    """Its child processes that execute runs of a market."""
    children = Path("/proc", str(process), "task", str(process), "children").read_text(encoding="utf-8").split()
    return [int(one) for one in children if b"spawn_main" in Path("/proc", one, "cmdline").read_bytes()]


def statuses(home: Path, wanted: dg.DagsterRunStatus) -> list[dg.DagsterRunStatus]:
    """The status of each run that has it."""
    with open_instance(Settings(home, "simulated")) as instance:
        return [run.status for run in instance.get_runs(dg.RunsFilter(statuses=[wanted]))]


def waited(look: Callable[[], list[Found]], count: int) -> list[Found]:
    """What `look` finds, once it is as much."""
    until = time.monotonic() + 60
    while len(found := look()) < count:
        assert time.monotonic() < until, found
        time.sleep(0.05)
    return found
