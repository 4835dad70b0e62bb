"""What was tried counts, also when it is no longer used."""

import numpy as np
import pyarrow as pa
import pytest

from market_pipeline.models.forecasters.catalogue import FORECASTERS
from market_pipeline.scores.multiplicity import retired_comparisons, settings_of
from market_pipeline.scores.significance import benjamini_hochberg, effective_origins


def test_the_settings_of_a_model_are_complete_and_the_same_in_every_process() -> None:
    settings = settings_of(["boosting", "joint"]).to_pylist()
    assert settings[1] == {"model": "joint", "settings": "joint"}
    assert "window=750" in settings[0]["settings"]
    assert not any(" at 0x" in repr(forecaster) for forecaster in FORECASTERS)


def test_comparisons_of_a_changed_setting_are_retired() -> None:
    now = settings_of(["har", "linear"])
    assert retired_comparisons(now, now) == 0
    rows = [{"model": "har", "settings": "Har(window=500)"}, {"model": "linear", "settings": "x"}]
    old = pa.Table.from_pylist(rows, now.schema)
    assert retired_comparisons(pa.concat_tables([now, old]), now) == 3 * 2 + 3 * 2


def test_each_retired_comparison_raises_the_adjusted_p_values() -> None:
    p_values = [0.01, 0.2]
    np.testing.assert_allclose(benjamini_hochberg(p_values), [0.02, 0.2])
    np.testing.assert_allclose(benjamini_hochberg(p_values, retired=8), [0.1, 1.0])


@pytest.mark.parametrize(("count", "overlap", "worth"), [(1000, 0, 214.3), (1000, 19, 51.7), (60, 19, 3.1)])
def test_origins_that_overlap_are_worth_fewer(count: int, overlap: int, worth: float) -> None:
    assert effective_origins(count, overlap) == pytest.approx(worth, abs=0.1)
