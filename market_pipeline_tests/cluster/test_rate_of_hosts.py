"""Hosts share a vendor's rate through Postgres, whatever folders they have."""

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from market_pipeline.compute import rate
from market_pipeline.compute.rate import shared_rate
from market_pipeline.errors import SourceError


def take_turns(path: Path) -> list[float]:
    turn, taken = shared_rate(path, 0.2), []
    for _ in range(8):
        turn()
        taken.append(time.time())
    return taken


@pytest.fixture
def _lake(connection: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKET_PIPELINE_WAREHOUSE", f"ducklake:postgres:{connection}")
    monkeypatch.setenv("MARKET_PIPELINE_STORE", "/lake")


@pytest.mark.usefixtures("_lake")
def test_hosts_share_one_rate(tmp_path: Path) -> None:
    paths = [tmp_path / host / "yahoo-rate.sqlite" for host in ("one", "two")]
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        taken = sorted(moment for turns in pool.map(take_turns, paths) for moment in turns)
    assert len(taken) == 16
    assert taken[-1] - taken[0] >= 15 * 0.2 * 0.9
    assert not list(tmp_path.rglob("*.sqlite"))


@pytest.mark.usefixtures("_lake")
def test_two_vendors_do_not_wait_for_each_other(tmp_path: Path) -> None:
    one, two = (shared_rate(tmp_path / name, 60.0) for name in ("yahoo-rate.sqlite", "exchange-rate.sqlite"))
    began = time.monotonic()
    one()
    two()
    assert time.monotonic() - began < 50


def test_a_postgres_that_is_away_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate, "PATIENCE", 0.1)
    monkeypatch.setenv("MARKET_PIPELINE_WAREHOUSE", "ducklake:postgres:host=127.0.0.1 port=1 dbname=d user=u")
    monkeypatch.setenv("MARKET_PIPELINE_STORE", "/lake")
    with pytest.raises(SourceError, match="through which hosts share a vendor's rate"):
        shared_rate(tmp_path / "yahoo-rate.sqlite", 1.0)()
