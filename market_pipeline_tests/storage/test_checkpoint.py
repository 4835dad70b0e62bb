"""A checkpoint that ends within a block: DuckDB alone calls the file corrupt, the warehouse has every row."""

import datetime as dt
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from market_pipeline.errors import WarehouseError
from market_pipeline.storage import checkpoint
from market_pipeline.storage.duckdb_file import DuckDBFile
from market_pipeline.storage.whole_files import beside, write_whole
from market_pipeline_tests.storage.test_warehouse import DAY, coverage

BLOCK = 262_144

COMMIT_WITHOUT_CHECKPOINT = """
import os, sys
from pathlib import Path
from market_pipeline.storage.checkpoint import _copies
from market_pipeline.storage.duckdb_file import DuckDBFile
from market_pipeline.storage.whole_files import beside, write_whole
path = Path(sys.argv[1])
with DuckDBFile(path, "simulated").connect(read_only=False) as connection:
    write_whole(beside(path, "blocks"), _copies(connection, path))
    connection.execute("begin")
    connection.execute("update coverage set present = 4")
    connection.execute("commit")
    os._exit(0)
"""
COPY = """
import sys
from pathlib import Path
from market_pipeline.storage.checkpoint import _copies
from market_pipeline.storage.duckdb_file import DuckDBFile
from market_pipeline.storage.whole_files import beside, write_whole
path = Path(sys.argv[1])
with DuckDBFile(path, "simulated").connect(read_only=False) as connection:
    write_whole(beside(path, "blocks"), _copies(connection, path))
"""
PUT_BACK = """
import sys
from pathlib import Path
from market_pipeline.storage.checkpoint import put_back
put_back(Path(sys.argv[1]))
"""
IS_LOCKED = """
import fcntl, sys
try:
    fcntl.lockf(open(sys.argv[1], "r+b"), fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    sys.exit()
sys.exit("nobody holds the file")
"""


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes, list[int]]:
    """A folder as it is when a checkpoint begins; the file after that checkpoint; the blocks in which they differ."""
    folder = tmp_path_factory.mktemp("interrupted")
    path = folder / "warehouse.duckdb"
    warehouse = DuckDBFile(path, "simulated")
    for present in (1, 2, 3):
        put(warehouse, present)
    in_another_process(COMMIT_WITHOUT_CHECKPOINT, path)
    finished = folder / "finished"
    finished.mkdir()
    for file in folder.glob("warehouse.duckdb*"):
        shutil.copy(file, finished)
    DuckDBFile(finished / path.name, "simulated").write("stocks", lambda _: None)
    before, after = path.read_bytes(), (finished / path.name).read_bytes()
    places = range(checkpoint.HEADERS, len(before), BLOCK)
    return folder, after, [place for place in places if before[place : place + BLOCK] != after[place : place + BLOCK]]


def in_another_process(code: str, path: Path) -> None:
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)


def put(warehouse: DuckDBFile, present: int) -> None:
    warehouse.replace("coverage", coverage(DAY, present=present), "stocks", DAY, DAY)


def present(warehouse: DuckDBFile) -> list[int]:
    return [row["present"] for row in warehouse.read("from coverage").to_pylist()]


def torn(interrupted: tuple[Path, bytes, list[int]], folder: Path, places: list[int], length: int) -> DuckDBFile:
    """The warehouse whose checkpoint had written so many bytes of each of these blocks."""
    source, after, _ = interrupted
    folder.mkdir()
    for file in source.glob("warehouse.duckdb*"):
        shutil.copy(file, folder)
    with (folder / "warehouse.duckdb").open("r+b") as file:
        for place in places:
            file.seek(place)
            file.write(after[place : place + length])
    return DuckDBFile(folder / "warehouse.duckdb", "simulated")


