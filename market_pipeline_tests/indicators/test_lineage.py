"""The lineage that the UI shows, held against what happens: change a column of the bars, see which indicators move."""

from dataclasses import replace

import numpy as np
import pytest

from market_pipeline.indicators.catalogue import CATALOGUE
from market_pipeline.indicators.compute import compute_indicators
from market_pipeline.indicators.lineage import LINEAGE
from market_pipeline_tests.indicators.test_compute import history_of

HISTORY = history_of()
BEFORE = compute_indicators(HISTORY)


@pytest.mark.parametrize("column", ["open", "high", "low", "close", "volume"])
def test_an_indicator_moves_with_the_columns_of_its_lineage_and_with_no_other(column: str) -> None:
    draw = np.random.default_rng(7)
    values = getattr(HISTORY, column)
    nudge = np.abs(draw.normal(0, 0.004, values.shape)) * (-1 if column == "low" else 1)
    after = compute_indicators(replace(HISTORY, **{column: values * (1 + nudge)}))
    moved = {name for name in BEFORE if not np.array_equal(BEFORE[name], after[name], equal_nan=True)}
    declared = {name for name, ancestors in LINEAGE.items() if ("prices", column) in ancestors}
    if column == "close":  # Aroon rests on closes through the adjustment for dividends alone
        declared.remove("aroon_25")
    assert moved == declared & {indicator.name for indicator in CATALOGUE}
