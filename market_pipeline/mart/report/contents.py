"""What stands in the report of each market: rows of the published mart, grouped and drawn.

Knows the mart's tables and what belongs together. Knows nothing of the warehouse, of how a number came to be, or of how
it looks: words are in sentences.py and page/, drawings in charts.py and fans.py.
"""

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from market_pipeline.mart.changes import KINDS
from market_pipeline.mart.read import LEADERBOARD, META, query
from market_pipeline.mart.report import queries as sql
from market_pipeline.mart.report import sentences
from market_pipeline.mart.report.charts import (
    coverage_strip,
    fifths_bar,
    pit_histogram,
    range_bar,
    round_limit,
    session_strip,
)
from market_pipeline.mart.report.fans import columns_of
from market_pipeline.scores.calibration import CLAIMED
from market_pipeline.storage.tables.forecasts import BASELINE

Row: TypeAlias = dict[str, Any]
Rows: TypeAlias = list[Row]

QUESTIONS = ("return", "direction", "range", "rank")

DRAWN_SESSIONS, LISTED = 120, 12


@dataclass(frozen=True)
class Answer:
    """The best proof that there is for one question at one horizon: `model` is None where none has any."""

    verdict: str
    model: str | None
    skill: float | None
    others: int
    """Further models with the same verdict, or how many were judged where none has proof."""


@dataclass(frozen=True)
class Board:
    """Verdicts of one market: `cells` by (model, horizon, question); `questions` and `origins` by horizon."""

    models: tuple[str, ...]
    questions: Mapping[int, tuple[str, ...]]
    origins: Mapping[int, str]
    cells: Mapping[tuple[str, int, str], Row]
    answers: Mapping[tuple[str, int], Answer]
    tally: Mapping[str, int]


@dataclass(frozen=True)
class Served:
    """The signals that one model gave at one origin and horizon, on one axis from -`limit` to `limit`."""

    horizon: int
    as_of: dt.date
    model: str
    verdict: str
    earned: tuple[str, ...]
    """Questions a signal answers on which the model beats the random walk."""
    limit: float
    signals: Rows

    @property
    def directed(self) -> bool:
        """True where a direction is proven, so that a trend may be read as one."""
        return bool(set(self.earned) & set(sentences.DIRECTED))


@dataclass(frozen=True)
class Ranking:
    """Who may lead at one horizon, by the rank forecast of one model; `symbols` is how many it ranks."""

    horizon: int
    as_of: dt.date
    model: str
    verdict: str
    symbols: int
    leaders: Rows

    @property
    def directed(self) -> bool:
        """True where either end is likelier than the other for somebody, as far as a page in per cent can show."""
        return any(abs(row["p_q5"] - row["p_q1"]) >= 0.01 for row in self.leaders)


@dataclass(frozen=True)
class MarketPage:
    """Everything the report says of one market; an empty part is a part the mart has no rows for."""

    name: str
    newest: dt.date | None
    symbols: tuple[str, ...]
    stale: Rows
    board: Board | None
    served: tuple[Served, ...]
    chart: Row
    rankings: tuple[Ranking, ...]
    strategies: Rows
    calibration: Rows
    coverage: Rows
    strip: str
    gaps: Rows
    quarantine: Mapping[str, Rows]
    restatements: Mapping[str, Rows]
    changes: Mapping[str, Rows]
    """By each of KINDS, those without one empty."""


def read_markets(mart: Path) -> tuple[MarketPage, ...]:
    """A page for every market the mart names anywhere, in order of name."""
    newest = {row["market"]: row["newest_session"] for row in query(mart, META).to_pylist()}
    board = _by_market(query(mart, LEADERBOARD))
    found = {name: _by_market(query(mart, text)) for name, text in sql.WHOLE.items()}
    found |= {name: _by_market(query(mart, text, {"listed": LISTED})) for name, text in sql.NEWEST.items()}
    closes = query(mart, sql.CLOSES, {"sessions": DRAWN_SESSIONS})
    strip = _by_market(query(mart, sql.STRIP, {"sessions": DRAWN_SESSIONS}))
    names = sorted({*newest, *board, *found["signals"], *found["coverage"]})
    return tuple(
        page_of(
            name,
            newest.get(name),
            {"leaderboard": board.get(name, []), "strip": strip.get(name, [])}
            | {table: rows.get(name, []) for table, rows in found.items()},
            closes.filter(pc.field("market") == name),
        )
        for name in names
    )


def page_of(name: str, newest: dt.date | None, rows: Mapping[str, Rows], closes: pa.Table) -> MarketPage:
    """The page of one market from its rows of each query."""
    symbols = tuple(row["symbol"] for row in rows["symbols"])
    served = served_of(rows["signals"], rows["leaderboard"])
    fans = [signal | {"earned": group.earned} for group in served for signal in group.signals]
    return MarketPage(
        name=name,
        newest=newest,
        symbols=symbols,
        stale=[row for row in rows["symbols"] if row["newest"] is None or row["newest"] < newest],
        board=board_of(rows["leaderboard"], rows["tests"]),
        served=served,
        chart=columns_of(closes, fans, symbols),
        rankings=rankings_of(rows["ranks"], rows["leaderboard"]),
        strategies=rows["strategies"],
        calibration=[_with_drawings(row) for row in rows["calibration"]],
        coverage=rows["coverage"],
        strip=session_strip([(str(row["session"]), row["share"]) for row in rows["strip"]]) if rows["strip"] else "",
        gaps=rows["gaps"],
        quarantine={"counted": rows["quarantine_by_rule"], "newest": rows["quarantine"]},
        restatements={"counted": rows["restatements_by_cause"], "newest": rows["restatements"]},
        changes={kind: [row for row in rows["changes"] if row["kind"] == kind] for kind in KINDS},
    )


