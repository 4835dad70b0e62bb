"""Every row of the benchmark runs, at a small size: figures that nobody has measured for a while may be of nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from market_pipeline_tests.pages import TOP

SIZE = "0.02"
LISTED = """
import json
from rows import rows_of
print(json.dumps({row.name: [*row.needs, row.ours, row.theirs] for row in rows_of(0.02)}))
"""
ELSEWHERE = "peers."
"""Sides that run in the environment of the packages to compare with."""
SLOW = {"dagster_runs:empty_backfill"}
"""Takes minutes at any size; B7b runs the same with another event log."""


def printed(*arguments: str) -> str:
    run = subprocess.run(
        [sys.executable, "-W", "ignore", *arguments],
        cwd=TOP / "benchmarks", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return run.stdout


SIDES: dict[str, list[str]] = json.loads(printed("-c", LISTED))


@pytest.mark.parametrize("row", SIDES)
def test_both_sides_of_a_row_give_a_time(row: str, tmp_path: Path) -> None:
    sides = [side for side in SIDES[row] if not side.startswith(ELSEWHERE) and side not in SLOW]
    found = {side: json.loads(printed("one_side.py", side, str(tmp_path), SIZE).splitlines()[-1]) for side in sides}
    timed = [side for side in sides if side in SIDES[row][-2:]]
    assert timed
    assert all(found[side]["seconds"] > 0 for side in timed)
