"""The verdicts of one market as a matrix of models, horizons and questions, and their summary."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from market_pipeline.mart.report.rows import Row, Rows, grouped
from market_pipeline.mart.report.sentences import BEATS, INSUFFICIENT, NO_EVIDENCE, WORSE, of_comparison
from market_pipeline.storage.tables.forecasts import BASELINE
from market_pipeline.storage.tables.scores import QUESTIONS


@dataclass(frozen=True)
class VerdictSummary:
    """The best evidence on one question at one horizon; `model` and `skill` are None where no model has any."""

    verdict: str
    model: str | None
    skill: float | None
    others: int
    """Further models that beat the baseline; where none does, how many have origins enough to be judged."""


@dataclass(frozen=True)
class VerdictMatrix:
    """Verdicts of one market: `cells` by (model, horizon, question); `questions` and `origins` by horizon.

    Each cell is a row of the leaderboard with its `sentence` and the value of each of its further `tests` by name.
    """

    models: tuple[str, ...]
    questions: Mapping[int, tuple[str, ...]]
    origins: Mapping[int, str]
    cells: Mapping[tuple[str, int, str], Row]
    summary: Mapping[tuple[str, int], VerdictSummary]
    counts: Mapping[str, int]


def verdict_matrix(leaderboard: Rows, tests: Rows) -> VerdictMatrix | None:
    """The leaderboard of one market without the baseline, which cannot beat itself; None when nothing is left."""
    cell = ("model", "horizon", "question")
    further = {key: {row["test"]: row["value"] for row in rows} for key, rows in grouped(tests, *cell).items()}
    rows = [row for row in leaderboard if row["model"] != BASELINE]
    if not rows:
        return None
    comparisons = grouped(rows, "question", "horizon")
    by_horizon = dict(sorted(grouped(rows, "horizon").items()))
    return VerdictMatrix(
        models=tuple(sorted({row["model"] for row in rows})),
        questions={h: tuple(question for question in QUESTIONS if (question, h) in comparisons) for h in by_horizon},
        origins={h: _span([row["n_origins"] for row in rows]) for h, rows in by_horizon.items()},
        cells={
            key: row | {"sentence": of_comparison(row), "tests": further.get(key, {})}
            for key, (row,) in grouped(rows, *cell).items()
        },
        summary={key: summary_of(comparison) for key, comparison in comparisons.items()},
        counts=Counter(row["verdict"] for row in rows),
    )


def summary_of(comparison: Rows) -> VerdictSummary:
    """The model with the largest skill among those that beat the baseline; without one, the verdict on all of them."""
    proven = [row for row in comparison if row["verdict"] == BEATS]
    if proven:
        best = max(proven, key=lambda row: (row["skill"], row["model"]))
        return VerdictSummary(BEATS, best["model"], best["skill"], len(proven) - 1)
    judged = [row["verdict"] for row in comparison if row["verdict"] != INSUFFICIENT]
    verdict = INSUFFICIENT if not judged else WORSE if set(judged) == {WORSE} else NO_EVIDENCE
    return VerdictSummary(verdict, None, None, len(judged))


def _span(numbers: list[int]) -> str:
    low, high = min(numbers), max(numbers)
    return str(high) if low == high else f"{low} to {high}"
