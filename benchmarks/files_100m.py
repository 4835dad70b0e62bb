"""How fast, and in how much memory, the `files` source reads generated bars, beside DuckDB on the same files.

    python benchmarks/files_100m.py /folder/with/10-GB-free [million rows] [--without "duckdb, sorted"]

The bars are made up: random walks of 5,000 symbols. Each reading is a process of its own; the readers take turns,
three rounds, and the median counts. The files are deleted.
"""

import argparse
import datetime as dt
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pv
import pyarrow.parquet as pq

SYMBOLS = 5_000
LAYOUTS = ("by symbol", "by date")
ROUNDS = 3
CSV_SHARE = 10
"""CSV is ten times as large: it is measured on a tenth of the rows."""


def bars(sessions: int, layout: str) -> Iterator[pa.Table]:
    """Tables of about a million generated bars, in the order of the layout."""
    names = pa.array([f"S{number:05d}" for number in range(SYMBOLS)])
    days = np.arange(sessions) + np.datetime64("1970-01-01", "D")
    draw = np.random.default_rng(1)
    level = np.full(SYMBOLS, 100.0)
    step = max(1, 1_000_000 // (sessions if layout == "by symbol" else SYMBOLS))
    for start in range(0, SYMBOLS if layout == "by symbol" else sessions, step):
        if layout == "by symbol":
            rows = names[start : start + step]
            close = 100 * np.exp(np.cumsum(draw.normal(0, 0.01, (len(rows), sessions)), axis=1)).ravel()
            symbol, day = np.repeat(np.arange(start, start + len(rows)), sessions), np.tile(days, len(rows))
        else:
            piece = days[start : start + step]
            moves = np.exp(np.cumsum(draw.normal(0, 0.01, (len(piece), SYMBOLS)), axis=0))
            close, level = (level * moves).ravel(), level * moves[-1]
            symbol, day = np.tile(np.arange(SYMBOLS), len(piece)), np.repeat(piece, SYMBOLS)
        yield pa.table(
            {
                "symbol": pa.DictionaryArray.from_arrays(pa.array(symbol, pa.int32()), names).cast(pa.string()),
                "date": pa.array(day, pa.date32()),
                "open": close * 0.999, "high": close * 1.01, "low": close * 0.99, "close": close,
                "volume": draw.integers(1_000, 10_000_000, len(close)),
            }
        )  # fmt: skip


def write(path: Path, sessions: int, layout: str) -> None:
    pieces = bars(sessions, layout)
    first = next(pieces)
    make = pq.ParquetWriter if path.suffix == ".parquet" else pv.CSVWriter
    with make(str(path), first.schema) as writer:
        writer.write_table(first)
        for piece in pieces:
            writer.write_table(piece)


def read_ours(folder: Path, sessions: int) -> int:
    from market_pipeline.config.markets import Market
    from market_pipeline.sources.files import FilesSource

    symbols = tuple(f"S{number:05d}" for number in range(SYMBOLS))
    first = dt.date(1970, 1, 1)
    market = Market("generated", "24/7", first, symbols)
    pieces = FilesSource(folder).batches(market, symbols, first, first + dt.timedelta(days=sessions - 1))
    return sum(len(piece.bars) for piece in pieces)


def read_duckdb(folder: Path, sessions: int, order: str = "") -> int:
    """The rows as they stand in the file: nothing is brought together, judged or turned into bars."""
    import duckdb

    [path] = folder.iterdir()
    relation = duckdb.sql(f"select symbol, date, open, high, low, close, volume from '{path}' {order}")
    return sum(batch.num_rows for batch in relation.to_arrow_reader(1_000_000))


def read_duckdb_sorted(folder: Path, sessions: int) -> int:
    """The rows by symbol and day, as bars must come."""
    return read_duckdb(folder, sessions, "order by symbol, date")


READERS = {"ours": read_ours, "duckdb": read_duckdb, "duckdb, sorted": read_duckdb_sorted}


def measured(reader: str, place: Path, sessions: int) -> tuple[float, ...]:
    """Rows, seconds and peak memory in GB of one reading in a process of its own."""
    command = [sys.executable, __file__, "--read", reader, str(place), str(sessions)]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    return tuple(map(float, run.stdout.split()))


def main(folder: Path, millions: float, readers: Sequence[str]) -> None:
    print("| file | rows | reader | seconds | million rows/s | peak memory |\n|---|---|---|---|---|---|")
    for suffix, share in ((".parquet", 1), (".csv", CSV_SHARE)):
        for layout in LAYOUTS:
            place = folder / f"generated-{layout.replace(' ', '-')}{suffix}"
            place.mkdir(parents=True, exist_ok=True)
            sessions = int(millions * 1e6 / share / SYMBOLS)
            write(place / f"bars{suffix}", sessions, layout)
            os.sync()
            rounds = [{reader: measured(reader, place, sessions) for reader in readers} for _ in range(ROUNDS)]
            for reader in readers:
                rows, seconds, peak = (
                    statistics.median(column) for column in zip(*(r[reader] for r in rounds), strict=True)
                )
                case = f"{suffix[1:]}, {layout} | {int(rows):,} | {reader} | {seconds:.1f}"
                print(f"| {case} | {rows / seconds / 1e6:.2f} | {peak:.2f} GB |", flush=True)
            ratio = statistics.median(r["duckdb"][1] / r["ours"][1] for r in rounds)
            print(f"Rate of ours against duckdb, {suffix[1:]}, {layout}: {ratio:.2f}", file=sys.stderr, flush=True)
            (place / f"bars{suffix}").unlink()
            place.rmdir()


if __name__ == "__main__":
    if sys.argv[1] == "--read":
        import duckdb  # noqa: F401  what a program loads once is not what a reading takes

        import market_pipeline.sources.files  # noqa: F401

        began = time.perf_counter()
        count = READERS[sys.argv[2]](Path(sys.argv[3]), int(sys.argv[4]))
        taken = time.perf_counter() - began
        print(count, taken, round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2))
    else:
        asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
        asked.add_argument("folder", type=Path, help="where the files are made and deleted")
        asked.add_argument("millions", type=float, nargs="?", default=100, help="rows of a Parquet file, in millions")
        asked.add_argument(
            "--without", action="append", default=[], choices=["duckdb, sorted"], help="a reader to skip"
        )
        given = asked.parse_args()
        main(given.folder, given.millions, [reader for reader in READERS if reader not in given.without])
