"""An older warehouse becomes a current one: nothing stored is lost, whatever interrupts the upgrade."""

import hashlib
import random
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from market_pipeline.errors import WarehouseError
from market_pipeline.storage import upgrade as upgrading
from market_pipeline.storage.catalog import WAREHOUSE, WAREHOUSE_VIEWS
from market_pipeline.storage.duckdb_file import DuckDBFile
from market_pipeline.storage.tables.forecasts import TAILS_AT
from market_pipeline.storage.upgrade import INTERNAL, SCHEMA_VERSION, stored_version

FIRST_SCHEMA = (Path(__file__).parent / "schema_1.sql").read_text(encoding="utf-8")
"""What version 0.1.0 of the program, at commit 1f52b17, made its tables with."""

DRAW = {
    "VARCHAR": "'v' || (i % 7)",
    "DATE": "date '2024-01-01' + (i % 60)::integer",
    "TIMESTAMP": "timestamp '2024-01-01' + to_seconds(i)",
    "BOOLEAN": "i % 3 = 0",
    "INTEGER": "(i % 5 + 1)::integer",
    "BIGINT": "i",
    "DOUBLE": "1 + (i % 1000) / 1000",
}
SPECIAL = {
    "mode": "case when i % 2 = 0 then 'live' else 'replayed' end",
    "symbol": "'S' || i",
    "model": "'m' || i",
    "settings": "'s' || i",
    "horizon": "(i + 1)::integer",
    "origin": "date '2024-01-01'",
    "target_session": "date '2024-06-01'",
    "trained_through": "date '2023-12-29'",
    "p_up": "0.5",
    "brier": "0.25",
    "rps": "0.16",
    "question": "'range'",
    "verdict": "'no_evidence'",
    "test": "'e_value'",
    "trend": "'flat'",
    "p_value": "0.5",
    "p_adjusted": "0.5",
    "volume": "case when i % 4 = 0 then null else i end",
    **dict.fromkeys(("open", "high", "low", "close"), "100"),
    **{f"covered_{percent}": "i % 2" for percent in (50, 80, 95)},
}
ROWS = 400

EXCEEDED = tuple(f"exceeded_{name}" for name in TAILS_AT)
ADDED = {
    "ledger": ("symbols", "libraries", "plugins"),
    "scores": (*(f"fz_{name}" for name in TAILS_AT), *EXCEEDED),
    "daily_scores": ("fz_025", "baseline_fz_025", *EXCEEDED),
}
"""Columns that version 1 did not have."""

FIRST_TABLES = [name for name in WAREHOUSE if f"create table if not exists {name} (" in FIRST_SCHEMA]
"""Today's tables that version 1 had."""

DECLARED = (5, "652a7534061b71a4")
"""The schema version and the digest of all declarations that belongs to it."""


def old_warehouse(folder: Path, rows: int = ROWS) -> Path:
    """A warehouse as version 1 made it, with rows in every table, live forecasts, restatements and quarantine too."""
    path = folder / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table origin_of_data (source varchar not null)")
        connection.execute("insert into origin_of_data values ('simulated')")
        connection.execute(FIRST_SCHEMA)
        for name in FIRST_TABLES:
            columns = connection.execute(
                "select column_name, data_type from information_schema.columns where table_name = ? "
                "and table_schema = 'main' order by ordinal_position",
                [name],
            ).fetchall()
            drawn = ", ".join(f"{SPECIAL.get(column, DRAW[kind])} as {column}" for column, kind in columns)
            connection.execute(f"insert into {name} by name select {drawn} from range({rows}) t(i)")
    (folder / "source").write_text("simulated\n", encoding="utf-8")
    return path


def first_columns(table: str) -> list[str]:
    """The columns that a table had in version 1."""
    return [name for name in WAREHOUSE[table].names if name not in ADDED.get(table, ())]


def digests(path: Path) -> dict[str, object]:
    """Number of rows and a digest of what version 1 stored in them, for every table."""
    with duckdb.connect(str(path), read_only=True) as connection:
        return {
            name: connection.execute(
                f"select count(*), sum(hash(t)::hugeint) from (select {', '.join(first_columns(name))} from {name}) t"
            ).fetchone()
            for name in FIRST_TABLES
        }


def opened(path: Path) -> DuckDBFile:
    warehouse = DuckDBFile(path, "simulated")
    warehouse.read("select 1")
    return warehouse


def test_the_first_schema_has_todays_tables_and_columns(tmp_path: Path) -> None:
    with duckdb.connect(str(old_warehouse(tmp_path))) as connection:
        for table in FIRST_TABLES:
            stored = [column[0] for column in connection.execute(f"describe {table}").fetchall()]
            assert stored == first_columns(table)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_every_row_comes_through(tmp_path: Path, version: int) -> None:
    path = old_warehouse(tmp_path)
    with duckdb.connect(str(path)) as connection:
        if version > 1:  # version 2 has the same tables
            connection.execute(f"alter table origin_of_data add column schema_version integer default {version}")
        if version == 3:
            for column, kind in (("symbols", "varchar[]"), ("libraries", "varchar"), ("plugins", "varchar")):
                connection.execute(f"alter table ledger add column {column} {kind}")
    before = digests(path)
    assert stored_version(path) == version
    warehouse = opened(path)
    assert digests(path) == before
    assert stored_version(path) == SCHEMA_VERSION
    assert warehouse.read("select source from origin_of_data")["source"].to_pylist() == ["simulated"]
    known = warehouse.read("from prices_as_of(timestamp '2100-01-01')")  # today's views are there
    assert known.num_rows
    assert warehouse.read("from tails").column_names == list(WAREHOUSE["tails"].names)
    left = {found.name for found in tmp_path.iterdir()} - {
        "warehouse.duckdb",
        "source",
        "warehouse.duckdb.lock",
    }
    assert not left


def test_a_current_warehouse_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    opened(path)
    inode = path.stat().st_ino
    upgrading.upgrade(path, "simulated", {}, lambda: duckdb.connect(str(path)))
    assert path.stat().st_ino == inode


def test_a_newer_warehouse_is_refused_and_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    opened(path)
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"update origin_of_data set schema_version = {SCHEMA_VERSION + 1}")
    content = path.read_bytes()
    # Another source name stands for another process, which has not seen the file yet.
    with pytest.raises(WarehouseError, match=f"has schema version {SCHEMA_VERSION + 1}.*knows versions up to"):
        DuckDBFile(path, "yahoo").read("select 1")
    assert path.read_bytes() == content


@pytest.mark.parametrize("step", ["_new", "_copy", "_digest", "put_in_place", "Path.replace"])
def test_an_error_at_any_step_leaves_the_old_file_and_the_next_command_upgrades(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = old_warehouse(tmp_path)
    before = digests(path)

    def fail(*_args: object, **_more: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        if step == "Path.replace":
            patch.setattr(Path, "replace", fail)
        else:
            patch.setattr(upgrading, step, fail)
        with pytest.raises(OSError, match="no space left"):
            opened(path)
    assert stored_version(path) == 1
    assert digests(path) == before
    opened(path)
    assert stored_version(path) == SCHEMA_VERSION
    assert digests(path) == before


def test_a_copy_that_differs_stops_the_upgrade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = old_warehouse(tmp_path)
    before = digests(path)
    query = f"{upgrading.CONVERSIONS[1]['ledger']} where mode = 'live'"
    monkeypatch.setattr(upgrading, "CONVERSIONS", {1: upgrading.CONVERSIONS[1] | {"ledger": query}})
    upgraded = opened(path)  # a conversion is the new content
    assert upgraded.read("select count(*) as n from ledger")["n"][0].as_py() == ROWS // 2
    other = tmp_path / "other"
    other.mkdir()
    path = old_warehouse(other)
    turns = iter([(1, 1), (2, 2)])
    monkeypatch.setattr(upgrading, "_digest", lambda *_: next(turns))
    with pytest.raises(WarehouseError, match="has 1 rows, its copy has 2"):
        opened(path)
    assert digests(path) == before


UPGRADE = """
import sys
from pathlib import Path
from market_pipeline.storage.duckdb_file import DuckDBFile
warehouse = DuckDBFile(Path(sys.argv[1]), "simulated")
print("ready", flush=True)
warehouse.read("select 1")
print("done", flush=True)
"""


def test_an_upgrade_killed_at_random_moments_loses_nothing(tmp_path: Path) -> None:
    draw = random.Random(16)
    path = old_warehouse(tmp_path, rows=20_000)
    before = digests(path)
    for _ in range(4):
        process = subprocess.Popen([sys.executable, "-c", UPGRADE, str(path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(draw.uniform(0, 0.6))
        process.kill()
        process.wait()
        assert digests(path) == before
    opened(path)
    assert digests(path) == before
    assert stored_version(path) == SCHEMA_VERSION


def test_a_first_use_killed_at_random_moments_leaves_no_file_or_a_whole_one(tmp_path: Path) -> None:
    draw = random.Random(17)
    path = tmp_path / "warehouse.duckdb"
    for _ in range(6):
        path.unlink(missing_ok=True)
        process = subprocess.Popen([sys.executable, "-c", UPGRADE, str(path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(draw.uniform(0, 0.5))
        process.kill()
        process.wait()
        assert stored_version(path) in ((SCHEMA_VERSION,) if path.exists() else (None,))
    opened(path)
    with duckdb.connect(str(path), read_only=True) as connection:
        made = {name for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()}
    assert made == {*WAREHOUSE, *INTERNAL}


def test_first_use_by_two_processes_at_once(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    both = [subprocess.Popen([sys.executable, "-c", UPGRADE, str(path)], stdout=subprocess.PIPE) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert stored_version(path) == SCHEMA_VERSION


def test_a_file_of_another_program_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table customers as select 1 as id")
    content = path.read_bytes()
    with pytest.raises(WarehouseError, match="of another program: it has the table customers"):
        opened(path)
    assert path.read_bytes() == content


def test_a_changed_declaration_asks_for_a_new_version() -> None:
    statements = [text for declared in (*WAREHOUSE.values(), *WAREHOUSE_VIEWS) for text in declared.ddl()]
    digest = hashlib.sha256("\n".join(statements).encode()).hexdigest()[:16]
    assert (SCHEMA_VERSION, digest) == DECLARED, (
        "tables changed: raise SCHEMA_VERSION, add to CONVERSIONS, note both here"
    )


def test_two_processes_upgrade_once(tmp_path: Path) -> None:
    path = old_warehouse(tmp_path, rows=20_000)
    before = digests(path)
    both = [subprocess.Popen([sys.executable, "-c", UPGRADE, str(path)], stdout=subprocess.PIPE) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert digests(path) == before
