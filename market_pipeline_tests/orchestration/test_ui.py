"""The Dagster UI as people use it: real web server and daemon, a real browser, a backfill through the server's API."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from market_pipeline.orchestration.chain import CHAIN
from market_pipeline.storage.duckdb_file import DuckDBFile

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
SUCCESSFUL = "{ runsOrError(filter: {statuses: [SUCCESS]}) { ... on Runs { results { id } } } }"
CAPTURED = """
query($id: ID!) {
  logsForRun(runId: $id) { ... on EventConnection { events { ... on LogsCapturedEvent { fileKey } } } }
}
"""
OUTPUT = "query($key: [String!]!) { capturedLogs(logKey: $key) { stderr } }"
RUN = """
mutation($params: ExecutionParams!) {
  launchRun(executionParams: $params) { __typename ... on PythonError { message } }
}
"""
MUTATION = 'mutation { setSensorCursor(sensorSelector: {sensorName: "x", repositoryName: "x", '
MUTATION += 'repositoryLocationName: "x"}) { __typename } }'
LOCATIONS = """
{ workspaceOrError { ... on Workspace { locationEntries {
  locationOrLoadError { __typename ... on PythonError { message causes { message } } }
} } } }
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
    process: subprocess.Popen[bytes]
    config: Path

    @property
    def children(self) -> list[psutil.Process]:
        return [child for child in psutil.Process(self.process.pid).children(recursive=True) if lives(child)]

    def send(self, path: str, body: str | None = None, **headers: str) -> int:
        """The status of the answer to a request with these headers."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.url + path, body.encode() if body is not None else None, named)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

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
    with started(tmp_path_factory.mktemp("ui")) as running:
        yield running


@contextmanager
def started(folder: Path) -> Iterator[Server]:
    """The processes of `make ui`, with a data directory of their own; their output is in the file `log`."""
    config = folder / "markets.toml"
    config.write_text(TWO_MARKETS, encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"HOME": str(folder / "data"), "SOURCE": "simulated", "CONFIG": str(config)}
    environment = {**os.environ, **{f"MARKET_PIPELINE_{name}": value for name, value in settings.items()}}
    for library in ("json", "duckdb", "arch"):  # no file of the working folder stands in for a library
        (folder / f"{library}.py").write_text("raise RuntimeError", encoding="utf-8")
    line = [sys.executable, "-P", "-c", "from market_pipeline.cli.main import main; main()", "ui", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(line, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
    running = Server(f"http://127.0.0.1:{port}", folder / "data" / "warehouse.duckdb", process, config)
    try:
        wait_for(lambda: bool(answers(running)), 120, lambda: (folder / "log").read_text()[-9000:])
        yield running
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()


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


def lives(process: psutil.Process) -> bool:
    """Whether it has not ended. A process may end between two questions about it."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def command_line(process: psutil.Process) -> list[str]:
    """Empty for a process that has just ended, also for one whose parent has not noticed yet (a zombie)."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def kill_code(server: Server) -> None:
    """Kill the process with the definitions alone."""
    (code,) = [child for child in server.children if {"api", "grpc"} <= set(command_line(child))]
    code.kill()
    wait_for(lambda: not lives(code), 60, lambda: str(code))


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
        stored = DuckDBFile(server.warehouse, "simulated").read(f"select distinct session, symbol from {table}")
        assert len(set(stored["session"].to_pylist())) == 24
        assert set(stored["symbol"].to_pylist()) == {"WALK1", "SIM1"}


def test_what_a_run_prints_is_shown(server: Server) -> None:
    runs = server.ask(SUCCESSFUL)["runsOrError"]["results"]
    assert runs
    for run in runs:
        events = server.ask(CAPTURED, id=run["id"])["logsForRun"]["events"]
        [captured] = [event["fileKey"] for event in events if event]
        output = server.ask(OUTPUT, key=[run["id"], "compute_logs", captured])["capturedLogs"]
        assert "STEP_SUCCESS" in output["stderr"]


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


QUERY = json.dumps({"query": "{ version }"})
JSON = "application/json"


def test_a_mutation_is_taken_from_its_own_page_only_and_only_as_json(server: Server) -> None:
    assert server.send("/graphql", QUERY, Content_Type=JSON) == 200
    assert server.send("/graphql", QUERY, Content_Type=JSON, Origin=server.url) == 200
    assert server.send("/graphql", QUERY, Content_Type=JSON, Origin="https://example.com") == 403
    assert server.send("/graphql", QUERY, Content_Type=JSON, Origin="null") == 403
    assert server.send("/graphql", QUERY, Content_Type=JSON, Sec_Fetch_Site="cross-site") == 403
    assert server.send("/graphql", QUERY, Content_Type=JSON, Host="example.com") == 400
    assert server.send("/", Host=f"example.com:{server.url.rpartition(':')[2]}") == 400
    asked = "/graphql?query=" + urllib.parse.quote(MUTATION)
    assert server.send(asked) == 405
    assert server.send(asked, "", Content_Type="text/plain") == 415
    assert server.send("/graphql", QUERY, Content_Type="text/plain; application/json") == 415
    assert server.send("/report_asset_materialization/x", "{}", Content_Type="text/plain") == 415


def test_a_web_socket_is_opened_by_its_own_page_only(server: Server) -> None:
    address = server.url.replace("http", "ws") + "/graphql"
    with pytest.raises(InvalidStatus):
        connect(address, origin="https://example.com", subprotocols=["graphql-ws"])  # type: ignore[arg-type,list-item]
    with connect(address, origin=server.url, subprotocols=["graphql-ws"]) as own:  # type: ignore[arg-type,list-item]
        own.send(json.dumps({"type": "start", "id": "1", "payload": {"query": MUTATION}}))
        answer = json.loads(own.recv(30))
    assert answer["type"] == "error", answer


def test_a_killed_code_process_is_started_again_and_runs_launch(server: Server) -> None:
    selector = {
        "pipelineName": "stocks_prices", "repositoryName": "__repository__",
        "repositoryLocationName": "market_pipeline.definitions",
    }  # fmt: skip
    tags = [{"key": "dagster/partition", "value": "2024-01-02"}]
    params = {"selector": selector, "mode": "default", "executionMetadata": {"tags": tags}}
    kill_code(server)
    seen: list[Any] = []

    def launches() -> bool:
        try:
            seen.append(server.ask(RUN, params=params)["launchRun"])
        except (AssertionError, OSError) as error:
            seen.append(error)
            return False
        return bool(seen[-1]["__typename"] == "LaunchRunSuccess")

    wait_for(launches, 120, lambda: str(seen[-1])[:2000])


def test_definitions_that_could_not_be_loaded_are_loaded_once_they_are_corrected(server: Server) -> None:
    correct = server.config.read_text(encoding="utf-8")
    server.config.write_text(correct.replace("XNYS", "NONE"), encoding="utf-8")
    kill_code(server)
    wait_for(lambda: "NONE" in str(server.ask(LOCATIONS)), 120, lambda: str(server.ask(LOCATIONS)))
    server.config.write_text(correct, encoding="utf-8")
    wait_for(lambda: bool(answers(server)), 60, lambda: "the corrected definitions were not loaded")


def test_a_stop_of_the_service_ends_every_process(server: Server) -> None:
    children = server.children
    server.process.terminate()
    server.process.wait(20)
    assert not [child for child in children if lives(child)]


def test_ctrl_c_ends_every_process_and_prints_no_traceback(tmp_path: Path) -> None:
    with started(tmp_path) as server:
        children = server.children
        os.killpg(server.process.pid, signal.SIGINT)  # as a terminal sends it
        status = server.process.wait(20)
    assert not [child for child in children if lives(child)]
    assert (status, "Traceback" in (log := (tmp_path / "log").read_text())) == (0, False), log[-3000:]
