"""The scenes in the Dagster UI: the graph, a backfill, its run and checks, and a run that is killed and healed."""

# ruff: noqa: INP001  imported by a script

import os
import signal
import time
from typing import Any

from demo_directory import wait_for
from recording import Recording
from screens import terminal

from market_pipeline.orchestration.processes import PROCESS, RUN

GROUP = "locations/market_pipeline.definitions/asset-groups"
PATIENCE = 900.0
"""Seconds to wait for a run."""


def graph(recording: Recording) -> None:
    page, url = recording.page, recording.server.url
    recording.size(1280)
    page.goto(f"{url}/asset-groups")
    page.get_by_text("crypto", exact=True).first.wait_for()
    if (hide := page.get_by_role("button", name="Hide navigation")).count():
        hide.click()
    recording.screen("graph", 6, wait=4)  # states and edges are drawn after the names
    recording.size(1440)  # at a higher zoom level the nodes have too much text
    page.goto(f"{url}/{GROUP}/stocks")
    page.get_by_text("leaderboard", exact=True).first.wait_for()
    recording.screen("market", 7, wait=4, picture="graph.png")


def backfill(recording: Recording, span: str) -> None:
    page = recording.page
    recording.size(1600)
    page.goto(f"{recording.server.url}/assets/stocks/prices?view=overview")
    materialize = page.get_by_role("button", name="Materialize").first
    materialize.wait_for()
    page.get_by_text("Latest materialization").first.wait_for()
    recording.screen("asset", 6, wait=2.5)
    materialize.click()
    launch = page.get_by_role("button", name="Launch backfill")
    launch.wait_for()
    page.wait_for_timeout(2500)
    chosen = page.get_by_placeholder("No matching partitions").or_(page.locator("[role=dialog] input[type=text]")).first
    chosen.fill(span)
    chosen.press("Enter")
    recording.screen("backfill", 7, wait=1.5, picture="backfill.png")
    launch.click()
    page.get_by_text("Created backfill").wait_for()
    recording.screen("backfill", 3)


def run_page(recording: Recording) -> None:
    page, server = recording.page, recording.server
    ended = ended_backfill(recording)
    if len(ended["runs"]) != 1:
        raise RuntimeError(f"The backfill should have had one run: {ended}")
    recording.size(1600)
    page.goto(f"{server.url}/runs/{ended['runs'][0]['id']}")
    page.get_by_text("RUN_SUCCESS").first.wait_for()
    recording.screen("run", 7, wait=2.5, picture="run.png")
    page.goto(f"{server.url}/assets/stocks/prices?view=checks")
    page.get_by_text("no_missing_bars").first.click()
    page.get_by_text("Latest execution").first.wait_for()
    recording.screen("checks", 7, wait=2.5, picture="checks.png")


def killed_run(recording: Recording, first: str, last: str) -> None:
    """Forecasts of a range, whose process is killed; the daemon fails the run and starts it again."""
    page, server = recording.page, recording.server
    server.launch("stocks", "forecasts", first, last)
    wait_for("The process of a run", lambda: bool(processes(recording)), PATIENCE)
    [(run, process)] = processes(recording).items()
    recording.size(1600)
    page.goto(f"{server.url}/runs/{run}")
    page.get_by_text("STEP_START").first.wait_for()
    recording.screen("before", 6, wait=1)
    os.kill(process, signal.SIGKILL)
    killed = time.monotonic()
    prompt = f"\x1b[32m$\x1b[0m \x1b[1mkill -9 {process}\x1b[0m"
    image = terminal(page, f"the process of run {run[:8]}", [prompt, ""])
    recording.show("kill", image, 4)
    wait_for("The failure of the killed run", lambda: runs(recording)[run]["status"] == "FAILURE", PATIENCE)
    failed = f"{time.monotonic() - killed:.0f}"
    page.goto(f"{server.url}/runs/{run}")
    page.get_by_text("RUN_FAILURE").first.wait_for()
    recording.screen("killed", 8, wait=2.5, failed=failed)
    ended_backfill(recording)
    healed = f"{time.monotonic() - killed:.0f}"
    page.goto(f"{server.url}/runs/{retry_of(recording, run)}")
    page.get_by_text("RUN_SUCCESS").first.wait_for()
    recording.screen("healed", 6, wait=2.5, healed=healed)
    page.goto(f"{server.url}/runs")
    page.get_by_text("Show runs within backfills").click()
    page.get_by_text(run[:8]).first.wait_for()
    recording.screen("healed", 5, wait=2.5, picture="healed.png", healed=healed)


def runs(recording: Recording) -> dict[str, dict[str, Any]]:
    """The runs of the newest backfill by their ids, with status and tags."""
    found = {run["id"]: run for run in recording.server.newest_backfill()["runs"]}
    return {
        name: {"status": run["status"], "tags": {tag["key"]: tag["value"] for tag in run["tags"]}}
        for name, run in found.items()
    }


def processes(recording: Recording) -> dict[str, int]:
    """The process of each run that has one."""
    return {
        name: int(run["tags"][PROCESS])
        for name, run in runs(recording).items()
        if run["status"] == "STARTED" and run["tags"].get(RUN) == name
    }


def retry_of(recording: Recording, run: str) -> str:
    [retry] = [name for name, other in runs(recording).items() if other["tags"].get("dagster/parent_run_id") == run]
    return retry


def ended_backfill(recording: Recording) -> dict[str, Any]:
    """The newest backfill when it has ended; raises RuntimeError unless it has succeeded."""

    def state() -> str:
        return str(recording.server.newest_backfill()["status"])

    wait_for("The end of the backfill", lambda: state().startswith(("COMPLETED", "FAILED")), PATIENCE)
    ended = recording.server.newest_backfill()
    if ended["status"] != "COMPLETED_SUCCESS":
        raise RuntimeError(f"The backfill did not succeed: {ended}")
    return ended
