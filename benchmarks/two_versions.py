"""Our sides of the benchmark rows in two checkouts, by turns, on data that each makes: is the newer one slower?

    python benchmarks/two_versions.py /path/of/older/checkout [--size 1] [--only B3,B8] [--rounds 3]

Each runs in the environment that `make` made in its checkout, as their packages differ. Left out are B10 and the rows
that the older one does not have.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
from pathlib import Path

from rows import rows_of

NEWER = Path(__file__).parent.parent
SIDES = """
import json, sys
from rows import rows_of
print(json.dumps({row.name: [row.ours, *row.needs] for row in rows_of(float(sys.argv[1]))}))
"""
"""Prints our side of each row, and what is made before it, as the checkout names them."""
HEAD = "| | work | older | newer | newer / older |\n|---|---|---|---|---|"


def output(checkout: Path, *arguments: str) -> str:
    """What Python prints in the benchmarks of a checkout; raises RuntimeError with the end of its errors."""
    run = subprocess.run(
        [checkout.resolve() / ".venv" / "bin" / "python", "-W", "ignore", *arguments],
        capture_output=True, text=True, check=False,
        cwd=checkout / "benchmarks", env={**os.environ, "PYTHONPATH": str(checkout)},
    )  # fmt: skip
    if run.returncode:
        raise RuntimeError(f"{checkout}, {arguments}: {run.stderr.strip().splitlines()[-1]}")
    return run.stdout


def measured(checkout: Path, side: str, folder: Path, size: float) -> float:
    """The seconds of a side of a checkout; nan for one that only makes data."""
    last = output(checkout, "one_side.py", side, str(folder), str(size)).strip().splitlines()[-1]
    return float(json.loads(last).get("seconds", float("nan")))


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
        sides = {checkout: json.loads(output(checkout, "-c", SIDES, str(asked.size))) for checkout in folders}
        for folder in folders.values():
            folder.mkdir()
        made = set[tuple[Path, str]]()
        for row in rows_of(asked.size):
            if (only and row.name not in only) or row.name not in sides[asked.older]:
                continue
            for checkout, folder in folders.items():
                for need in sides[checkout][row.name][1:]:
                    if (checkout, need) not in made:
                        made.add((checkout, need))
                        measured(checkout, need, folder, asked.size)
            turns = [
                {
                    checkout: measured(checkout, sides[checkout][row.name][0], folder, asked.size)
                    for checkout, folder in turn
                }
                for turn in (list(folders.items())[:: 1 - 2 * (number % 2)] for number in range(asked.rounds))
            ]
            show(row.name, row.work, turns, asked.older)


def show(name: str, work: str, turns: list[dict[Path, float]], older: Path) -> None:
    """Print a row: medians, and the median of the ratios of each turn."""
    before, after = (statistics.median(turn[checkout] for turn in turns) for checkout in (older, NEWER))
    ratio = statistics.median(turn[NEWER] / turn[older] for turn in turns)
    print(f"| {name} | {work} | {before:.3g} s | {after:.3g} s | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
