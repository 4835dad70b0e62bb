"""The same work for one host and for several: files of random walks, two markets, a range of sessions."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.generated import bars_table, grids
from market_pipeline.config.markets import Market
from market_pipeline.config.markets_file import load_markets

FULL = "MARKET_PIPELINE_TEST_FULL"
"""Set, the test on several hosts takes a year of 40 stocks and 10 coins."""


@dataclass(frozen=True)
class Share:
    """How much of it."""

    stocks: int
    coins: int
    first: str
    last: str

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
            f'[{name}]\ncalendar = "{calendars[name]}"\nstart = 2023-01-03\nsymbols = {json.dumps(symbols)}\n'
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


SMALL = Share(5, 2, "2024-06-03", "2024-06-28")
LARGE = Share(40, 10, "2024-01-02", "2024-12-31")
MARKETS = ("stocks", "coins")


def share(environment: Mapping[str, str] = os.environ) -> Share:
    """The share that the environment asks for."""
    return LARGE if environment.get(FULL) else SMALL
