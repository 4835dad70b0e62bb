"""An older data directory, upgraded and killed at random moments: is the warehouse whole each time?

    python benchmarks/upgrade_kills.py DIRECTORY [kills, 20]

Works on copies. Prints a line for each kill: when it came, the schema version that was found, and whether every table
has the same rows and digests, over the columns it had, as before. Ends with exit status 1 if any does not.
"""

import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from market_pipeline.storage.upgrade import stored_version

OPEN = """
import sys
from pathlib import Path
from market_pipeline.storage.duckdb_file import DuckDBFile
warehouse = DuckDBFile(Path(sys.argv[1]), sys.argv[2])
print("ready", flush=True)
warehouse.read("select 1")
"""


Columns = dict[str, list[str]]


def columns_of(path: Path) -> Columns:
    """Of each table of a warehouse."""
    query = """
    select table_name, list(column_name order by column_index) from duckdb_columns() semi join duckdb_tables()
    using (table_oid) where table_name <> 'origin_of_data' group by table_name order by table_name
    """
    with duckdb.connect(str(path), read_only=True) as connection:
        return dict(connection.execute(query).fetchall())


def content(path: Path, columns: Columns) -> dict[str, tuple[int, int | None]]:
    """The rows and a digest of all values of some columns of each table."""
    query = "select count(*), sum(hash(t)::hugeint) from (select {} from {}) t"
    with duckdb.connect(str(path), read_only=True) as connection:
        return {
            table: connection.execute(query.format(", ".join(f'"{name}"' for name in names), table)).fetchone()
            for table, names in columns.items()
        }


def opening(path: Path) -> subprocess.Popen[bytes]:
    source = (path.parent / "source").read_text(encoding="utf-8").strip()
    process = subprocess.Popen([sys.executable, "-c", OPEN, str(path), source], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def main() -> None:
    directory, kills = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 20
    columns, draw, whole = columns_of(directory / "warehouse.duckdb"), random.Random(16), True
    before = content(directory / "warehouse.duckdb", columns)
    print(", ".join(f"{table} {rows[0]}" for table, rows in before.items() if rows[0]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "warehouse.duckdb"
        for name in ("warehouse.duckdb", "source"):
            shutil.copyfile(directory / name, Path(folder) / name)
        began = time.monotonic()
        opening(path).wait()
        seconds = time.monotonic() - began
        print(f"undisturbed: {seconds:.2f} s, whole: {content(path, columns) == before}")
        for _ in range(kills):
            shutil.copyfile(directory / "warehouse.duckdb", path)
            process, moment = opening(path), draw.uniform(0, seconds)
            time.sleep(moment)
            process.kill()
            process.wait()
            version, same = stored_version(path), content(path, columns) == before
            opening(path).wait()
            after = content(path, columns) == before and stored_version(path) is not None
            whole &= same and after
            print(f"killed after {moment:.2f} s: version {version}, whole: {same}; opened again, whole: {after}")
    sys.exit(int(not whole))


if __name__ == "__main__":
    main()
