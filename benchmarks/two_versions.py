"""Our sides of the benchmark rows in two checkouts, by turns, on data that each makes: is the newer one slower?

    python benchmarks/two_versions.py /path/of/older/checkout [--size 1] [--only B3,B8] [--rounds 3]

Both run in the environment of this program. The packages of other people are not needed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import growth
from rows import rows_of

NEWER = Path(__file__).parent.parent
FORMER = {"walk_forward:published": "walk_forward:served", "growth:data_directories": "growth:homes"}
"""Sides with the names that they have at 0.1.0."""
HEAD = "| | work | older | newer | newer / older |\n|---|---|---|---|---|"


def measured(checkout: Path, side: str, folder: Path, size: float) -> dict[str, float]:
    """What a side of a checkout reports; raises RuntimeError with the end of its output."""
    program = checkout / "benchmarks" / "one_side.py"
    module, function = side.split(":")
    if f"def {function}(" not in (program.parent / f"{module}.py").read_text(encoding="utf-8"):
        side = FORMER.get(side, side)
    run = subprocess.run(
        [sys.executable, "-W", "ignore", str(program), side, str(folder), str(size)],
        capture_output=True, text=True, check=False, cwd=checkout, env={**os.environ, "PYTHONPATH": str(checkout)},
    )  # fmt: skip
    if run.returncode:
        raise RuntimeError(f"{side} of {checkout}: {run.stderr.strip().splitlines()[-1]}")
    found: dict[str, float] = json.loads(run.stdout.strip().splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Our benchmark rows in two checkouts, by turns.")
    parser.add_argument("older", type=Path)
    parser.add_argument("--size", type=float, default=1.0, help="1 is the full workload")
    parser.add_argument("--only", default="", help="rows by name, separated by commas")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    only = set(filter(None, asked.only.split(",")))
    print(HEAD, flush=True)
    with tempfile.TemporaryDirectory(prefix="market-pipeline-bench-") as temporary:
        folders = {checkout: Path(temporary) / str(place) for place, checkout in enumerate((asked.older, NEWER))}
        for folder in folders.values():
            folder.mkdir()
        made = set[str]()
        rows = {row.ours: row for row in rows_of(asked.size) if not only or row.name in only}
        for side, row in rows.items():
            for need in [need for need in row.needs if need not in made]:
                made.add(need)
                for checkout, folder in folders.items():
                    measured(checkout, need, folder, asked.size)
            turns = [
                {checkout: measured(checkout, side, folder, asked.size)["seconds"] for checkout, folder in turn}
                for turn in (list(folders.items())[:: 1 - 2 * (number % 2)] for number in range(asked.rounds))
            ]
            show(row.name, row.work, turns, asked.older)
        if not only or "B10" in only:
            for checkout, folder in folders.items():
                measured(checkout, "growth:data_directories", folder, asked.size)
            for count in growth.counts(asked.size):
                pair = {
                    checkout: measured(checkout, "growth:ours", folder, count) for checkout, folder in folders.items()
                }
                peaks = " and ".join(f"{found['peak']:.2f}" for found in pair.values())
                seconds = {checkout: found["seconds"] for checkout, found in pair.items()}
                show("B10", f"{count:,} symbols; {peaks} GB", [seconds], asked.older)


def show(name: str, work: str, turns: list[dict[Path, float]], older: Path) -> None:
    """Print a row: medians, and the median of the ratios of each turn."""
    before, after = (statistics.median(turn[checkout] for turn in turns) for checkout in (older, NEWER))
    ratio = statistics.median(turn[NEWER] / turn[older] for turn in turns)
    print(f"| {name} | {work} | {before:.3g} s | {after:.3g} s | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
