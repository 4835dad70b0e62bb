"""docs/reliability.md, made from the template and the results: every number on the page is a recorded one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple

from benchmarks.faults.protocol import Figure
from benchmarks.faults.results import HERE, Batch, Fault, Record

PAGE = HERE.parent.parent / "docs" / "reliability.md"
TEMPLATE = HERE / "reliability.md.in"

SHOWN = 8
"""Faults of a figure that the page lists."""


def page(figures: Sequence[Figure], records: Mapping[str, Record]) -> str:
    """The page: a table of all figures, then the batches, kinds and faults of each."""
    text = TEMPLATE.read_text(encoding="utf-8").replace("{table}", table(figures, records))
    for figure in figures:
        text = text.replace(f"{{{figure.name}}}", details(records.get(figure.name, Record())))
    return text


def table(figures: Sequence[Figure], records: Mapping[str, Record]) -> str:
    """One row for each figure."""
    rows = ["| | tried | aim | trials | faults | |", "|---|---|---|---|---|---|"]
    for figure in figures:
        made = _made(figure, records.get(figure.name, Record()))
        rows.append(f"| {figure.name} | {figure.title} | {figure.aim} | {made} |")
    return "\n".join(rows)


def _made(figure: Figure, record: Record) -> str:
    """Trials, faults, and whether the figure was run as a whole, at which commits."""
    if not record.batches:
        return f"0 of {figure.full:,} | | not run{f': {record.reason}' if record.reason else ''}"
    whole = "in full" if record.trials >= figure.full else "in part"
    return f"{record.trials:,} of {figure.full:,} | {_counted(record.faults)} | run {whole}{_commits(record.batches)}"


def _counted(faults: Sequence[Fault]) -> str:
    """The number of faults: those that are there still in bold."""
    still = sum(not fault.as_it_should_be for fault in faults)
    fixed = f"{len(faults) - still:,}, fixed since" if still < len(faults) else ""
    return " and ".join(filter(None, [f"**{still:,}**" if still else "", fixed])) or "0"


def _commits(batches: Iterable[Batch]) -> str:
    """The commits of batches, each once."""
    found = list(dict.fromkeys(batch.commit for batch in batches if batch.commit))
    return f" (commit{'s' if len(found) > 1 else ''} {', '.join(found)})" if found else ""


def details(record: Record) -> str:
    """The batches, the kinds of trials with their faults, the measurements, and the first faults with their seeds."""
    if not record.batches:
        return f"Not run{f': {record.reason}' if record.reason else ' yet'}."
    batches = _rows("day | version | commit | first seed | trials | faults | minutes", (
        f"{batch.day} | {batch.version} | {batch.commit} | {batch.seeds[0]:,} | {batch.trials:,} | "
        f"{len(batch.faults):,} | {batch.minutes:g}" for batch in record.batches
    ))  # fmt: skip
    parts = [batches]
    if len(record.kinds) > 1:
        parts.append(_rows("kind | trials | faults", (
            f"{kind} | {trials:,} | {faults:,}" for kind, (trials, faults) in record.kinds.items()
        )))  # fmt: skip
    if record.numbers:
        rows = (" | ".join([name, *map(_number, astuple(one)[1:])]) for name, one in record.numbers.items())
        parts.append(_rows("measured | first | lowest | mean | highest | last", rows))
    if record.faults:
        few = record.faults[:SHOWN]
        title = "Faults:" if len(few) == len(record.faults) else f"The first {SHOWN} of {len(record.faults):,} faults:"
        parts.append("\n".join([title, "", *map(_line, few)]))
    return "\n\n".join(parts)


def _rows(head: str, rows: Iterable[str]) -> str:
    """A table."""
    return "\n".join([f"| {head} |", "|---" * (head.count("|") + 1) + "|", *(f"| {row} |" for row in rows)])


def _number(value: float) -> str:
    """A measurement with four digits at least."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def _line(fault: Fault) -> str:
    """Where a fault was found, what it was, and what came of its seed since."""
    since = f" Its seed tried again at {fault.as_it_should_be}: as it should be." if fault.as_it_should_be else ""
    return f"- seed {fault.seed} at {fault.commit}, {fault.kind}: {_plain(fault.fault)}{since}"


def _plain(text: str) -> str:
    """Text in which Markdown sees no mark-up."""
    words = " ".join(text.split()).replace("`", "'").replace("|", "/")
    return f"`{words}`" if words else ""
