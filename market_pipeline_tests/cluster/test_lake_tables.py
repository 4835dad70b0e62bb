"""The lake does what the file does: the file's own tests, on a lake; and what only a lake has to look at."""

import datetime as dt
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from pydantic import SecretStr

from market_pipeline.cli.doctor.stored_data import stored_data
from market_pipeline.config.settings import Settings
from market_pipeline.errors import WarehouseError
from market_pipeline.storage.catalog import WAREHOUSE
from market_pipeline.storage.duckdb_file import DuckDBFile
from market_pipeline.storage.lake import attachment
from market_pipeline.storage.lake.attachment import Attachment
from market_pipeline.storage.lake.warehouse import Lake, _current
from market_pipeline.storage.selection import open_warehouse
from market_pipeline.storage.upgrade import SCHEMA_VERSION
from market_pipeline.storage.warehouse import Warehouse
from market_pipeline_tests.storage.test_warehouse import (  # noqa: F401  the tests that both share
    DAY,
    NEXT,
    coverage,
    stored,
    test_a_key_twice_is_refused_and_nothing_is_lost,
    test_a_replacement_replaces_its_range_and_nothing_else,
    test_a_streamed_answer_is_the_whole_answer,
    test_an_error_within_a_transaction_undoes_all_of_it,
    test_columns_land_by_name,
    test_rows_that_are_kept_win_over_those_that_arrive,
    test_rows_that_were_written_are_let_go_before_the_transaction_ends,
)


@pytest.fixture
def settings(tmp_path: Path, connection: str, store: str) -> Settings:
    (tmp_path / "home").mkdir()
    warehouse = SecretStr(f"ducklake:postgres:{connection}")
    return Settings(home=tmp_path / "home", source="simulated", warehouse=warehouse, store=store)


@pytest.fixture
def warehouse(settings: Settings) -> Warehouse:
    return open_warehouse(settings)


def test_its_data_may_lie_in_a_folder(settings: Settings, tmp_path: Path) -> None:
    warehouse = open_warehouse(replace(settings, store=str(tmp_path / "shared")))
    days = [DAY + dt.timedelta(days=count) for count in range(100)]
    warehouse.replace("coverage", coverage(*days), "m", days[0], days[-1])
    assert len(stored(warehouse)) == 100
    assert list((tmp_path / "shared" / "lake").rglob("*.parquet"))


def test_it_exists_once_something_was_written_and_asking_does_not_make_it(warehouse: Warehouse) -> None:
    assert not warehouse.exists()
    assert warehouse.schema_version() is None
    warehouse.replace("coverage", coverage(DAY), "m", DAY, DAY)
    assert warehouse.exists()
    assert warehouse.schema_version() == SCHEMA_VERSION


def test_what_was_read_from_the_store_does_not_stay_in_memory(warehouse: Warehouse) -> None:
    days = [DAY + dt.timedelta(days=count) for count in range(5000)]
    warehouse.replace("coverage", coverage(*days), "m", days[0], days[-1])
    assert warehouse.read("from coverage").num_rows == len(days)
    [held] = warehouse.read("""
        select sum(memory_usage_bytes)::bigint as bytes from duckdb_memory() where tag = 'EXTERNAL_FILE_CACHE'
    """).to_pylist()
    assert held["bytes"] == 0


def test_it_has_the_tables_and_comments_of_the_file(warehouse: Warehouse, tmp_path: Path) -> None:
    columns = """
    select table_name, column_name, data_type, is_nullable, comment from duckdb_columns()
    where database_name = current_database() and schema_name = 'main' order by all
    """
    of_file = DuckDBFile(tmp_path / "warehouse.duckdb", "simulated").read(columns).to_pylist()
    assert warehouse.read(columns).to_pylist() == of_file
    assert {row["table_name"] for row in of_file} >= set(WAREHOUSE)
    for macro in ("prices_as_of(now()::timestamp)", "price_steps(date '2020-01-01')"):
        assert warehouse.read(f"from {macro}").num_rows == 0


def test_another_source_is_refused(warehouse: Warehouse, settings: Settings) -> None:
    warehouse.replace("coverage", coverage(DAY), "m", DAY, DAY)
    other = open_warehouse(Settings(settings.home, "yahoo", warehouse=settings.warehouse, store=settings.store))
    with pytest.raises(WarehouseError, match="holds simulated data, but the source is now yahoo"):
        other.read("from coverage")


