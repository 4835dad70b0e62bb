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
from market_pipeline.scores.verdicts import Comparison
from market_pipeline.storage.tables.scores import BASELINES, TESTS

Row: TypeAlias = dict[str, object]


def further_tests(comparisons: Sequence[Comparison], champions: pa.Table, daily: pa.Table) -> pa.Table:
    """Rows of `tests` for every comparison that has enough origins for a verdict.

    `champions` and `daily` are rows of `champions` and `daily_scores`.
    """
    tested = [comparison for comparison in comparisons if comparison.sufficient]
    days = daily.sort_by("origin").to_pandas()
    rows = [*_origins(tested), *_skill(tested, days), *_champions(tested, newest_champions(champions))]
    return pa.Table.from_pylist(rows, TESTS.schema)


def _row(comparison: Comparison, test: str, count: int, value: float) -> Row:
    key = {name: getattr(comparison, name) for name in ("horizon", "model", "question")}
    return {**key, "test": test, "n_origins": count, "value": value}


def _origins(comparisons: Sequence[Comparison]) -> Iterator[Row]:
    for comparison in comparisons:
        count = len(comparison.loss)
        yield _row(comparison, "effective_origins", count, effective_origins(count, comparison.overlap))


def _skill(comparisons: Sequence[Comparison], days: pd.DataFrame) -> Iterator[Row]:
    """Whether there is skill at all, though it may be too little to beat the random walk."""
    series = dict(iter(days.groupby(["horizon", "model"])))
    for comparison in comparisons:
        key = (comparison.horizon, comparison.model)
        if comparison.question == "return":
            products = series[key]["product"].dropna().to_numpy(np.float64)
            if len(products):
                yield _row(comparison, "clark_west", len(products), clark_west(products, comparison.overlap))
        elif comparison.question == "direction" and "direction" in claims_of(comparison.model):
            shares = series[key][["rose", "called_up", "called_up_and_rose"]].to_numpy(np.float64)
            p_value = pesaran_timmermann(shares, comparison.overlap)
            yield _row(comparison, "pesaran_timmermann", len(shares), p_value)


def _champions(comparisons: Sequence[Comparison], champions: Mapping[tuple[int, str], str]) -> Iterator[Row]:
    """Where a model has beaten the random walk: which may be best, and whether the champion now loses."""
    for (horizon, question), model in champions.items():
        same = [one for one in comparisons if (one.horizon, one.question) == (horizon, question)]
        rivals = [one for one in same if question in claims_of(one.model)]
        # A model with one origin a month would leave only those origins to compare the others on.
        most = max((len(rival.loss) for rival in rivals), default=0)
        rivals = [rival for rival in rivals if 2 * len(rival.loss) >= most]
        if model == BASELINES[question] or not rivals:
            continue
        yield from _confidence_set(rivals)
        for champion in [one for one in same if one.model == model]:
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
