"""The Dagster UI as people use it: real web server and daemon, a real browser, a backfill through the server's API."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from market_pipeline.orchestration.chain import CHAIN
from market_pipeline.storage.warehouse import Warehouse

TWO_MARKETS = """
[stocks]
calendar = "XNYS"
start = 2024-01-02
symbols = ["WALK1", "SIM1"]
[crypto]
calendar = "24/7"
start = 2024-01-01
symbols = ["WALK3-USD"]
"""
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

LAUNCH = """
mutation($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
    ... on PartitionSetNotFoundError { message }
  }
}
"""
BACKFILL = """
query($id: String!) {
  partitionBackfillOrError(backfillId: $id) {
    ... on PartitionBackfill { status error { message } runs { id status } }
  }
}
"""
PARTITIONS = """
query($key: AssetKeyInput!) {
  assetNodeOrError(assetKey: $key) {
    ... on AssetNode { partitionStats { numMaterialized numFailed } }
  }
}
"""
AUTOMATION = """
{ repositoriesOrError { ... on RepositoryConnection { nodes {
  schedules { name scheduleState { status } } sensors { name sensorState { status } }
} } } }
"""


@dataclass
class Server:
    """A running web server with its daemon."""

    url: str
    warehouse: Path

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            content = json.load(answer)
        assert "errors" not in content, content["errors"]
        data: dict[str, Any] = content["data"]
        return data


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The processes of `make ui`, with a data directory of their own."""
    folder = tmp_path_factory.mktemp("ui")
    config = folder / "markets.toml"
    config.write_text(TWO_MARKETS, encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"HOME": str(folder / "data"), "SOURCE": "simulated", "CONFIG": str(config)}
    environment = {**os.environ, **{f"MARKET_PIPELINE_{name}": value for name, value in settings.items()}}
    line = [sys.executable, "-c", "from market_pipeline.cli.main import main; main()", "ui", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(line, env=environment, stdout=log, stderr=log, start_new_session=True)
    running = Server(f"http://127.0.0.1:{port}", folder / "data" / "warehouse.duckdb")
    try:
        wait_for(lambda: bool(answers(running)), 120, lambda: (folder / "log").read_text()[-2000:])
        yield running
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with suppress(ProcessLookupError):  # children that outlived the leader
            os.killpg(process.pid, signal.SIGKILL)


def answers(server: Server) -> list[Any]:
    try:
        nodes: list[Any] = server.ask(AUTOMATION)["repositoriesOrError"]["nodes"]
    except (OSError, KeyError):
        return []
    return nodes


def wait_for(done: Any, seconds: float, state: Any) -> None:
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, state()
        time.sleep(0.5)


def chromium() -> str:
    """The system's browser; where there is none the test skips, but not in CI."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    missing = "No Chromium found. Install it (apt-get install chromium) to see the UI tested in a browser."
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


def test_the_browser_shows_the_asset_graph_of_both_markets(server: Server) -> None:
    from playwright.sync_api import Route, sync_playwright

    foreign: list[str] = []

    def stay_here(route: Route) -> None:
        if route.request.url.startswith((server.url, "data:", "blob:")):
            route.continue_()
        else:
            foreign.append(route.request.url)
            route.abort()

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=QUIET)
        try:
            page = browser.new_page(viewport={"width": 2200, "height": 1400})
            page.route("**/*", stay_here)
            for market in ("stocks", "crypto"):
                page.goto(f"{server.url}/locations/market_pipeline.definitions/asset-groups/{market}")
                for asset in (
                    one.name for one in CHAIN if not one.optional
                ):  # on the graph: an asset's own page names what does not exist, too
                    page.get_by_text(asset, exact=True).first.wait_for(timeout=30_000)
        finally:
            browser.close()
    assert not foreign


def test_a_backfill_through_the_servers_api_is_one_run(server: Server) -> None:
    keys = [{"path": ["stocks", asset]} for asset in ("prices", "indicators")]
    span = {"start": "2024-01-02", "end": "2024-02-05"}
    by_assets = [{"assetKey": key, "partitions": {"range": span}} for key in keys]
    launched = server.ask(LAUNCH, params={"partitionsByAssets": by_assets})["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched

    def state() -> dict[str, Any]:
        found: dict[str, Any] = server.ask(BACKFILL, id=launched["backfillId"])["partitionBackfillOrError"]
        return found

    wait_for(lambda: state()["status"].startswith(("COMPLETED", "FAILED")), 150, lambda: str(state()))
    ended = state()
    assert ended["status"] == "COMPLETED_SUCCESS", ended
    assert [run["status"] for run in ended["runs"]] == ["SUCCESS"]
    for key in keys:
        stats = server.ask(PARTITIONS, key=key)["assetNodeOrError"]["partitionStats"]
        assert (stats["numMaterialized"], stats["numFailed"]) == (24, 0)
    for table in ("prices", "indicators"):
        stored = Warehouse(server.warehouse, "simulated").read(f"select distinct session, symbol from {table}")
        assert len(set(stored["session"].to_pylist())) == 24
        assert set(stored["symbol"].to_pylist()) == {"WALK1", "SIM1"}


def test_every_schedule_and_sensor_is_there_and_running(server: Server) -> None:
    node = answers(server)[0]
    schedules = {row["name"]: row["scheduleState"]["status"] for row in node["schedules"]}
    sensors = {row["name"]: row["sensorState"]["status"] for row in node["sensors"]}
    wanted = {f"{market}_{when}" for market in ("stocks", "crypto") for when in ("daily", "monthly")}
    assert schedules == dict.fromkeys(wanted, "RUNNING")
    assert {name: sensors[name] for name in ("stocks_gaps", "crypto_gaps")} == {
        "stocks_gaps": "RUNNING",
        "crypto_gaps": "RUNNING",
    }
