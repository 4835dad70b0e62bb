"""docs/reliability.md, made from the template and the results: every number on the page is a recorded one."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.faults.protocol import Figure, Outcome

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
PAGE = HERE.parent.parent / "docs" / "reliability.md"
TEMPLATE = HERE / "reliability.md.in"

SHOWN = 5
"""Faults of a figure that the page lists."""

LONGEST = 300
"""Characters of a fault that the page shows."""


@dataclass(frozen=True)
class Result:
    """What is recorded of one figure."""

    name: str
    trials: int
    kinds: dict[str, dict[str, int]]
    """Trials and faults of each kind."""
    faults: list[dict[str, Any]]
    """The first ones, each with its seed."""
    numbers: dict[str, list[float]]
    """First, middle and last of each measurement."""
    minutes: float
    day: str
    version: str
    reason: str = ""
    """Why it was not run; empty when it was."""

    @property
    def failed(self) -> int:
        return sum(kind["faults"] for kind in self.kinds.values())


def result_of(
    figure: Figure, outcomes: Sequence[tuple[int, Outcome]], minutes: float, day: str, version: str, reason: str = ""
) -> Result:
    """The result of outcomes, each with its seed."""
    trials, faults = Counter[str](), Counter[str]()
    series: dict[str, list[float]] = {}
    for _, one in outcomes:
        trials[one.kind] += one.count
        faults[one.kind] += bool(one.fault)
        for name, value in one.numbers.items():
            series.setdefault(name, []).append(round(float(value), 3))
    return Result(
        figure.name, trials.total(),
        {kind: {"trials": trials[kind], "faults": faults[kind]} for kind in sorted(trials)},
        [{"seed": seed, "kind": one.kind, "fault": one.fault[:LONGEST]} for seed, one in outcomes if one.fault][:50],
        {name: [found[0], found[len(found) // 2], found[-1]] for name, found in sorted(series.items())},
        round(minutes, 1), day, version, reason,
    )  # fmt: skip


def read_results() -> dict[str, Result]:
    """What is recorded so far, by the name of the figure."""
    if not RESULTS.exists():
        return {}
    return {name: Result(**found) for name, found in json.loads(RESULTS.read_text(encoding="utf-8")).items()}


def record(results: Iterable[Result]) -> dict[str, Result]:
    """Put results in the place of earlier ones of the same figures; all of them."""
    every = read_results() | {result.name: result for result in results}
    content = {name: asdict(every[name]) for name in sorted(every)}
    RESULTS.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return every


def page(figures: Sequence[Figure], results: dict[str, Result]) -> str:
    """The page: a table of all figures, then the kinds and faults of each."""
    text = TEMPLATE.read_text(encoding="utf-8").replace("{table}", table(figures, results))
    for figure in figures:
        text = text.replace(f"{{{figure.name}}}", details(results.get(figure.name)))
    return text


def table(figures: Sequence[Figure], results: dict[str, Result]) -> str:
    """One row for each figure."""
    rows = ["| | tried | aim | trials | faults | |", "|---|---|---|---|---|---|"]
    for figure in figures:
        result = results.get(figure.name)
        rows.append(f"| {figure.name} | {figure.title} | {figure.aim} | {_made(figure, result)} |")
    return "\n".join(rows)


def _made(figure: Figure, result: Result | None) -> str:
    """Trials, faults, and whether the figure was run as a whole."""
    if result is None or result.reason:
        return f"0 of {figure.full:,} | | not run{f': {result.reason}' if result else ''}"
    whole = "in full" if result.trials >= figure.full else "in part"
    bad = f"**{result.failed:,}**" if result.failed else "0"
    return f"{result.trials:,} of {figure.full:,} | {bad} | run {whole}, {result.day}"


def details(result: Result | None) -> str:
    """The kinds of trials with their faults, the measurements, and the first faults with their seeds."""
    if result is None or result.reason:
        return f"Not run{f': {result.reason}' if result else ' yet'}."
    parts = [f"{result.trials:,} trials in {result.minutes:g} minutes, {result.day}, version {result.version}."]
    if len(result.kinds) > 1:
        rows = [f"| {kind} | {found['trials']:,} | {found['faults']:,} |" for kind, found in result.kinds.items()]
        parts.append("\n".join(["| kind | trials | faults |", "|---|---|---|", *rows]))
    if result.numbers:
        rows = [
            f"| {name} | {' | '.join(f'{value:,g}' for value in found)} |" for name, found in result.numbers.items()
        ]
        parts.append("\n".join(["| measured | first | middle | last |", "|---|---|---|---|", *rows]))
    if result.faults:
        shown = [f"- seed {one['seed']}, {one['kind']}: {_plain(one['fault'])}" for one in result.faults[:SHOWN]]
        parts.append("\n".join([f"The first of {result.failed:,} faults:", "", *shown]))
    return "\n\n".join(parts)


def _plain(text: str) -> str:
    """Text in which Markdown sees no mark-up and no folder of this machine."""
    words = " ".join(text.split()).replace("`", "'").replace("|", "/")
    return f"`{words}`" if words else ""
