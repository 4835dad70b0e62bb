"""The fault campaign: `make faults`.

    python -m benchmarks.faults [--size 0.01] [--only F1,F6] [--minutes 20] [--write] [--resume] [--again]

Each run goes on with the seeds after the recorded ones, so that the trials of several evenings add up. Without --write
nothing is recorded. With --resume a figure is tried only until its recorded trials are the share that --size names.
With --seed one trial of each named figure is repeated, with --again the trials of all its recorded faults, and the
outcome is printed. Ctrl-C or SIGTERM ends it after the trial under way, which counts.
"""

import argparse
import datetime as dt
import re
import signal
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.faults import page, results
from benchmarks.faults.figures import FIGURES
from benchmarks.faults.forked import FailedError, import_everything
from benchmarks.faults.protocol import Figure, Outcome
from benchmarks.faults.results import Record
from market_pipeline import __version__

LEAST_MINUTES = 0.5
"""However small the size."""

AS_IT_SHOULD_BE = "as it should be"


class Until:
    """The end of the campaign: a moment, or a signal."""

    def __init__(self, minutes: float | None) -> None:
        self.moment = time.monotonic() + 60 * minutes if minutes is not None else float("inf")

    def listen(self) -> None:
        """End at a signal as well."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)

    def _stop(self, number: int, _: object) -> None:
        sys.stderr.write(f"{signal.Signals(number).name}: the trial under way is the last one.\n")
        self.moment = 0.0

    def reached(self) -> bool:
        return time.monotonic() > self.moment


def main() -> None:
    asked = _arguments()
    only = list(filter(None, asked.only.split(",")))
    figures = sorted((one for one in FIGURES if not only or one.name in only),
                     key=lambda one: only.index(one.name) if only else 0)  # fmt: skip
    until = Until(asked.minutes)
    until.listen()
    with tempfile.TemporaryDirectory(prefix="market-pipeline-faults-", dir=asked.folder) as temporary:
        import_everything()
        for figure in figures:
            folder = Path(temporary) / figure.name
            record = results.read().get(figure.name, Record())
            record.continued = figure.continued
            if asked.seed is not None or asked.again:
                seeds = [asked.seed] if asked.seed is not None else sorted({fault.seed for fault in record.faults})
                repeat(figure, folder, seeds, record)
            elif not until.reached():
                wanted = round(figure.full * asked.size)
                wanted = record.missing(wanted) if asked.resume else max(1, wanted)
                tried(figure, folder, record, wanted, max(figure.minutes * asked.size, LEAST_MINUTES), until)
            if asked.write:
                results.write({figure.name: record})
                page.PAGE.write_text(page.page(FIGURES, results.read()), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Faults tried and counted; writes docs/reliability.md.")
    parser.add_argument("--size", type=float, default=0.01, help="1 is the full campaign, of many hours")
    parser.add_argument("--only", default="", help="figures by name, separated by commas, in this order")
    parser.add_argument("--minutes", type=float, default=None, help="after which no further trial begins")
    parser.add_argument("--resume", action="store_true", help="only what is missing of the recorded trials")
    parser.add_argument("--seed", type=int, default=None, help="only this trial of each figure")
    parser.add_argument("--again", action="store_true", help="only the trials of the recorded faults")
    parser.add_argument("--folder", type=Path, default=None, help="where the directories are made")
    parser.add_argument("--write", action="store_true", help="record the results and write the page")
    return parser.parse_args()


def tried(figure: Figure, folder: Path, record: Record, wanted: int, minutes: float, until: Until) -> None:
    """Add a batch of trials of one figure to its record; progress goes to the error output."""
    began, outcomes, done = time.monotonic(), list[tuple[int, Outcome]](), 0
    record.reason = figure.lacking()
    try:
        if wanted > 0 and not record.reason:
            folder.mkdir(parents=True)
            figure.prepare(folder)
            last = time.monotonic() + 60 * minutes
            while done < wanted and not until.reached() and time.monotonic() < last:
                seed = record.next_seed + len(outcomes)
                outcomes.append((seed, without_folders(figure.trial(seed), folder.parent)))
                done += outcomes[-1][1].trials
                _show(figure, done, wanted, outcomes[-1])
    except (FailedError, OSError, ValueError) as error:
        record.reason = "" if outcomes else f"its preparation failed: {str(error)[:200]}"
        sys.stderr.write(f"{figure.name} stopped: {error}\n")
    if outcomes:
        took, day = (time.monotonic() - began) / 60, f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"
        batch = results.batch_of(outcomes, took, day, __version__, results.commit_tried())
        record.batches.append(batch)
        print(f"{figure.name}  {batch.trials:,} trials, {len(batch.faults)} faults, {took:.1f} min", flush=True)
    print(f"{figure.name}  {record.trials:,} of {figure.full:,} trials recorded or made {record.reason}", flush=True)


def without_folders(outcome: Outcome, root: Path) -> Outcome:
    """An outcome whose fault has the names of files below `root`, and not the folders of this machine."""
    return replace(outcome, fault=re.sub(rf"{re.escape(str(root))}\S*/", "…/", outcome.fault))


def repeat(figure: Figure, folder: Path, seeds: list[int], record: Record) -> None:
    """Repeat trials, print their outcomes, and note with the recorded faults of their seeds what they are now."""
    if seeds:
        folder.mkdir(parents=True)
        figure.prepare(folder)
    for seed in seeds:
        outcome = figure.trial(seed)
        print(f"{figure.name}  {outcome.kind}: {outcome.fault or AS_IT_SHOULD_BE}", flush=True)
        for fault in record.faults:
            if fault.seed == seed:
                fault.as_it_should_be = "" if outcome.fault else results.commit_tried()


def _show(figure: Figure, done: int, wanted: int, last: tuple[int, Outcome]) -> None:
    seed, outcome = last
    fault = f"  FAULT (seed {seed}): {outcome.fault[:300]}" if outcome.fault else ""
    sys.stderr.write(f"{figure.name}  {done:,} of {wanted:,}  {outcome.kind}{fault}\n")


if __name__ == "__main__":
    main()
