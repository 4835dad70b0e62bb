"""The turn of a market on several hosts: ranges share it, everything else has it alone, and a dead host frees it."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from market_pipeline.compute.market_lock import market_lock
from market_pipeline.orchestration.turns import turns_of

HOLDING = """
import sys, time
from pathlib import Path
from market_pipeline.compute.market_lock import market_lock
with market_lock(Path("/nowhere"), "stocks", print, shared=sys.argv[1] == "shared"):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def _lake(connection: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKET_PIPELINE_WAREHOUSE", f"ducklake:postgres:{connection}")
    monkeypatch.setenv("MARKET_PIPELINE_STORE", "/lake")


def another_host(kind: str) -> "subprocess.Popen[str]":
    line = [sys.executable, "-W", "ignore", "-c", HOLDING, kind]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.usefixtures("_lake")
@pytest.mark.parametrize(("first", "second"), [("alone", False), ("alone", True), ("shared", False)])
def test_a_turn_waits_for_another_host_until_that_is_killed(first: str, second: bool, tmp_path: Path) -> None:  # noqa: FBT001
    holder, waits = another_host(first), threading.Event()
    threading.Thread(target=lambda: (waits.wait(60), holder.kill())).start()
    with market_lock(tmp_path, "stocks", waits.set, shared=second):
        assert waits.is_set()
        assert holder.wait(60) != 0
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("_lake")
def test_ranges_share_a_turn_and_markets_have_their_own(tmp_path: Path) -> None:
    def never() -> None:
        raise AssertionError

    holder = another_host("shared")
    try:
        with market_lock(tmp_path, "stocks", never, shared=True), market_lock(tmp_path, "crypto", never, shared=False):
            assert holder.poll() is None
    finally:
        holder.kill()
        holder.wait(60)


def test_a_run_shares_its_turn_if_all_of_its_assets_may_be_computed_in_ranges() -> None:
    assert turns_of(["stocks__models"]) == {"stocks": True}
    assert turns_of(["stocks__forecasts", "stocks__scores", "stocks__scores_keys_unique"]) == {"stocks": True}
    assert turns_of(["stocks__prices", "stocks__forecasts", "mart"]) == {"stocks": False}
    assert turns_of(["stocks__prices", "coins__models"]) == {"coins": True, "stocks": False}
