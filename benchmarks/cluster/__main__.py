"""The faults of several hosts: `make faults-cluster`, as root.

    .venv-cluster/bin/python -m benchmarks.cluster [--only C1,C6] [--write]

Each trial disturbs a backfill on the hosts of the compose file; its tables must then be those of one host, to the bit.
With --write the figures go to docs/runs/cluster.md.
"""

import argparse
import datetime as dt
import sys
from pathlib import Path

from benchmarks.cluster.campaign import campaign
from benchmarks.cluster.page import with_rows
from benchmarks.cluster.trials import TRIALS
from market_pipeline_tests.cluster.hosts import lacking
from market_pipeline_tests.cluster.share import share

PAGE = Path(__file__).parents[2] / "docs" / "runs" / "cluster.md"


def main() -> None:
    parser = argparse.ArgumentParser(description="Faults of several hosts, tried and counted.")
    parser.add_argument("--only", default="", help="trials by name, separated by commas")
    parser.add_argument("--write", action="store_true", help="write the figures to the page")
    asked = parser.parse_args()
    if reason := lacking():
        sys.exit(f"This machine lacks {reason}.")
    only, rows = set(filter(None, asked.only.split(","))), list[str]()
    with campaign(share()) as made:
        for trial in TRIALS:
            if not only or trial.name in only:
                figures = "; ".join(f"{name} {value:,.0f}" for name, value in trial.run(made).items())
                rows.append(f"| {trial.name} | {trial.title} | {figures} |")
                print(rows[-1], flush=True)
    if asked.write:
        page = with_rows(PAGE.read_text(encoding="utf-8"), rows, dt.datetime.now(dt.UTC).date())
        PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
