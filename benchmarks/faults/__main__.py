"""The fault campaign: `make faults`.

    python -m benchmarks.faults [--size 0.01] [--only F1,F6] [--seed 17] [--write]

Runs every figure for its share of trials and minutes. Without --write nothing is recorded. With --seed one trial of
each named figure is repeated, and its outcome printed.
"""

import argparse
import datetime as dt
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.faults import page
from benchmarks.faults.figures import FIGURES
from benchmarks.faults.forked import FailedError, import_everything
from benchmarks.faults.protocol import Figure, Outcome
from market_pipeline import __version__

LEAST_MINUTES = 0.5
"""However small the size."""

AS_IT_SHOULD_BE = "as it should be"


def main() -> None:
    parser = argparse.ArgumentParser(description="Faults tried and counted; writes docs/reliability.md.")
    parser.add_argument("--size", type=float, default=0.01, help="1 is the full campaign, of many hours")
    parser.add_argument("--only", default="", help="figures by name, separated by commas")
    parser.add_argument("--seed", type=int, default=None, help="only this trial of each figure")
    parser.add_argument("--folder", type=Path, default=None, help="where the directories are made")
    parser.add_argument("--write", action="store_true", help="record the results and write the page")
    asked = parser.parse_args()
    only = set(filter(None, asked.only.split(",")))
    figures = [figure for figure in FIGURES if not only or figure.name in only]
    with tempfile.TemporaryDirectory(prefix="market-pipeline-faults-", dir=asked.folder) as temporary:
        import_everything()
        for figure in figures:
            if asked.seed is None:
                result = tried(figure, Path(temporary) / figure.name, asked.size)
                every = page.record([result]) if asked.write else {}
                if asked.write:
                    page.PAGE.write_text(page.page(FIGURES, every), encoding="utf-8")
            else:
                outcome = repeated(figure, Path(temporary) / figure.name, asked.seed)
                print(f"{figure.name}  {outcome.kind}: {outcome.fault or AS_IT_SHOULD_BE}", flush=True)


def tried(figure: Figure, folder: Path, size: float) -> page.Result:
    """All trials of one figure; progress goes to the error output."""
    began, outcomes = time.monotonic(), list[tuple[int, Outcome]]()
    reason, done = figure.lacking(), 0
    wanted = max(1, round(figure.full * size))
    if not reason:
        try:
            folder.mkdir(parents=True)
            figure.prepare(folder)
            until = time.monotonic() + 60 * max(figure.minutes * size, LEAST_MINUTES)
            for seed in range(wanted):
                if done >= wanted or time.monotonic() > until:
                    break
                outcomes.append((seed, figure.trial(seed)))
                done += outcomes[-1][1].count
                _show(figure, done, wanted, outcomes[-1])
        except FailedError as error:
            reason = "" if outcomes else f"its preparation failed: {str(error)[:200]}"
            sys.stderr.write(f"{figure.name} stopped: {error}\n")
    minutes = (time.monotonic() - began) / 60
    day = f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"
    result = page.result_of(figure, outcomes, minutes, day, __version__, reason)
    print(f"{figure.name}  {result.trials:,} of {figure.full:,} trials, {result.failed} faults, {minutes:.1f} min")
    return result


def repeated(figure: Figure, folder: Path, seed: int) -> Outcome:
    """The outcome of one trial."""
    folder.mkdir(parents=True)
    figure.prepare(folder)
    return figure.trial(seed)


def _show(figure: Figure, done: int, wanted: int, last: tuple[int, Outcome]) -> None:
    seed, outcome = last
    fault = f"  FAULT (seed {seed}): {outcome.fault[:300]}" if outcome.fault else ""
    sys.stderr.write(f"{figure.name}  {done:,} of {wanted:,}  {outcome.kind}{fault}\n")


if __name__ == "__main__":
    main()
