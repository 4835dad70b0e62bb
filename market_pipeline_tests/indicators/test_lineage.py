"""The declared lineage against the computation: change a column of the bars, and see which indicators change."""

from dataclasses import replace

import numpy as np
import pytest

from market_pipeline.indicators.compute import compute_indicators
from market_pipeline.prices.history import ADJUSTED
from market_pipeline.storage.tables.indicators import INDICATOR_VALUES
from market_pipeline_tests.indicators.test_compute import history_of

HISTORY = history_of()
BEFORE = compute_indicators(HISTORY)


@pytest.mark.parametrize("column", ADJUSTED)
def test_an_indicator_changes_with_the_columns_of_its_lineage_and_with_no_other(column: str) -> None:
    draw = np.random.default_rng(7)
    values = getattr(HISTORY, column)
    nudge = np.abs(draw.normal(0, 0.004, values.shape)) * (-1 if column == "low" else 1)
    after = compute_indicators(replace(HISTORY, **{column: values * (1 + nudge)}))
    changed = {name for name in BEFORE if not np.array_equal(BEFORE[name], after[name], equal_nan=True)}
    declared = {name for name, sources in INDICATOR_VALUES.lineage.items() if f"prices.{column}" in sources}
    if column == "close":  # Aroon depends on closes through the adjustment for dividends alone
        declared.remove("aroon_25")
    assert changed == declared
