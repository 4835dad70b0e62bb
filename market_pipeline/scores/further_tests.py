"""What other tests say beside the verdicts: whether there is skill at all, who may be best, who has come to lose."""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from market_pipeline.models.forecasters.catalogue import claims_of
from market_pipeline.scores.significance import (
    clark_west,
    confidence_set,
    e_value,
    effective_origins,
    pesaran_timmermann,
)
from market_pipeline.scores.verdicts import Contest, contests_of
from market_pipeline.storage.grids import Days
from market_pipeline.storage.tables.forecasts import BASELINE

Row: TypeAlias = dict[str, object]
Contests: TypeAlias = Mapping[tuple[int, str, str], Contest]
"""By horizon, model and question."""

CALLED = ("rose", "called_up", "called_up_and_rose")
"""Shares of a day's symbols, by the names of `daily_scores`."""

COLUMNS = pa.schema(
    [
        ("horizon", pa.int32()), ("model", pa.string()), ("question", pa.string()), ("test", pa.string()),
        ("n_origins", pa.int32()), ("value", pa.float64()),
    ]
)  # fmt: skip


def other_tests(daily: pa.Table, titles: pa.Table, products: pa.Table, calls: pa.Table, sessions: Days) -> pa.Table:
    """Rows of `tests` for every contest that has origins enough for a verdict.

    `daily` are mean losses by origin beside the baseline's, `titles` rows of `champions`, `products` and `calls` the
    series that the tests of Clark & West and of Pesaran & Timmermann need, by horizon, model and origin.
    """
    contests = {(c.horizon, c.model, c.question): c for c in contests_of(daily, sessions) if c.enough}
    rows = [*_worth(contests), *_skilled(contests, products, calls), *_reigning(contests, titles)]
    return pa.Table.from_pylist(rows, COLUMNS)


def _told(contest: Contest, test: str, count: int, value: float) -> Row:
    key = {"horizon": contest.horizon, "model": contest.model, "question": contest.question}
    return {**key, "test": test, "n_origins": count, "value": value}


def _worth(contests: Contests) -> Iterator[Row]:
    for contest in contests.values():
        count = len(contest.loss)
        yield _told(contest, "effective_origins", count, effective_origins(count, contest.overlap))


def _skilled(contests: Contests, products: pa.Table, calls: pa.Table) -> Iterator[Row]:
    """Whether there is skill at all, though it may be too little to beat the walk."""
    for (horizon, model), frame in products.to_pandas().groupby(["horizon", "model"]):
        if contest := contests.get((int(horizon), str(model), "return")):
            found = clark_west(frame["product"].to_numpy(), contest.overlap)
            yield _told(contest, "clark_west", len(frame), found.p_value)
    for (horizon, model), frame in calls.to_pandas().groupby(["horizon", "model"]):
        if contest := contests.get((int(horizon), str(model), "direction")):
            rose, called, both = (frame[name].to_numpy(np.float64) for name in CALLED)
            found = pesaran_timmermann(rose, called, both, contest.overlap)
            yield _told(contest, "pesaran_timmermann", len(frame), found.p_value)


def _reigning(contests: Contests, titles: pa.Table) -> Iterator[Row]:
    """Where something has beaten the walk: who may be best, and whether the champion has come to lose."""
    newest = {(row["horizon"], row["question"]): row["model"] for row in titles.sort_by("since").to_pylist()}
    for (horizon, question), model in newest.items():
        rivals = [c for c in contests.values() if (c.horizon, c.question) == (horizon, question)]
        rivals = [c for c in rivals if question in claims_of(c.model)]
        # One that speaks once a month would leave the others but a month's first days to be compared on.
        rivals = [c for c in rivals if 2 * len(c.loss) >= max(len(rival.loss) for rival in rivals)]
        if model == BASELINE or not rivals:
            continue
        for contest, value, count in _sets(rivals):
            yield _told(contest, "model_confidence_set", count, value)
        if holder := contests.get((horizon, model, question)):
            apart = slice(None, None, holder.overlap + 1)
            differences = (holder.loss - holder.baseline_loss)[apart]
            yield _told(holder, "e_value", len(differences), e_value(differences))


def _sets(rivals: list[Contest]) -> list[tuple[Contest, float, int]]:
    """Each rival with its p-value for the model confidence set, the walk among them, on the origins all have."""
    common = rivals[0].position
    for rival in rivals[1:]:
        common = np.intersect1d(common, rival.position)
    if len(common) <= max(rivals[0].horizon, 20):
        return []
    columns = [rival.loss[np.searchsorted(rival.position, common)] for rival in rivals]
    walk = rivals[0].baseline_loss[np.searchsorted(rivals[0].position, common)]
    values = confidence_set(np.column_stack([*columns, walk]), rivals[0].horizon)
    return [(rival, float(value), len(common)) for rival, value in zip(rivals, values[:-1], strict=True)]
