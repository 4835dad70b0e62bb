"""Processes of one host share a vendor's rate through a file."""

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from market_pipeline.compute.rate import shared_rate
from market_pipeline.errors import SourceError


def take_turns(path: Path) -> list[float]:
    turn, taken = shared_rate(path, 0.1), []
    for _ in range(8):
        turn()
        taken.append(time.time())
    return taken


def test_processes_share_one_rate(tmp_path: Path) -> None:
    path = tmp_path / "rate.sqlite"
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        taken = sorted(moment for turns in pool.map(take_turns, [path, path]) for moment in turns)
    assert len(taken) == 16
    assert taken[-1] - taken[0] >= 15 * 0.1 * 0.9


def test_a_rate_file_that_cannot_be_used_names_the_fix(tmp_path: Path) -> None:
    broken = tmp_path / "rate.sqlite"
    broken.write_bytes(b"not a database, and long enough to be read as one" * 20)
    with pytest.raises(SourceError, match="XDG_CACHE_HOME"):
        shared_rate(broken, 0.1)()


def test_a_turn_costs_its_interval(tmp_path: Path) -> None:
    turn = shared_rate(tmp_path / "rate.sqlite", 0.05)
    started = time.monotonic()
    for _ in range(5):
        turn()
    assert time.monotonic() - started >= 4 * 0.05
