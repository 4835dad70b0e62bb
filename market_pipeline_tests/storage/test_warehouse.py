import datetime as dt
import subprocess
import sys
import threading
import time
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from market_pipeline.config.places import remembered_source
from market_pipeline.errors import WarehouseError
from market_pipeline.storage.duckdb_file import DuckDBFile
from market_pipeline.storage.transaction import Transaction, repeated
from market_pipeline.storage.warehouse import Warehouse

DAY, NEXT = dt.date(2024, 1, 2), dt.date(2024, 1, 3)


def coverage(*days: dt.date, present: int = 1) -> pa.Table:
    counts = {"expected": 1, "present": present, "rejected": 0, "missing": 1 - present, "attempts": 1}
    columns = {name: pa.array([count] * len(days), pa.int32()) for name, count in counts.items()}
    asked_at = pa.array([dt.datetime(2024, 1, 9)] * len(days), pa.timestamp("us"))  # noqa: DTZ001
    return pa.table({"session": pa.array(days, pa.date32()), **columns, "asked_at": asked_at})


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBFile:
    return DuckDBFile(tmp_path / "warehouse.duckdb", "simulated", patience=1.0)


def stored(warehouse: Warehouse) -> list[tuple[dt.date, int]]:
    rows = warehouse.read("select session, present from coverage order by session").to_pylist()
    return [(row["session"], row["present"]) for row in rows]


def test_a_replacement_replaces_its_range_and_nothing_else(warehouse: Warehouse) -> None:
    warehouse.replace("coverage", coverage(DAY, NEXT), "m", DAY, NEXT)
    warehouse.replace("coverage", coverage(DAY, NEXT, present=0), "m", NEXT, NEXT)
    assert stored(warehouse) == [(DAY, 1), (NEXT, 0)]
    warehouse.replace("coverage", coverage(), "other", DAY, NEXT)
    assert len(stored(warehouse)) == 2


def test_columns_land_by_name(warehouse: Warehouse) -> None:
    rows = coverage(DAY).select(coverage().column_names[::-1])
    warehouse.replace("coverage", rows, "m", DAY, DAY)
    assert stored(warehouse) == [(DAY, 1)]


def test_a_key_twice_is_refused_and_nothing_is_lost(warehouse: Warehouse) -> None:
    warehouse.replace("coverage", coverage(DAY), "m", DAY, DAY)
    with pytest.raises(WarehouseError, match="2 times; a key may appear once"):
        warehouse.replace("coverage", coverage(DAY, DAY, present=0), "m", DAY, DAY)
    assert stored(warehouse) == [(DAY, 1)]


def test_an_error_within_a_transaction_undoes_all_of_it(warehouse: Warehouse) -> None:
    warehouse.replace("coverage", coverage(DAY), "m", DAY, DAY)
    columns = coverage(DAY, present=0).append_column("unknown", [[1]])

    def write(transaction: Transaction) -> None:
        transaction.replace("coverage", coverage(DAY, present=0), DAY, DAY)
        transaction.replace("coverage", columns, DAY, DAY)

    with pytest.raises(duckdb.BinderException):
        warehouse.write("m", write)
    assert stored(warehouse) == [(DAY, 1)]


def test_rows_that_are_kept_win_over_those_that_arrive(warehouse: Warehouse) -> None:
    warehouse.replace("coverage", coverage(DAY), "m", DAY, DAY)
    rows = coverage(DAY, NEXT, present=0)
    warehouse.write("m", lambda one: one.replace("coverage", rows, DAY, NEXT, keep="present = 1"))
    assert stored(warehouse) == [(DAY, 1), (NEXT, 0)]


def test_another_source_is_refused_by_readers_and_writers(warehouse: DuckDBFile) -> None:
    warehouse.replace("coverage", coverage(DAY), "m", DAY, DAY)
    other = DuckDBFile(warehouse.path, "yahoo")
    for use in (lambda: other.read("from coverage"), lambda: other.replace("coverage", coverage(DAY), "m", DAY, DAY)):
        with pytest.raises(WarehouseError, match="holds simulated data, but the source is now yahoo"):
            use()
    assert remembered_source(warehouse.path.parent) == "simulated"


