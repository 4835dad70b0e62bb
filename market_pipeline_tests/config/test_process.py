"""What a process does that imports Dagster or computes."""

import subprocess
import sys

CODE = """
import atexit, gc
atexit.register(lambda: print(gc.get_threshold()[0], gc.get_freeze_count() > 100_000))  # runs last
import {module}
"""


def last_words(module: str) -> str:
    command = [sys.executable, "-c", CODE.format(module=module)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_a_process_ends_without_looking_at_each_object() -> None:
    """What the system takes back at once would take half a second to be found."""
    assert last_words("market_pipeline.definitions") == "10000 True"
    assert last_words("sys").endswith("False")
