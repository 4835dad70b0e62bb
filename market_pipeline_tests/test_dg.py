"""Dagster's own command `dg`, in a clone: it checks, lists and serves the definitions."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

from market_pipeline.config.settings import Settings
from market_pipeline.orchestration.instance import open_instance
from market_pipeline.orchestration.server.workspace import DEFINITIONS
from market_pipeline_tests.pages import TOP

PROGRAM = str(Path(sys.executable).with_name("dg"))
PATIENCE = 120
LOCATIONS = "{ workspaceOrError { ... on Workspace { locationEntries { name locationOrLoadError { __typename } } } } }"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The variables of a shell with the environment of the clone, and a data directory."""
    data = tmp_path / "data"
    with open_instance(Settings(home=data, source="simulated")):
        pass
    return os.environ | {
        "DAGSTER_HOME": str(data / "dagster"),
        "MARKET_PIPELINE_HOME": str(data),
        "MARKET_PIPELINE_SOURCE": "simulated",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "VIRTUAL_ENV": sys.prefix,
    }


def dg(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *arguments], cwd=TOP, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def test_dg_finds_nothing_wrong(environment: dict[str, str]) -> None:
    for checked in (["check", "defs"], ["check", "toml"]):
        ended = dg(environment, *checked)
        assert ended.returncode == 0, ended.stdout + ended.stderr


def test_dg_lists_every_asset(environment: dict[str, str]) -> None:
    ended = dg(environment, "list", "defs", "--json")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    keys = {asset["asset_key"] for asset in json.loads(ended.stdout)["assets"]}
    assert {"stocks/prices", "stocks/leaderboard", "crypto/models", "mart"} <= keys


def test_dg_serves_the_location_that_the_ui_serves(environment: dict[str, str], tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    line = [PROGRAM, "dev", "--host", "127.0.0.1", "--port", str(port)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(line, cwd=TOP, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        end = time.monotonic() + PATIENCE
        while not (found := locations(port)):
            assert process.poll() is None, (tmp_path / "log").read_text()[-3000:]
            assert time.monotonic() < end, (tmp_path / "log").read_text()[-3000:]
            time.sleep(0.5)
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(PATIENCE)
    assert found == {DEFINITIONS: "RepositoryLocation"}


def locations(port: int) -> dict[str, str]:
    """Each code location with what it was loaded as; none while nothing answers."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql",
        json.dumps({"query": LOCATIONS}).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            entries = json.load(answer)["data"]["workspaceOrError"]["locationEntries"]
    except OSError:
        return {}
    return {entry["name"]: entry["locationOrLoadError"]["__typename"] for entry in entries}