def test_duckdb_alone_calls_a_torn_file_corrupt(interrupted: tuple[Path, bytes, list[int]], tmp_path: Path) -> None:
    """Should this fail, DuckDB has become safe, and checkpoint.py can go."""
    corrupt = 0
    for place in interrupted[2]:
        warehouse = torn(interrupted, tmp_path / str(place), [place], BLOCK // 2)
        beside(warehouse.path, "blocks").unlink()
        try:
            present(warehouse)
        except WarehouseError:
            corrupt += 1
    assert corrupt


@given(data=st.data())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_checkpoint_has_written_every_row_is_there(
    interrupted: tuple[Path, bytes, list[int]], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    places = data.draw(st.lists(st.sampled_from(interrupted[2]), unique=True))
    length = data.draw(st.integers(0, BLOCK))
    warehouse = torn(interrupted, tmp_path_factory.mktemp("torn") / "data", places, length)
    assert present(warehouse) == [4]
    assert not beside(warehouse.path, "blocks").exists()
    put(warehouse, 5)
    assert present(warehouse) == [5]


def test_blocks_of_a_checkpoint_that_was_complete_are_not_put_back(
    interrupted: tuple[Path, bytes, list[int]], tmp_path: Path
) -> None:
    warehouse = torn(interrupted, tmp_path / "data", [], 0)
    stale = beside(warehouse.path, "blocks").read_bytes()
    put(warehouse, 6)
    beside(warehouse.path, "blocks").write_bytes(stale)
    assert present(warehouse) == [6]
    assert not beside(warehouse.path, "blocks").exists()


@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_copy_is_refused_and_nothing_changes(
    interrupted: tuple[Path, bytes, list[int]], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """One bit of it, or its end: the warehouse is whole here, so it opens once the copy is moved away."""
    warehouse = torn(interrupted, tmp_path_factory.mktemp("damaged") / "data", [], 0)
    copied = beside(warehouse.path, "blocks")
    content = bytearray(copied.read_bytes())
    # Most of it are blocks: the lines before them are drawn as often.
    place = data.draw(st.integers(0, 200) | st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[place] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del content[place:]
    copied.write_bytes(content)
    before = warehouse.path.read_bytes()
    with pytest.raises(WarehouseError, match=r"\.blocks, .* is damaged\. Nothing was changed\. Move it away, then run"):
        present(warehouse)
    assert (warehouse.path.read_bytes(), copied.read_bytes()) == (before, bytes(content))
    copied.rename(tmp_path_factory.mktemp("away") / "copy")
    assert present(warehouse) == [4]


def test_a_copy_of_an_earlier_version_has_no_digest_and_is_put_back(
    interrupted: tuple[Path, bytes, list[int]], tmp_path: Path
) -> None:
    warehouse = torn(interrupted, tmp_path / "data", interrupted[2], BLOCK // 2)
    copied = beside(warehouse.path, "blocks")
    earlier = copied.read_bytes().partition(b"\n")[2]
    for damaged in (earlier[:-1], earlier + b"x", earlier.replace(b"[", b"[[", 1), b"[0, []]\n" + bytes(12288)):
        copied.write_bytes(damaged)
        with pytest.raises(WarehouseError, match="is damaged"):
            present(warehouse)
    copied.write_bytes(earlier)
    assert present(warehouse) == [4]
    assert not copied.exists()


def test_blocks_are_not_put_back_into_a_file_that_another_process_writes(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    put(DuckDBFile(path, "simulated"), 1)
    with DuckDBFile(path, "simulated").connect(read_only=False) as connection:
        write_whole(beside(path, "blocks"), checkpoint._copies(connection, path))
        in_another_process(PUT_BACK, path)
        assert beside(path, "blocks").exists()
        in_another_process(IS_LOCKED, path)
    assert present(DuckDBFile(path, "simulated")) == [1]


def test_a_commit_leaves_nothing_beside_the_file(tmp_path: Path) -> None:
    warehouse = DuckDBFile(tmp_path / "warehouse.duckdb", "simulated")
    put(warehouse, 1)
    assert {file.name for file in tmp_path.glob("warehouse.duckdb*")} <= {"warehouse.duckdb", "warehouse.duckdb.lock"}


def test_a_large_commit_that_is_torn_is_undone(tmp_path: Path) -> None:
    """It has no log, so nothing of it was stored."""
    folder, finished = tmp_path / "before", tmp_path / "finished"
    for number in (1, 2):
        put(DuckDBFile(folder / "warehouse.duckdb", "simulated"), number)
    in_another_process(COPY, folder / "warehouse.duckdb")
    shutil.copytree(folder, finished)
    put_many(DuckDBFile(finished / "warehouse.duckdb", "simulated"))
    before, after = ((where / "warehouse.duckdb").read_bytes() for where in (folder, finished))
    places = range(checkpoint.HEADERS, len(before), BLOCK)
    changed = [place for place in places if before[place : place + BLOCK] != after[place : place + BLOCK]]
    assert changed
    for place in changed:
        warehouse = torn((folder, after, changed), tmp_path / str(place), [place], BLOCK // 2)
        assert present(warehouse) == [2]


def put_many(warehouse: DuckDBFile) -> int:
    """Rows beyond the 100,000 from which DuckDB writes no log."""
    days = [dt.date(1700, 1, 1) + dt.timedelta(days=number) for number in range(110_000)]
    return warehouse.replace("coverage", coverage(*days), "stocks", days[0], days[-1])


def test_a_commit_that_is_a_checkpoint_by_itself(tmp_path: Path) -> None:
    warehouse = DuckDBFile(tmp_path / "warehouse.duckdb", "simulated")
    assert put_many(warehouse) == len(present(warehouse)) > 100_000
    assert not beside(warehouse.path, "blocks").exists()


class Failing:
    """A connection that cannot write one statement to the disk."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, statement: str) -> None:
        self.connection, self.statement = connection, statement

    def execute(self, sql: str, *values: Any) -> duckdb.DuckDBPyConnection:
        if sql == self.statement:
            raise duckdb.FatalException("fsync failed!")
        return self.connection.execute(sql, *values)


def committed(path: Path, failing: str) -> None:
    with DuckDBFile(path, "simulated").connect(read_only=False) as connection:
        connection.execute("begin")
        connection.execute("update coverage set present = 7")
        checkpoint.commit(cast("duckdb.DuckDBPyConnection", Failing(connection, failing)), path)


def test_a_file_that_cannot_be_written_is_a_warning_once_the_log_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "warehouse.duckdb"
    put(DuckDBFile(path, "simulated"), 1)
    committed(path, failing="checkpoint")
    assert "What was stored is whole, in warehouse.duckdb.wal" in caplog.text
    assert present(DuckDBFile(path, "simulated")) == [7]


def test_a_commit_that_cannot_be_written_is_an_error_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    put(DuckDBFile(path, "simulated"), 1)
    with pytest.raises(WarehouseError, match=r"cannot be written\. DuckDB reports: fsync failed! See"):
        committed(path, failing="commit")
    assert present(DuckDBFile(path, "simulated")) == [1]


def test_a_checkpoint_before_an_upgrade_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """The upgraded file takes the place of this one, and would lack what is in the log alone."""
    path = tmp_path / "warehouse.duckdb"
    put(DuckDBFile(path, "simulated"), 1)
    with (
        DuckDBFile(path, "simulated").connect(read_only=False) as connection,
        pytest.raises(duckdb.FatalException, match="fsync failed!"),
    ):
        checkpoint.checkpoint(cast("duckdb.DuckDBPyConnection", Failing(connection, "checkpoint")), path)
    assert beside(path, "blocks").exists()
    assert present(DuckDBFile(path, "simulated")) == [1]
