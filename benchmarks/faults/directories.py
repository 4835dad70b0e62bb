"""The small data directory of the trials: three simulated symbols, a year of bars, a week of forecasts."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults.contents import Contents, contents, requests
from benchmarks.faults.forked import Child, Ended, FailedError, answer, command, share_calendars

MARKETS = """
[stocks]
calendar = "XNYS"
start = 2023-01-03
symbols = ["AUTOREG", "SIM1", "SIM2"]
"""
FIRST, NEXT, LAST = "2024-02-20", "2024-02-22", "2024-02-26"
"""The filled directory has forecasts from FIRST to the day before NEXT; a command adds those up to LAST."""

DAILY = "prices,indicators,forecasts,scores,leaderboard,signals,mart"


@dataclass(frozen=True)
class Directory:
    """A folder with a markets file and a data directory."""

    folder: Path
    source: str = "simulated"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def warehouse(self) -> Path:
        return self.data / "warehouse.duckdb"

    @property
    def mart(self) -> Path:
        return self.data / "mart.duckdb"

    @property
    def environment(self) -> dict[str, str]:
        """The variables of its commands."""
        return {
            "MARKET_PIPELINE_HOME": str(self.data),
            "MARKET_PIPELINE_SOURCE": self.source,
            "MARKET_PIPELINE_CONFIG": str(self.folder / "markets.toml"),
            "MARKET_PIPELINE_FILES": str(self.folder / "files"),
        }

    def start(self, *arguments: str, waits: bool = False) -> Child:
        """A command in a child, under way."""
        return Child(command(self.environment, *arguments), self.folder / "output.txt", waits=waits)

    def run(self, *arguments: str) -> Ended:
        """A command in a child, to its end."""
        return self.start(*arguments).wait()

    def must(self, *arguments: str) -> Ended:
        """The same; raises FailedError when it does not succeed."""
        ended = self.run(*arguments)
        if ended.status:
            raise FailedError(f"market-pipeline {' '.join(arguments)} ended with {ended.status}: {ended.output[-800:]}")
        return ended

    def contents(self) -> Contents:
        """What warehouse and mart hold."""
        return answer(lambda: contents(self.data), self.folder)

    def requests(self) -> frozenset[tuple[str, ...]]:
        """The different lines of the log of requests."""
        return answer(lambda: requests(self.data), self.folder)

    def become(self, other: "Directory") -> None:
        """Replace everything in the folder by a copy of another."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(other.folder, self.folder)


def empty(folder: Path, markets: str = MARKETS, source: str = "simulated") -> Directory:
    """A directory without data."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "markets.toml").write_text(markets, encoding="utf-8")
    share_calendars(folder / "markets.toml")
    return Directory(folder, source)


def filled(folder: Path) -> Directory:
    """A directory with a year of bars and forecasts from FIRST to before NEXT; made once."""
    directory = Directory(folder)
    if not directory.mart.exists():
        empty(folder)
        directory.must("backfill", "--market", "stocks", "--start", FIRST, "--end", "2024-02-21")
    return directory
