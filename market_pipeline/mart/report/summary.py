"""The summary at the top of the report: what a reader should know before the first number, in five lines.

Knows the pages of the markets and wording. Each line is a title and sentences of plain text.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from market_pipeline.mart.changes import KINDS
from market_pipeline.mart.report.contents import MarketPage
from market_pipeline.mart.report.forecasts import SelectedModel
from market_pipeline.mart.report.sentences import BEATS, INSUFFICIENT, WORSE, listed, many, on, percent
from market_pipeline.scores.verdicts import LEAST_ORIGINS
from market_pipeline.storage.tables.forecasts import RANGES
from market_pipeline.storage.tables.scores import QUESTIONS

FAR_OFF = 0.05
"""A range that contains a share of the outcomes this far from its own is named; the tests of checks.py are finer."""

CHANGED = {
    "session": "new session", "champion": "new champion", "verdict": "new verdict", "quarantine": "quarantined bar",
    "restatement": "restated value",
}  # fmt: skip
"""What a change of each of KINDS is called after a number."""


@dataclass(frozen=True)
class Line:
    """One line of the summary; `anchor` is the part of the page that has the whole of it."""

    title: str
    anchor: str
    sentences: tuple[str, ...]


def summary_of(pages: Sequence[MarketPage], compared_with: dt.datetime | None) -> tuple[Line, ...]:
    """The five lines; none without markets."""
    if not pages:
        return ()
    return (
        Line("Data", "coverage", _together((page.name, _newest(page)) for page in pages)),
        Line("Changed", "changes", (_changed(pages, compared_with),)),
        Line("Answers", "skill", tuple(_answers(pages))),
        Line(
            "Distrust",
            "calibration",
            _together(_distrusted(pages)) or ("Nothing beyond what every forecast deserves.",),
        ),
        Line("Symbols", "forecasts", _together((page.name, _listed_symbols(page)) for page in pages)),
    )


def _together(found: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Sentences from pairs of a market and what is true of it; what is true of several is one sentence."""
    markets: dict[str, list[str]] = {}
    for market, text in found:
        markets.setdefault(text, []).append(market)
    return tuple(f"{listed(names)}{text}" for text, names in markets.items())


def _newest(page: MarketPage) -> str:
    if page.newest is None:
        return ": no prices yet."
    behind = next((row["sessions_behind"] for row in page.rows["age"]), None)
    late = {None: "", 0: ", the newest session that was due"}.get(behind, f", {many(behind or 0, 'session')} behind")
    return f" up to {page.newest}{late}."


def _changed(pages: Sequence[MarketPage], compared_with: dt.datetime | None) -> str:
    if compared_with is None:
        return "There is no earlier publication to compare with."
    counts = {kind: sum(len(page.changes[kind]) for page in pages) for kind in KINDS}
    found = [many(count, CHANGED[kind]) for kind, count in counts.items() if count]
    return f"Since {compared_with:%Y-%m-%d %H:%M} UTC: {', '.join(found) if found else 'nothing'}."


def _answers(pages: Sequence[MarketPage]) -> Iterator[str]:
    """Each question that some model answers better than the baseline, with where, and the others in two sentences."""
    unanswered, unjudged = list[str](), list[str]()
    for question in QUESTIONS:
        found = [
            (page.name, horizon, summary)
            for page in pages
            if page.matrix
            for (of, horizon), summary in sorted(page.matrix.summary.items())
            if of == question and summary.verdict != INSUFFICIENT
        ]
        best = [
            f"{market} at {many(horizon, 'session')} by {summary.model.replace('_', ' ')} ({percent(summary.skill)})"
            for market, horizon, summary in found
            if summary.verdict == BEATS and summary.model
        ]
        if best:
            yield f"{question.capitalize()}: better than a random walk in {'; '.join(best)}."
        else:
            (unanswered if found else unjudged).append(question)
    if unanswered:
        yield f"No evidence of skill on {listed(unanswered)}."
    if unjudged == list(QUESTIONS):
        yield f"No question is judged yet: a verdict needs {LEAST_ORIGINS} origins."
    elif unjudged:
        yield f"Too few origins to judge {listed(unjudged)}."


def _distrusted(pages: Sequence[MarketPage]) -> Iterator[tuple[str, str]]:
    """Each market with what not to rely on: directions without proof, ranges that are off, worse models, old data."""
    for page in pages:
        unproven = [group.horizon for group in page.selected if not group.directional]
        if unproven:
            some = f"{listed(list(map(str, unproven)))} sessions"
            where = "any horizon" if len(unproven) == len(page.selected) else some
            yield page.name, f": trends and chances of rising at {where}, because no direction is proven."
        for group in page.selected:
            yield from ((page.name, text) for text in _off(page, group))
        if page.stale:
            yield page.name, f": {many(len(page.stale), 'symbol')} whose bars end early."


def _off(page: MarketPage, group: SelectedModel) -> Iterator[str]:
    where = f", {many(group.horizon, 'session')}: {group.model.replace('_', ' ')}"
    if group.verdict == WORSE:
        yield f"{where} has become worse than a random walk{on(group.questions)}."
    for row in page.rows["calibration"]:
        if (row["model"], row["horizon"]) == (group.model, group.horizon):
            held = dict(zip(RANGES, row["covered"], strict=True))[80]
            if abs(held - 0.8) > FAR_OFF:
                yield f"{where}; its 80\u202f% ranges contained {percent(held, 0)} of the outcomes."


def _listed_symbols(page: MarketPage) -> str:
    without = len(page.without)
    if not without:
        return f": all {many(len(page.symbols), 'symbol')} have a forecast."
    return f": {without:,} of {many(len(page.symbols), 'symbol')} without a forecast, each with the reason."