def bar(**changed: float) -> pa.Table:
    row = {"symbol": "A", "session": DAY, "open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0, "volume": None}
    row |= {"dividend": 0.0, "split_ratio": 1.0, "source": "simulated", "final": True}
    row |= {name: dt.datetime(2024, 1, 3) for name in ("fetched_at", "known_at")} | changed  # noqa: DTZ001
    return pa.Table.from_pylist([row], WAREHOUSE["prices"].schema)


@pytest.mark.parametrize("changed", [{"close": -1.0}, {"split_ratio": 0.0}, {"dividend": -1.0}])
def test_a_row_that_breaks_a_check_gets_the_error_of_the_file_and_nothing_is_written(
    warehouse: Warehouse, tmp_path: Path, changed: dict[str, float]
) -> None:
    messages = []
    for one in (DuckDBFile(tmp_path / "warehouse.duckdb", "simulated"), warehouse):
        one.replace("prices", bar(), "m", DAY, DAY)
        with pytest.raises(duckdb.ConstraintException, match="CHECK constraint failed on table prices") as error:
            one.replace("prices", bar(**changed), "m", DAY, DAY)
        messages.append(str(error.value))
        assert one.read("select close from prices")["close"].to_pylist() == [1.0]
    assert messages[1].split("with")[0] == messages[0].split("with")[0]


def test_a_missing_value_is_refused(warehouse: Warehouse) -> None:
    rows = coverage(DAY).set_column(1, "expected", pa.array([None], pa.int32()))
    with pytest.raises(duckdb.ConstraintException, match="NOT NULL"):
        warehouse.replace("coverage", rows, "m", DAY, DAY)
    assert stored(warehouse) == []


def test_a_key_that_is_stored_already_is_refused(warehouse: Warehouse) -> None:
    warehouse.replace("coverage", coverage(DAY), "m", DAY, DAY)
    with pytest.raises(WarehouseError, match=r"coverage would have .* 2 times; a key may appear once"):
        warehouse.write("m", lambda one: one.append("coverage", coverage(NEXT, DAY)))
    assert stored(warehouse) == [(DAY, 1)]


def test_a_snapshot_stays_as_it_is_while_others_write(warehouse: Warehouse) -> None:
    warehouse.replace("coverage", coverage(DAY), "m", DAY, DAY)
    with warehouse.snapshot():
        before = stored(warehouse)
        rows = coverage(DAY, NEXT, present=0)
        writer = threading.Thread(target=warehouse.replace, args=("coverage", rows, "m", DAY, NEXT))
        writer.start()
        writer.join(60)
        assert stored(warehouse) == before == [(DAY, 1)]
        assert warehouse.digest("from coverage")[0] == 1
        pieces = warehouse.stream("from coverage")
        assert next(pieces).num_rows == 1
        with pytest.raises(RuntimeError, match="read to its end"):
            warehouse.read("from coverage")
        pieces.close()
    assert stored(warehouse) == [(DAY, 0), (NEXT, 0)]


@pytest.mark.parametrize("lacking", [None, "httpfs", "aws"])
def test_an_extension_that_is_no_package_needs_its_signature(
    warehouse: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch, lacking: str | None
) -> None:
    assert isinstance(warehouse, Lake)
    there = attachment.packaged
    monkeypatch.setattr(attachment, "packaged", lambda name: None if name == lacking else there(name))
    monkeypatch.setattr(attachment, "load", lambda *_: None)
    monkeypatch.setattr(attachment, "credentials", lambda _: "select 1")
    if lacking == "aws":
        monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    with closing(Attachment(warehouse.catalogue, settings.store, {})._connected()) as connection:
        [(unsigned,)] = connection.execute("select current_setting('allow_unsigned_extensions')").fetchall()
    assert unsigned == (lacking is None or not settings.store.startswith("s3://"))


def test_a_lake_of_an_older_version_is_upgraded(warehouse: Warehouse, settings: Settings) -> None:
    assert isinstance(warehouse, Lake)
    warehouse.replace("coverage", coverage(DAY), "m", DAY, DAY)
    lake = Attachment(warehouse.catalogue, settings.store, {}).cursor()
    for column in ("symbols", "libraries", "plugins"):
        lake.execute(f"alter table ledger drop column {column}")
    lake.execute("insert into ledger values ('m', '2024-01-02', 'live', now()::timestamp, 'code', 'models', 'bars')")
    lake.execute("drop table tails")
    for table in ("scores", "daily_scores"):
        for name in WAREHOUSE[table].names:
            if name.split("_")[0] in {"fz", "exceeded"} or name == "baseline_fz_025":
                lake.execute(f"alter table {table} drop column {name}")
    lake.execute("update origin_of_data set schema_version = 2")
    _current.clear()
    assert warehouse.read("select symbols from ledger")["symbols"].to_pylist() == [None]
    assert warehouse.read("from tails").num_rows == 0
    assert warehouse.read("from scores").column_names == list(WAREHOUSE["scores"].names)
    assert warehouse.schema_version() == SCHEMA_VERSION
    lake.execute(f"update origin_of_data set schema_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(WarehouseError, match="a newer one wrote it"):
        warehouse.replace("coverage", coverage(NEXT), "m", NEXT, NEXT)


def test_the_doctor_reports_each_part_of_a_lake(settings: Settings, connection: str) -> None:
    def findings(settings: Settings) -> dict[str, tuple[bool, str]]:
        return {one.subject: (one.ok, one.message) for one in stored_data(settings, (), dt.datetime.now(dt.UTC))}

    found = findings(settings)
    assert [name for name, (ok, _) in found.items() if ok] == ["catalogue", "lake", "warehouse", "mart"]
    assert "none yet" in found["warehouse"][1]
    open_warehouse(settings).replace("coverage", coverage(DAY), "m", DAY, DAY)
    found = findings(settings)
    assert f"schema version {SCHEMA_VERSION}" in found["warehouse"][1]
    assert "snapshots" in found["lake"][1]
    another = SecretStr(f"ducklake:postgres:{connection.replace('dbname=', 'dbname=no_')}")
    found = findings(replace(settings, warehouse=another))
    assert found["catalogue"][0] is False
    assert "does not exist" in found["catalogue"][1]
    assert "warehouse" not in found
