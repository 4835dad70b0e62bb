"""Which model is champion of each question: reviewed at every month's end with what was known then.

The random walk is champion until another model's loss is significantly smaller. Knows losses by origin only.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from market_pipeline.models.forecasters.catalogue import claims_of
from market_pipeline.scores.significance import at_any_time, diebold_mariano
from market_pipeline.scores.verdicts import LEVEL, Comparison, adjusted_p_values
from market_pipeline.storage.grids import Days
from market_pipeline.storage.tables.scores import BASELINES, CHAMPIONS

KEPT_BELOW = 0.2
"""P-value against the random walk up to which a champion stays, so that one bad quarter does not replace it."""


@dataclass(frozen=True)
class Result:
    """What a review finds of a comparison."""

    comparison: Comparison
    p_value: float
    p_adjusted: float


def champions(comparisons: Sequence[Comparison], sessions: Days, retired: int = 0) -> pa.Table:
    """Rows of `champions`: every change of the champion of each horizon's question.

    A review uses only forecasts whose target session had closed, so a change in the past is the one that would have
    been made then. A challenger must beat the random walk with an adjusted p-value below LEVEL; all comparisons of that
    review and the `retired` ones count. A champion is replaced when its own p-value reaches KEPT_BELOW, or by a
    challenger that beats the champion as well, at LEVEL.
    """
    champion, rows = dict[tuple[int, str], str](), []
    for review in _reviews(comparisons, sessions):
        for (horizon, question), results in _results(comparisons, review, retired).items():
            if change := _change(champion.get((horizon, question)), results, BASELINES[question]):
                champion[horizon, question], reason = change
                row = {"horizon": horizon, "question": question, "model": change[0], "reason": reason}
                rows.append(row | {"since": sessions[review].astype("datetime64[D]").item()})
    order = [(name, "ascending") for name in CHAMPIONS.key]
    return pa.Table.from_pylist(rows, CHAMPIONS.schema).sort_by(order)


def _results(
    comparisons: Sequence[Comparison], review: int, retired: int
) -> Mapping[tuple[int, str], Mapping[str, Result]]:
    """By horizon and question, and by model: the comparisons that had enough origins at a review."""
    tested = [known for one in comparisons if (known := one.known_at(review)).sufficient]
    p_values = [comparison.p_value for comparison in tested]
    results: dict[tuple[int, str], dict[str, Result]] = {}
    for one, p_value, p_adjusted in zip(tested, p_values, adjusted_p_values(tested, p_values, retired), strict=True):
        results.setdefault((one.horizon, one.question), {})[one.model] = Result(one, p_value, p_adjusted)
    return results


def _change(champion: str | None, results: Mapping[str, Result], baseline: str) -> tuple[str, str] | None:
    """The new champion of a question and the reason, or None if there is no change; `results` by model.

    `champion` is None before the first review that has results.
    """
    passed = [
        result
        for model, result in results.items()
        if result.p_adjusted < LEVEL and result.comparison.question in claims_of(model)
    ]
    best = max(passed, key=lambda result: (result.comparison.skill or 0.0, result.comparison.model), default=None)
    if champion is None or champion == baseline:
        if best:
            skill = best.comparison.skill or 0.0
            return best.comparison.model, f"beats the walk: skill {skill:+.2%}, adjusted p {best.p_adjusted:.3f}"
        return (baseline, "nothing has beaten it yet") if champion is None else None
    held = results[champion]  # origins are only added, so a champion has enough of them at every later review
    if held.p_value >= KEPT_BELOW:
        reason = f"{champion} is no longer better than the walk (p {held.p_value:.2f})"
        return best.comparison.model if best else baseline, reason
    if best is None or best.comparison.model == champion:
        return None
    p_value = _p_value_between(best.comparison, held.comparison)
    return (best.comparison.model, f"better than {champion} (p {p_value:.3f})") if p_value < LEVEL else None


def _p_value_between(challenger: Comparison, champion: Comparison) -> float:
    """One-sided, that the challenger's loss is smaller, at the origins that both have, whenever one looks."""
    _, left, right = np.intersect1d(challenger.position, champion.position, return_indices=True)
    difference = challenger.loss[left] - champion.loss[right]
    p_value = diebold_mariano(difference, challenger.overlap)
    return float(at_any_time(p_value, challenger.times_the_first))


def _reviews(comparisons: Sequence[Comparison], sessions: Days) -> Iterator[int]:
    """The last session of each month in which target sessions closed, by position."""
    if not comparisons:
        return
    first = min(int(one.position[0]) + one.horizon for one in comparisons)
    last = max(int(one.position[-1]) + one.horizon for one in comparisons)
    months = sessions[first : last + 2].astype("datetime64[M]")
    yield from (np.flatnonzero(months[1:] != months[:-1]) + first).tolist()


def newest_champions(champions: pa.Table) -> dict[tuple[int, str], str]:
    """The present champion of each horizon and question, from rows of `champions`."""
    return {(row["horizon"], row["question"]): row["model"] for row in champions.sort_by("since").to_pylist()}
