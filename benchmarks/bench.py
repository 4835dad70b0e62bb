"""How fast the pipeline is, beside what others use, on the same data in the same session: `make bench`.

    python benchmarks/bench.py [--size 0.2] [--only B1,B3] [--peers .venv-bench/bin/python] [--write docs/benchmarks.md]

Each side of a row runs in a process of its own, both in turn; medians and their ratio count. A row that fails shows
its error, and the others go on.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import growth
import numpy as np
from rows import Row, rows_of

HERE = Path(__file__).parent
ROUNDS = 3
ENOUGH = 60.0
"""Seconds of both sides together after which a row begins no further round."""
PATIENCE = 900
"""Seconds after which a side has failed."""
HEAD = "| | work | against | ours | theirs | ratio | target | met |\n|---|---|---|---|---|---|---|---|"


class Bench:
    """The sides of all rows, on one folder of generated data."""

    def __init__(self, folder: Path, size: float, peers: str | None) -> None:
        self.folder, self.size, self.peers = folder, size, peers
        self._made: set[str] = set()

    def measured(self, side: str, size: float | None = None) -> dict[str, float]:
        """What one side reports, run in a process of its own; raises RuntimeError with the end of its output."""
        foreign = side.startswith("peers.")
        if foreign and not self.peers:
            raise RuntimeError("not measured: its environment was not named")
        python = self.peers if foreign else sys.executable
        command = [str(python), "-W", "ignore", str(HERE / "one_side.py"), side, str(self.folder)]
        try:
            run = subprocess.run(
                [*command, str(self.size if size is None else size)],
                capture_output=True, text=True, check=False, timeout=PATIENCE,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"{side} took more than {PATIENCE} s") from None
        if run.returncode:
            sys.stderr.write(run.stderr)
            words = (run.stderr.strip().splitlines() or [f"exit status {run.returncode}"])[-1]
            raise RuntimeError(f"{side} failed: {words[:200]}")
        found: dict[str, float] = json.loads(run.stdout.strip().splitlines()[-1])
        return found

    def make(self, needs: Iterable[str]) -> None:
        """Have what a row needs made, once."""
        for need in needs:
            if need not in self._made:
                self.measured(need)
                self._made.add(need)

    def line(self, row: Row) -> str:
        """The row of the table, or why there is none."""
        try:
            self.make(row.needs)
            ours, theirs = [], []
            began = time.perf_counter()
            while len(ours) < ROUNDS and (not ours or time.perf_counter() - began < ENOUGH):
                ours.append(self.measured(row.ours))
                theirs.append(self.measured(row.theirs))
        except RuntimeError as error:
            why = str(error).replace("|", "/")
            return f"| {row.name} | {row.work} | {row.against} | | | {why} | {row.target} | **no** |"
        one, other = (statistics.median(side["seconds"] for side in sides) for sides in (ours, theirs))
        ratio, slowest = row.ratio(one, other), statistics.median(side.get("slowest", 0.0) for side in ours)
        met = {True: "yes", False: "**no**", None: ""}[row.met(ratio, slowest)]
        figure = f"{one:.3g} s" + (f", slowest {1e3 * slowest:.0f} ms" if row.slowest else "")
        cells = (row.name, row.work, row.against, figure, f"{other:.3g} s", f"{ratio:.3g} x", row.target, met)
        return f"| {' | '.join(cells)} |"

    def growth(self) -> str:
        """B10: the exponent of seconds in symbols, and the most memory at the most of them."""
        counts = growth.counts(self.size)
        words = f"prices to forecasts of one month's origins, {', '.join(f'{c:,}' for c in counts)} symbols x 10 years"
        try:
            self.make(["growth:data_directories"])
            found = [self.measured("growth:ours", count) for count in counts]
        except RuntimeError as error:
            return f"| B10 | {words} | itself | | | {error} | <= 1.05, <= 4 GB | **no** |"
        exponent = float(np.polyfit(np.log(counts), np.log([one["seconds"] for one in found]), 1)[0])
        met = "yes" if exponent <= 1.05 and found[-1]["peak"] <= 4 else "**no**"
        seconds = ", ".join(f"{one['seconds']:.3g} s" for one in found)
        figure = f"exponent {exponent:.2f}, {found[-1]['peak']:.2f} GB"
        return f"| B10 | {words} | itself | {seconds} | | {figure} | <= 1.05, <= 4 GB | {met} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="The benchmark table: both sides of each row in one session.")
    parser.add_argument("--size", type=float, default=0.2, help="1 is the full workload")
    parser.add_argument("--only", default="", help="rows by name, separated by commas")
    parser.add_argument("--peers", default=None, help="the Python of the other side's environment")
    parser.add_argument("--write", type=Path, default=None, help="the page to write the table into")
    asked = parser.parse_args()
    only = set(filter(None, asked.only.split(",")))
    began, lines = time.perf_counter(), HEAD.splitlines()
    print(HEAD, flush=True)
    with tempfile.TemporaryDirectory(prefix="market-pipeline-bench-") as temporary:
        bench = Bench(Path(temporary), asked.size, asked.peers)
        for row in rows_of(asked.size):
            if not only or row.name in only:
                lines.append(bench.line(row))
                print(lines[-1], flush=True)
        if not only or "B10" in only:
            lines.append(bench.growth())
            print(lines[-1], flush=True)
    if asked.write:
        asked.write.write_text(page(lines, asked.size, time.perf_counter() - began), encoding="utf-8")


def page(lines: list[str], size: float, seconds: float) -> str:
    """The table with what a reader has to know of it."""
    head = (HERE / "benchmarks.md.in").read_text(encoding="utf-8")
    where = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    packages = ", ".join(f"{name} {version(name)}" for name in ("dagster", "duckdb", "ta-lib", "numpy"))
    return head.format(
        table="\n".join(lines), size=f"{size:g}", minutes=f"{seconds / 60:.0f}", where=where, packages=packages
    )


if __name__ == "__main__":
    main()
