"""B12 to B15 and B18: whole commands of two checkouts, by turns, each from an empty data directory.

    python benchmarks/whole_commands.py /path/of/older/checkout [--only B12,B18] [--rounds 3]

Each runs in the environment that `make` made in its checkout, on the same files of random walks. B14 takes about an
hour for each round, and B15 needs what B14 made: name both, or B15 is left out.
"""

import argparse
import datetime as dt
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
from generated import bars_table, grids

from market_pipeline.config.markets import Market

NEWER = Path(__file__).parent.parent
BEFORE = dt.timedelta(days=395)
"""Of prices before the first forecast: models are trained on a year at least."""
PROGRAM = """
try:
    from market_pipeline.cli.main import main
except ImportError:  # version 0.1.0
    from market_pipeline.cli import main
main()
"""
HEAD = "| | work | older | newer | older / newer | target |\n|---|---|---|---|---|---|"


@dataclass(frozen=True)
class Universe:
    """A market and the sessions for which it is forecast."""

    calendar: str
    symbols: int
    first: dt.date
    last: dt.date

    @property
    def market(self) -> Market:
        names = tuple(f"S{number:05d}" for number in range(self.symbols))
        return Market("bench", self.calendar, self.first - BEFORE, names)

    def write(self, folder: Path) -> None:
        """The markets file, and the file of bars: to the last session, and three sessions more for B15."""
        folder.mkdir()
        market = self.market
        sessions = int((market.sessions.astype("datetime64[D]") <= self.last).sum()) + 3
        (folder / "markets.toml").write_text(
            f'[bench]\ncalendar = "{self.calendar}"\nstart = {market.start}\nsymbols = {json.dumps(market.symbols)}\n',
            encoding="utf-8",
        )
        bars = bars_table(market, grids(self.symbols, sessions)).rename_columns({"session": "date"})
        (folder / "files").mkdir()
        pq.write_table(bars, folder / "files" / "bench.parquet")

    def backfill(self, first: dt.date | None = None, last: dt.date | None = None) -> list[str]:
        """The command's arguments, for a part of the sessions if they are named."""
        return ["backfill", "--market", "bench", "--start", str(first or self.first), "--end", str(last or self.last)]


@dataclass(frozen=True)
class Row:
    """A command that is measured on a universe."""

    name: str
    work: str
    target: str
    universe: Universe | None = None
    """None: the demo, which brings its own."""


DECEMBER = dt.date(2024, 12, 31)
BUT_ONE = dt.date(2024, 12, 30)
"""The last session but one of the year, so that one more day needs no further month of models."""
ROWS = (
    Row("B12", "10 coins x 2 years of daily origins, empty folder to report", ">= 5 x",
        Universe("24/7", 10, dt.date(2023, 1, 1), DECEMBER)),
    Row("B13", "60 stocks x 3 years, the same", ">= 4 x", Universe("XNYS", 60, dt.date(2022, 1, 3), DECEMBER)),
    Row("B14", "402 stocks x 5 years, the same", ">= 2 x", Universe("XNYS", 402, dt.date(2020, 1, 2), BUT_ONE)),
    Row("B18", "the demo, with the environment there", ">= 2.5 x"),
)  # fmt: skip


def command(checkout: Path, home: Path, arguments: list[str], data: Path | None) -> float:
    """The seconds of one command of a checkout; raises RuntimeError with the end of its output."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("MARKET_PIPELINE_")}
    settings = {"HOME": home} | (
        {"SOURCE": "files", "FILES": data / "files", "CONFIG": data / "markets.toml"} if data else {}
    )
    variables = {f"MARKET_PIPELINE_{name}": str(value) for name, value in settings.items()}
    began = time.perf_counter()
    run = subprocess.run(
        [checkout / ".venv" / "bin" / "python", "-W", "ignore", "-c", PROGRAM, *arguments],
        env=kept | variables, cwd=home.parent,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if run.returncode:
        raise RuntimeError(f"{checkout}, {' '.join(arguments)}: {(run.stdout + run.stderr)[-2000:]}")
    return time.perf_counter() - began


def next_day(universe: Universe) -> list[str]:
    """A daily run's arguments: the session after the last, in the same month."""
    sessions = universe.market.sessions.astype("datetime64[D]")
    day = sessions[sessions > universe.last][0].item()
    return [*universe.backfill(day, day), "--assets", "prices,indicators,forecasts,scores,leaderboard,signals,mart"]


def line(row: Row, seconds: Mapping[str, list[float]]) -> str:
    older, newer = statistics.median(seconds["older"]), statistics.median(seconds["newer"])
    ratio = statistics.median(a / b for a, b in zip(seconds["older"], seconds["newer"], strict=True))
    return f"| {row.name} | {row.work} | {older:.1f} s | {newer:.1f} s | {ratio:.2f} | {row.target} |"


def measured(row: Row, checkout: Path, folder: Path, *, daily: bool) -> tuple[float, float | None]:
    """The seconds of a row from an empty data directory, and with `daily` those of the day after it."""
    home, data = folder / "home", folder / row.name if row.universe else None
    arguments = row.universe.backfill() if row.universe else ["demo"]
    try:
        seconds = command(checkout, home, arguments, data)
        day = command(checkout, home, next_day(row.universe), data) if daily and row.universe else None
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return seconds, day


def main() -> None:
    parser = argparse.ArgumentParser(description="Whole commands of two checkouts, by turns.")
    parser.add_argument("older", type=Path)
    parser.add_argument("--only", default="B12,B13,B18", help="rows by name, separated by commas")
    parser.add_argument("--rounds", type=int, default=1)
    asked = parser.parse_args()
    only, checkouts = asked.only.split(","), {"older": asked.older.resolve(), "newer": NEWER}
    print(HEAD, flush=True)
    with tempfile.TemporaryDirectory(prefix="market-pipeline-bench-") as temporary:
        folder = Path(temporary)
        for row in (row for row in ROWS if row.name in only):
            if row.universe:
                row.universe.write(folder / row.name)
            daily = row.name == "B14" and "B15" in only
            seconds, days = {"older": [], "newer": []}, {"older": [], "newer": []}
            for number in range(asked.rounds):
                for side in list(checkouts)[:: 1 - 2 * (number % 2)]:
                    of_row, of_day = measured(row, checkouts[side], folder, daily=daily)
                    seconds[side].append(of_row)
                    days[side] += [of_day] if of_day else []
            print(line(row, seconds), flush=True)
            if daily:
                print(line(Row("B15", "a daily run after that", ">= 3 x"), days), flush=True)


if __name__ == "__main__":
    main()
