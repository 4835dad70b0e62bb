"""Many symbols x ten years through the lake: a month from indicators to forecasts, and its most memory.

    .venv-cluster/bin/python -m benchmarks.cluster.lake_growth [--symbols 5000]

The work of B10 (`benchmarks/growth.py`), in a process of its own, with Postgres and an S3 server on this host.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from market_pipeline_tests.cluster import services

sys.path.insert(0, str(Path(__file__).parents[1]))  # its modules are scripts, which import each other by name

import growth
from generated import TEN_YEARS, as_stored, bars_table, grids, market_of

from market_pipeline.config.settings import Settings
from market_pipeline.storage.selection import open_warehouse
from market_pipeline.storage.store import open_store
from market_pipeline.storage.warehouse import MEMORY_LIMIT

YEAR = 252


def load(count: int) -> None:
    """Ten years of bars, a year in each transaction."""
    market, values = market_of(count), grids(count, TEN_YEARS)
    bars = as_stored(bars_table(market, values))
    del values
    warehouse = open_warehouse(Settings.from_environment())
    for first in range(0, bars.num_rows, YEAR * count):
        part = bars.slice(first, YEAR * count)
        warehouse.write(market.name, lambda transaction, rows=part: transaction.append("prices", rows))


def month(count: int) -> None:
    """Prints the seconds and the gigabytes."""
    settings = Settings.from_environment()
    config = {"memory_limit": MEMORY_LIMIT, "temp_directory": str(settings.home / "spill")}
    warehouse = open_warehouse(settings, config=config)
    print(json.dumps(growth.a_month(warehouse, open_store(settings), market_of(count))))


def main() -> None:
    parser = argparse.ArgumentParser(description="A month of many symbols through the lake.")
    parser.add_argument("--symbols", type=int, default=5000)
    parser.add_argument("--only", choices=["load", "month"], help="within a process of its own")
    asked = parser.parse_args()
    if asked.only:
        {"load": load, "month": month}[asked.only](asked.symbols)
        return
    with (
        services.postgres() as catalogue,
        services.object_store() as store,
        tempfile.TemporaryDirectory(prefix="market-pipeline-growth-") as home,
    ):
        environment = os.environ | store.environment | {
            "MARKET_PIPELINE_HOME": home, "MARKET_PIPELINE_SOURCE": "files", "MARKET_PIPELINE_FILES": home,
            "MARKET_PIPELINE_WAREHOUSE": f"ducklake:postgres:{catalogue.make_database()}",
            "MARKET_PIPELINE_STORE": f"s3://{services.BUCKET}/growth",
        }  # fmt: skip
        for part in ("load", "month"):
            line = [sys.executable, "-W", "ignore", "-m", "benchmarks.cluster.lake_growth", "--only", part]
            done = subprocess.run(
                [*line, "--symbols", str(asked.symbols)], env=environment, check=True, stdout=subprocess.PIPE, text=True
            )
        figures = json.loads(done.stdout)
        print(f"{asked.symbols:,} symbols: {figures['seconds']:.0f} s, {figures['peak']:.2f} GB")


if __name__ == "__main__":
    main()
