"""An older data directory, upgraded and killed at random moments: is the warehouse whole each time?

    python benchmarks/upgrade_kills.py DIRECTORY [kills, 20]

Works on copies. Prints a line for each kill: when it came, the schema version that was found, and whether every table
has the same rows and digests as before. Ends with exit status 1 if any does not.
"""

import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from market_pipeline.storage.catalog import WAREHOUSE
from market_pipeline.storage.upgrade import stored_version

OPEN = """
import sys
from pathlib import Path
from market_pipeline.storage.duckdb_file import DuckDBFile
warehouse = DuckDBFile(Path(sys.argv[1]), sys.argv[2])
print("ready", flush=True)
warehouse.read("select 1")
"""


def content(path: Path) -> dict[str, object]:
    with duckdb.connect(str(path), read_only=True) as connection:
        query = "select count(*), sum(hash(t)::hugeint) from {} t"
        return {table: connection.execute(query.format(table)).fetchone() for table in WAREHOUSE}


def opening(path: Path) -> subprocess.Popen[bytes]:
    source = (path.parent / "source").read_text(encoding="utf-8").strip()
    process = subprocess.Popen([sys.executable, "-c", OPEN, str(path), source], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def main() -> None:
    directory, kills = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 20
    before, draw, whole = content(directory / "warehouse.duckdb"), random.Random(16), True
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "warehouse.duckdb"
        for name in ("warehouse.duckdb", "source"):
            shutil.copyfile(directory / name, Path(folder) / name)
        began = time.monotonic()
        opening(path).wait()
        seconds = time.monotonic() - began
        print(f"undisturbed: {seconds:.2f} s, whole: {content(path) == before}")
        for _ in range(kills):
            shutil.copyfile(directory / "warehouse.duckdb", path)
            process, moment = opening(path), draw.uniform(0, seconds)
            time.sleep(moment)
            process.kill()
            process.wait()
            version, same = stored_version(path), content(path) == before
            opening(path).wait()
            after = content(path) == before and stored_version(path) is not None
            whole &= same and after
            print(f"killed after {moment:.2f} s: version {version}, whole: {same}; opened again, whole: {after}")
    sys.exit(int(not whole))


if __name__ == "__main__":
    main()
