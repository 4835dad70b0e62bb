import numpy as np
import pyarrow as pa
import pytest

from market_pipeline.models.calibration.distribution import LEVELS, QUANTILES
from market_pipeline.scores.calibration import CLAIMED, PIECES, pit_counts


def test_outcomes_are_counted_between_the_quantiles_they_fell() -> None:
    realised = np.array([-9.0, 0.0, 0.0, 9.0, np.nan])
    due = pa.table(
        {"target_session": [1, 1, 1, 2, 2], "horizon": [1] * 5, "model": ["m"] * 5}
        | {name: [level - 0.4] * 5 for name, level in zip(QUANTILES, LEVELS, strict=True)}
    )
    rows = pit_counts(due, realised).to_pylist()
    assert [sum(row[name] for name in PIECES) for row in rows] == [3, 1]
    assert (rows[0]["below_q025"], rows[0]["below_q50"], rows[1]["above_q975"]) == (1, 2, 1)


def test_the_claims_of_all_pieces_are_the_whole() -> None:
    assert CLAIMED.sum() == pytest.approx(1)
    assert len(CLAIMED) == len(PIECES) == 10
