"""Tests beside the verdicts: whether there is any skill, which models may be best, whether a champion now loses."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa

from market_pipeline.models.forecasters.catalogue import claims_of
from market_pipeline.scores.champions import newest_champions
from market_pipeline.scores.significance import (
    clark_west,
    confidence_set,
    e_value,
    effective_origins,
    pesaran_timmermann,
)
from market_pipeline.scores.verdicts import Comparison, comparisons_of
from market_pipeline.storage.grids import Days
from market_pipeline.storage.tables.forecasts import BASELINE
from market_pipeline.storage.tables.scores import TESTS

Row: TypeAlias = dict[str, object]
Comparisons: TypeAlias = Mapping[tuple[int, str, str], Comparison]
"""By horizon, model and question."""


def further_tests(losses: pa.Table, champions: pa.Table, daily: pa.Table, sessions: Days) -> pa.Table:
    """Rows of `tests` for every comparison that has enough origins for a verdict.

    `losses` are those of `losses_by_question`, `champions` and `daily` rows of `champions` and `daily_scores`.
    """
    every = comparisons_of(losses, sessions)
    comparisons = {(one.horizon, one.model, one.question): one for one in every if one.sufficient}
    days = daily.sort_by([(name, "ascending") for name in ("horizon", "model", "origin")]).to_pandas()
    rows = [*_origins(comparisons), *_skill(comparisons, days), *_champions(comparisons, newest_champions(champions))]
    return pa.Table.from_pylist(rows, TESTS.schema)


def _row(comparison: Comparison, test: str, count: int, value: float) -> Row:
    key = {name: getattr(comparison, name) for name in ("horizon", "model", "question")}
    return {**key, "test": test, "n_origins": count, "value": value}


def _origins(comparisons: Comparisons) -> Iterator[Row]:
    for comparison in comparisons.values():
        count = len(comparison.loss)
        yield _row(comparison, "effective_origins", count, effective_origins(count, comparison.overlap))


def _skill(comparisons: Comparisons, days: pd.DataFrame) -> Iterator[Row]:
    """Whether there is skill at all, though it may be too little to beat the random walk."""
    series = dict(iter(days.groupby(["horizon", "model"])))
    for (horizon, model, question), comparison in comparisons.items():
        if question == "return":
            products = series[horizon, model]["product"].dropna().to_numpy(np.float64)
            if len(products):
                yield _row(comparison, "clark_west", len(products), clark_west(products, comparison.overlap))
        elif question == "direction" and question in claims_of(model):
            shares = series[horizon, model][["rose", "called_up", "called_up_and_rose"]].to_numpy(np.float64)
            p_value = pesaran_timmermann(shares, comparison.overlap)
            yield _row(comparison, "pesaran_timmermann", len(shares), p_value)


def _champions(comparisons: Comparisons, champions: Mapping[tuple[int, str], str]) -> Iterator[Row]:
    """Where a model has beaten the random walk: which may be best, and whether the champion now loses."""
    for (horizon, question), model in champions.items():
        rivals = [
            one
            for one in comparisons.values()
            if (one.horizon, one.question) == (horizon, question) and question in claims_of(one.model)
        ]
        # A model with one origin a month would leave only those origins to compare the others on.
        most = max((len(rival.loss) for rival in rivals), default=0)
        rivals = [rival for rival in rivals if 2 * len(rival.loss) >= most]
        if model == BASELINE or not rivals:
            continue
        yield from _confidence_set(rivals)
        if champion := comparisons.get((horizon, model, question)):
            differences = (champion.loss - champion.baseline_loss)[:: champion.overlap + 1]
            yield _row(champion, "e_value", len(differences), e_value(differences))


def _confidence_set(rivals: Sequence[Comparison]) -> Iterator[Row]:
    """Each rival's p-value for the model confidence set, with the random walk, at the origins that all have."""
    common = rivals[0].position
    for rival in rivals[1:]:
        common = np.intersect1d(common, rival.position)
    if len(common) <= max(rivals[0].horizon, 20):
        return
    columns = [rival.loss[np.searchsorted(rival.position, common)] for rival in rivals]
    walk = rivals[0].baseline_loss[np.searchsorted(rivals[0].position, common)]
    values = confidence_set(np.column_stack([*columns, walk]), rivals[0].horizon)
    for rival, value in zip(rivals, values[:-1].tolist(), strict=True):
        yield _row(rival, "model_confidence_set", len(common), value)
