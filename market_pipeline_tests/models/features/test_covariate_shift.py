"""A shifted indicator is found, and others are not."""

import numpy as np

from market_pipeline.models.features.covariate_shift import SHIFTED, distances
from market_pipeline_tests.panels import walk_panel


def test_an_indicator_that_moved_is_named_first_and_the_others_are_not_far() -> None:
    panel = walk_panel(symbols=20)
    panel.recent[3, :, -21:] += 3.0
    found = distances(panel, 300)
    assert next(iter(found)) == "feature_3"
    assert found["feature_3"] > SHIFTED
    assert max(list(found.values())[1:]) < 0.15


def test_an_indicator_without_values_is_left_out() -> None:
    panel = walk_panel()
    panel.recent[2] = np.nan
    assert "feature_2" not in distances(panel, 300)
