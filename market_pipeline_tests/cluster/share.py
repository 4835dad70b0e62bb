"""The same work for one host and for several: files of random walks, two markets, a range of sessions."""

import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.generated import bars_table, grids
from market_pipeline.config.markets import Market
from market_pipeline.config.markets_file import load_markets

SECRETS = {
    "PGPASSWORD": "word-of-the-catalogue",
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "word-of-the-store",
}
"""Of the compose file's services; they must appear in no log and no file."""

HOUR = 3600.0

DIGESTS = """
import json, sys
from benchmarks.digests import digests_of
from market_pipeline.config.settings import Settings
from market_pipeline.storage.selection import open_warehouse
with open_warehouse(Settings.from_environment()).snapshot() as connection:
    print(json.dumps(digests_of(connection, counted="repeated" not in sys.argv)))
"""
"""A program that prints the digests of the tables of its host's warehouse; `repeated`: of work that was done again."""

PAST = dt.timedelta(days=395)
"""Of prices before the first session: models are trained on a year at least."""

FULL = "MARKET_PIPELINE_TEST_FULL"
"""Set, tests take their full size: on several hosts a year of 40 stocks and 10 coins, of look-ahead 10,000 checks."""


@dataclass(frozen=True)
class Share:
    """How much of it."""

    stocks: int
    coins: int
    first: str
    last: str

    @property
    def start(self) -> dt.date:
        """Of the markets, before the first session."""
        return dt.date.fromisoformat(self.first) - PAST

    def write(self, folder: Path) -> None:
        """`config/markets.toml` and `files/`, below a folder."""
        names = {
            "stocks": [f"STOCK{number:02d}" for number in range(self.stocks)],
            "coins": [f"COIN{number:02d}-USD" for number in range(self.coins)],
        }
        calendars = {"stocks": "XNYS", "coins": "24/7"}
        for part in ("config", "files"):
            (folder / part).mkdir(parents=True)
        tables = [
            f'[{name}]\ncalendar = "{calendars[name]}"\nstart = {self.start}\nsymbols = {json.dumps(symbols)}\n'
            for name, symbols in names.items()
        ]
        (folder / "config" / "markets.toml").write_text("\n".join(tables), encoding="utf-8")
        for market in load_markets(folder / "config" / "markets.toml"):
            pq.write_table(self._bars(market), folder / "files" / f"{market.name}.parquet")

    def _bars(self, market: Market) -> pa.Table:
        until = int(np.searchsorted(market.sessions, np.datetime64(self.last)) + 1)
        return bars_table(market, grids(len(market.symbols), until)).rename_columns({"session": "date"})

    def command(self, market: str) -> list[str]:
        """What computes a market."""
        return ["market-pipeline", "backfill", "--market", market, "--start", self.first, "--end", self.last]

    def loading(self, market: str) -> list[str]:
        """What loads a market from its start, and computes its indicators: other assets are computed after it."""
        days = ["--start", str(self.start), "--end", self.last]
        return ["market-pipeline", "backfill", "--market", market, *days, "--assets", "prices,indicators"]


SMALL = Share(5, 2, "2024-06-03", "2024-06-28")
LARGE = Share(40, 10, "2024-01-02", "2024-12-31")
MARKETS = ("stocks", "coins")


def share(environment: Mapping[str, str] = os.environ) -> Share:
    """The share that the environment asks for."""
    return LARGE if environment.get(FULL) else SMALL


def variables_of(folder: Path) -> dict[str, str]:
    """The compose file's variables for a share that was written to a folder."""
    return SECRETS | {
        "MARKET_PIPELINE_SOURCE": "files", "MARKET_PIPELINE_CONFIG": "/srv/config/markets.toml",
        "CONFIG": str(folder / "config"), "FILES": str(folder / "files"), "WORKER_CPUS": "1",
    }  # fmt: skip


def on_one_host(wanted: Share, folder: Path) -> None:
    """The same work with a file, in `one` below the folder of the share."""
    for market in MARKETS:
        python(folder, "-m", "market_pipeline.cli", *wanted.command(market)[1:])


def python(folder: Path, *arguments: str) -> str:
    """The output of a Python process whose data directory is `one`."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("MARKET_PIPELINE_")} | {
        "MARKET_PIPELINE_HOME": str(folder / "one"), "MARKET_PIPELINE_SOURCE": "files",
        "MARKET_PIPELINE_FILES": str(folder / "files"),
        "MARKET_PIPELINE_CONFIG": str(folder / "config" / "markets.toml"),
    }  # fmt: skip
    ended = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=HOUR
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout
