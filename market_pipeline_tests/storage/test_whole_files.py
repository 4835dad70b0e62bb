"""Files appear whole or not at all, and what killed processes have left goes after a day."""

import datetime as dt
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from market_pipeline.errors import WarehouseError
from market_pipeline.storage import whole_files
from market_pipeline.storage.whole_files import alone, remove_unfinished, write_whole

WRITER = """
import sys
from pathlib import Path
from market_pipeline.storage.whole_files import write_whole
print("writing", flush=True)
while True:
    for letter in (b"a", b"b"):
        write_whole(Path(sys.argv[1]), letter * 2_000_000)
"""


def test_a_writer_killed_at_any_moment_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "note"
    for pause in (0.02, 0.05, 0.11):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(pause)
        writer.kill()
        writer.wait()
        assert not path.exists() or path.read_bytes() in (b"a" * 2_000_000, b"b" * 2_000_000)


def test_a_file_that_cannot_be_put_in_place_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "note"
    write_whole(path, b"old")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_goes_after_a_day_and_what_is_being_written_stays(tmp_path: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    left = (
        "mart.duckdb.17.new",
        "mart.duckdb.17.new.wal",
        "models/m/linear/2024-01-01-abc.17.partial",
        "report.html.new",
    )
    others = ("mart.duckdb", "warehouse.duckdb.wal", "dagster/news.yaml", "models/m/linear/2024-01-01-abc.skops")
    for name in (*left, *others, "mart.duckdb.new"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"1234")
        if name != "mart.duckdb.new":
            long_ago = (now - dt.timedelta(days=1, minutes=1)).timestamp()
            os.utime(path, (long_ago, long_ago))
    assert remove_unfinished(tmp_path, now) == [4] * len(left)
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {*others, "mart.duckdb.new"}


def test_who_waits_for_too_long_learns_what_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole_files, "PATIENCE", 0.1)
    path = tmp_path / "mart.duckdb"
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, path], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        with (
            pytest.raises(WarehouseError, match=r"mart\.duckdb is being published by another process"),
            alone(path, "published"),
        ):
            pass
    finally:
        holder.kill()
        holder.wait()
    with alone(path, "published"):
        pass


HOLDER = """
import sys, time
from pathlib import Path
from market_pipeline.storage.whole_files import alone
with alone(Path(sys.argv[1]), "published"):
    print("alone", flush=True)
    time.sleep(60)
"""
