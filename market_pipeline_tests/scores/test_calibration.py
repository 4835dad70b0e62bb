import pyarrow as pa
import pytest

from market_pipeline.scores.calibration import EXPECTED_SHARES, pit_counts
from market_pipeline.storage.tables.forecasts import LEVELS, QUANTILES
from market_pipeline.storage.tables.scores import PIECES


def test_outcomes_are_counted_between_the_quantiles_around_them() -> None:
    forecasts = pa.table(
        {"target_session": [1, 1, 1, 2], "horizon": [1] * 4, "model": ["m"] * 4, "realised": [-9.0, 0.0, 0.0, 9.0]}
        | {name: [level - 0.4] * 4 for name, level in zip(QUANTILES, LEVELS, strict=True)}
    )
    rows = pit_counts(forecasts).to_pylist()
    assert [sum(row[name] for name in PIECES) for row in rows] == [3, 1]
    assert (rows[0]["below_q025"], rows[0]["below_q50"], rows[1]["above_q975"]) == (1, 2, 1)


def test_the_expected_shares_of_all_pieces_sum_to_one() -> None:
    assert EXPECTED_SHARES.sum() == pytest.approx(1)
    assert len(EXPECTED_SHARES) == len(PIECES) == 10