def held_by_another(warehouse: DuckDBFile, seconds: float) -> subprocess.Popen[bytes]:
    code = (
        "import duckdb, sys, time; c = duckdb.connect(sys.argv[1]); print('held', flush=True); "
        "time.sleep(float(sys.argv[2]))"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, warehouse.path, str(seconds)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()
    return holder


def test_a_lock_that_lasts_names_its_holder_and_loses_nothing(warehouse: DuckDBFile) -> None:
    warehouse.replace("coverage", coverage(DAY), "m", DAY, DAY)
    holder = held_by_another(warehouse, 60)
    try:
        began = time.monotonic()
        with pytest.raises(WarehouseError, match=f"process {holder.pid} .*did not become free within 1 seconds"):
            warehouse.replace("coverage", coverage(DAY, present=0), "m", DAY, DAY)
        assert time.monotonic() - began < 10
    finally:
        holder.kill()
        holder.wait()
    assert stored(warehouse) == [(DAY, 1)]


def test_a_damaged_file_is_reported_as_damaged_at_once(warehouse: DuckDBFile) -> None:
    warehouse.replace("coverage", coverage(DAY), "m", DAY, DAY)
    content = bytearray(warehouse.path.read_bytes())
    for place in range(4096, len(content), 512):
        content[place] ^= 0xFF
    warehouse.path.write_bytes(content)
    patient = DuckDBFile(warehouse.path, "simulated", patience=60)
    began = time.monotonic()
    with pytest.raises(WarehouseError, match="may be damaged"):
        patient.read("from coverage")
    assert time.monotonic() - began < 30


def test_a_lock_that_passes_is_waited_for(warehouse: DuckDBFile) -> None:
    warehouse.replace("coverage", coverage(DAY), "m", DAY, DAY)
    holder = held_by_another(warehouse, 1.0)
    patient = DuckDBFile(warehouse.path, "simulated", patience=20)
    patient.replace("coverage", coverage(DAY, present=0), "m", DAY, DAY)
    holder.wait()
    assert stored(warehouse) == [(DAY, 0)]


def test_a_connection_closes_whatever_happens(warehouse: DuckDBFile) -> None:
    with pytest.raises(duckdb.CatalogException):
        warehouse.read("from no_such_table")
    duckdb.connect(str(warehouse.path)).close()  # nobody holds it


WRITER = """
import datetime as dt, sys
from pathlib import Path
from market_pipeline.storage.duckdb_file import DuckDBFile
from market_pipeline_tests.storage.test_warehouse import coverage
warehouse, turn = DuckDBFile(Path(sys.argv[1]), "simulated"), 0
days = [dt.date(2024, 1, 1) + dt.timedelta(days=n) for n in range(300)]
print("writing", flush=True)
while True:
    turn += 1
    warehouse.replace("coverage", coverage(*days, present=turn % 2), "m", days[0], days[-1])
"""


def test_a_writer_killed_at_any_moment_leaves_whole_ranges(warehouse: DuckDBFile) -> None:
    for pause in (0.05, 0.11, 0.23):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, warehouse.path], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        killer = threading.Timer(pause, writer.kill)
        killer.start()
        writer.wait()
        rows = stored(warehouse)
        assert len(rows) in (0, 300)
        assert len({present for _, present in rows}) <= 1


@pytest.mark.parametrize(
    ("symbols", "numbers", "twice"),
    [
        (["a", "b", "a"], [1, 1, 2], False),
        (["b", "a", "b"], [1, 1, 1], True),
        (["a", "b", "c", "a"], [3, 2, 1, 3], True),
        ([None, "a", None], [1, 1, 1], True),
        ([None, "a", None], [1, 1, 2], False),
        ([], [], False),
    ],
)
def test_a_key_that_is_repeated_is_noticed_in_any_order(
    symbols: list[str | None], numbers: list[int], *, twice: bool
) -> None:
    keys = pa.table({"symbol": pa.array(symbols, pa.string()), "number": pa.array(numbers, pa.int64())})
    assert repeated(keys) is twice


def test_a_streamed_answer_is_the_whole_answer(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    warehouse.replace("coverage", coverage(DAY, NEXT), "m", DAY, NEXT)
    monkeypatch.setattr("market_pipeline.storage.warehouse.PIECE", 1)
    sql = "select session, present from coverage where market = $market order by session"
    pieces = list(warehouse.stream(sql, {"market": "m"}))
    assert pa.concat_tables(pieces).equals(warehouse.read(sql, {"market": "m"}))


def test_rows_that_were_written_are_let_go_before_the_transaction_ends(warehouse: Warehouse) -> None:
    days = [dt.date(2000, 1, 1) + dt.timedelta(days=place) for place in range(9000)]
    held = pa.total_allocated_bytes()
    size = coverage(*days).nbytes

    def write(transaction: Transaction) -> None:
        for start in range(0, len(days), 1000):
            transaction.replace("coverage", coverage(*days[start : start + 1000]), days[start], days[start + 999])
        assert pa.total_allocated_bytes() - held < size / 3

    warehouse.write("crypto", write)
    assert len(stored(warehouse)) == len(days)
