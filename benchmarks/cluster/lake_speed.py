"""The lake beside the file on one host: load, train, forecast, score, publish, read, each by its command.

    .venv-cluster/bin/python -m benchmarks.cluster.lake_speed [--symbols 40] [--rounds 2]

On a machine without other load. Postgres and an S3 server run on the same host; the rounds alternate. Reading is ten
queries by `market_pipeline.mart`, in a process that has read nothing yet, and then once more.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from market_pipeline_tests.cluster import services
from market_pipeline_tests.cluster.share import HOUR, Share

MARKET = "stocks"
STEPS = {
    "train": "models",
    "forecast": "forecasts",
    "score": "scores",
    "verdicts": "leaderboard,signals",
    "publish": "mart",
}
READS = """
import json, time
from market_pipeline import mart
QUERIES = (
    "from forecasts where symbol = 'STOCK03' and horizon = 5 and model = 'har' order by origin",
    "select model, horizon, avg(crps) from scores group by all order by all",
    "select model, avg(covered_80::int) from scores where horizon = 20 group by all order by all",
    "select symbol, avg(brier) b from scores where model = 'linear' and horizon = 1 group by all order by b limit 10",
    "from signals where trend = 'up' order by p_up desc limit 20",
    "select year(origin) y, avg(abs_error) from scores where model = 'ewma' and horizon = 1 group by all order by y",
    "select session, close from prices where symbol = 'STOCK01' order by session desc limit 250",
    "select model, quantile_cont(realised, 0.5) from scores where horizon = 5 group by all order by all",
    "select origin, count(*) from forecasts where model = 'har' and horizon = 1 group by all order by 1 desc limit 5",
    "from leaderboard where verdict = 'beats_baseline' order by skill desc",
)
taken = []
for _ in range(2):
    began = time.perf_counter()
    for query in QUERIES:
        mart.sql(query)
    taken.append(time.perf_counter() - began)
print(json.dumps(taken))
"""


def measured(share: Share, folder: Path, environment: Mapping[str, str]) -> dict[str, float]:
    """The seconds of each step."""
    share.write(folder)
    settings = {
        "HOME": folder / "home", "SOURCE": "files", "FILES": folder / "files",
        "CONFIG": folder / "config" / "markets.toml",
    }  # fmt: skip
    kept = {name: text for name, text in os.environ.items() if not name.startswith("MARKET_PIPELINE_")}
    variables = {f"MARKET_PIPELINE_{name}": str(value) for name, value in settings.items()}
    every = kept | variables | environment

    def output(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "-W", "ignore", *arguments], env=every, check=True, capture_output=True, text=True,
            timeout=HOUR,
        ).stdout  # fmt: skip

    seconds, computed = dict[str, float](), share.command(MARKET)
    lines = {"load": share.loading(MARKET)} | {step: [*computed, "--assets", assets] for step, assets in STEPS.items()}
    for step, line in lines.items():
        began = time.perf_counter()
        output("-m", "market_pipeline.cli", *line[1:])
        seconds[step] = time.perf_counter() - began
    seconds["ten queries, first"], seconds["ten queries, again"] = json.loads(output("-c", READS))
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description="The lake beside the file on one host, step by step.")
    parser.add_argument("--symbols", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=2)
    asked = parser.parse_args()
    share = Share(asked.symbols, 1, "2024-01-02", "2024-12-31")
    every = dict[str, list[dict[str, float]]]()
    with services.postgres() as catalogue, services.object_store() as store:
        for number in range(asked.rounds):
            lake = store.environment | {
                "MARKET_PIPELINE_WAREHOUSE": f"ducklake:postgres:{catalogue.make_database()}",
                "MARKET_PIPELINE_STORE": f"s3://{services.BUCKET}/{number}",
            }
            for kind, environment in {"file": dict[str, str](), "lake": lake}.items():
                with tempfile.TemporaryDirectory(prefix="market-pipeline-lake-") as folder:
                    every.setdefault(kind, []).append(measured(share, Path(folder), environment))
                print(kind, {step: round(value, 2) for step, value in every[kind][-1].items()}, flush=True)
    print("| step | file | lake | lake / file |\n|---|---|---|---|")
    for step in every["file"][0]:
        file, lake_ = (statistics.median(round_[step] for round_ in every[kind]) for kind in ("file", "lake"))
        print(f"| {step} | {file:.2f} s | {lake_:.2f} s | {lake_ / file:.2f} |")


if __name__ == "__main__":
    main()