def board_of(leaderboard: Rows, tests: Rows) -> Board | None:
    """The leaderboard of one market without the baseline, which cannot beat itself; None when nothing is left.

    Each contest has `others`, the value of each further test by name.
    """
    others: dict[tuple[str, int, str], dict[str, float]] = {}
    for row in tests:
        others.setdefault((row["model"], row["horizon"], row["question"]), {})[row["test"]] = row["value"]
    rows = [
        row
        | {"words": sentences.of_contest(row)}
        | {"others": others.get((row["model"], row["horizon"], row["question"]), {})}
        for row in leaderboard
        if row["model"] != BASELINE
    ]
    if not rows:
        return None
    horizons = sorted({row["horizon"] for row in rows})
    asked = {(row["horizon"], row["question"]) for row in rows}
    origins = {h: [row["n_origins"] for row in rows if row["horizon"] == h] for h in horizons}
    contests = {(q, h): [r for r in rows if (r["question"], r["horizon"]) == (q, h)] for h, q in asked}
    return Board(
        models=tuple(sorted({row["model"] for row in rows})),
        questions={h: tuple(question for question in QUESTIONS if (h, question) in asked) for h in horizons},
        origins={h: str(max(n)) if min(n) == max(n) else f"{min(n)} to {max(n)}" for h, n in origins.items()},
        cells={(row["model"], row["horizon"], row["question"]): row for row in rows},
        answers={key: answer_of(contest) for key, contest in contests.items()},
        tally=Counter(row["verdict"] for row in rows),
    )


def answer_of(contest: Rows) -> Answer:
    """The model of the greatest skill among those that beat the walk; without one, what can be said of all."""
    proven = [row for row in contest if row["verdict"] == "beats_baseline"]
    if proven:
        best = max(proven, key=lambda row: (row["skill"], row["model"]))
        return Answer("beats_baseline", best["model"], best["skill"], len(proven) - 1)
    judged = [row["verdict"] for row in contest if row["verdict"] != "insufficient_data"]
    verdict = "insufficient_data" if not judged else "worse" if set(judged) == {"worse"} else "no_evidence"
    return Answer(verdict, None, None, len(judged))


def served_of(signals: Rows, leaderboard: Rows) -> tuple[Served, ...]:
    """The signals of one market by what speaks: horizon, origin, model and verdict."""
    groups: dict[tuple[int, dt.date, str, str], Rows] = {}
    for row in signals:
        groups.setdefault((row["horizon"], row["as_of"], row["model"], row["verdict"]), []).append(row)
    beaten = {
        (row["horizon"], row["model"], row["question"]) for row in leaderboard if row["verdict"] == "beats_baseline"
    }
    served = []
    for (horizon, as_of, model, verdict), rows in sorted(groups.items()):
        limit = round_limit([edge for row in rows for edge in (row["low_80"], row["high_80"])])
        earned = tuple(question for question in QUESTIONS[:3] if (horizon, model, question) in beaten)
        drawn = [row | {"bar": _bar(row, limit)} for row in rows]
        served.append(Served(horizon, as_of, model, verdict, earned, limit, drawn))
    return tuple(served)


def rankings_of(ranks: Rows, leaderboard: Rows) -> tuple[Ranking, ...]:
    """The newest rank forecast of each horizon and model but the baseline: the LISTED likeliest to lead."""
    verdicts = {(row["horizon"], row["model"]): row["verdict"] for row in leaderboard if row["question"] == "rank"}
    groups: dict[tuple[int, dt.date, str], Rows] = {}
    for row in ranks:
        groups.setdefault((row["horizon"], row["origin"], row["model"]), []).append(_with_fifths(row))
    rankings = []
    for (horizon, as_of, model), rows in sorted(groups.items()):
        leaders = sorted(rows, key=lambda row: (-row["p_q5"], row["symbol"]))[:LISTED]
        verdict = verdicts.get((horizon, model), "insufficient_data")
        rankings.append(Ranking(horizon, as_of, model, verdict, len(rows), leaders))
    return tuple(rankings)


def _by_market(rows: pa.Table) -> dict[str, Rows]:
    return _grouped(rows.to_pylist(), "market")


def _grouped(rows: Rows, column: str) -> dict[str, Rows]:
    groups: dict[str, Rows] = {}
    for row in rows:
        groups.setdefault(row[column], []).append(row)
    return groups


def _bar(row: Row, limit: float) -> str:
    low, high = sentences.percent(row["low_80"], sign=True), sentences.percent(row["high_80"], sign=True)
    title = f"{row['symbol']}, {row['horizon']} ahead: 80 % range from {low} to {high}"
    return range_bar(row["low_80"], row["expected_return"], row["high_80"], limit, title)


def _with_fifths(row: Row) -> Row:
    chances = [row[f"p_q{fifth}"] for fifth in range(1, 6)]
    said = ", ".join(sentences.percent(chance, 0) for chance in chances)
    return row | {"fifths": fifths_bar(chances, f"{row['symbol']}: chance of each fifth, lowest first: {said}")}


def _with_drawings(row: Row) -> Row:
    held = (row["held_50"], row["held_80"], row["held_95"])
    shares = ", ".join(sentences.percent(share) for share in held)
    strip = coverage_strip(held, f"The 50, 80 and 95 % ranges held {shares} of the time")
    if not row["pieces"]:
        return row | {"strip": strip, "histogram": "", "fell": ""}
    pieces = np.array(row["pieces"], float) / sum(row["pieces"])
    fell = ", ".join(sentences.percent(piece) for piece in pieces)
    title = f"Outcomes between the quantiles, lowest first: {fell}"
    return row | {"strip": strip, "histogram": pit_histogram(pieces.tolist(), CLAIMED.tolist(), title), "fell": fell}
