import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from market_pipeline.errors import HistoryError
from market_pipeline.prices.history import read_history, require_past
from market_pipeline_tests.pipeline import Pipeline

FIRST, LAST = dt.date(2023, 1, 3), dt.date(2023, 12, 29)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    pipeline = Pipeline(tmp_path_factory.mktemp("history"))
    pipeline.compute(("prices",), FIRST, LAST)
    return pipeline


@pytest.mark.parametrize("day", [dt.date(2023, 3, 1), dt.date(2023, 7, 4), dt.date(2023, 11, 30)])
def test_an_earlier_reading_is_the_start_of_a_later_one_bit_by_bit(pipeline: Pipeline, day: dt.date) -> None:
    whole = read_history(pipeline.warehouse, pipeline.market, LAST)
    then = read_history(pipeline.warehouse, pipeline.market, day)
    assert then.sessions[-1] <= np.datetime64(day)
    for name in ("open", "high", "low", "close", "volume"):
        np.testing.assert_array_equal(getattr(then, name), getattr(whole.until(day), name))


def test_every_session_is_there_with_or_without_a_bar(pipeline: Pipeline) -> None:
    history = read_history(pipeline.warehouse, pipeline.market, LAST)
    np.testing.assert_array_equal(history.sessions, pipeline.market.sessions_between(FIRST, LAST))
    assert history.present[0].all()


def test_a_bar_that_is_not_final_is_not_known_yet(pipeline: Pipeline, tmp_path: Path) -> None:
    copy = Pipeline(tmp_path)
    copy.compute(("prices",), FIRST, dt.date(2023, 1, 31))
    with copy.warehouse.connect(read_only=False) as connection:
        connection.execute("update prices set final = false where symbol = 'AUTOREG' and session = '2023-01-31'")
    history = read_history(copy.warehouse, copy.market, dt.date(2023, 1, 31))
    assert np.isnan(history.close[0, -1])
    assert np.isfinite(history.close[0, -2])


def test_a_past_that_was_never_loaded_names_its_first_session_and_the_command(pipeline: Pipeline) -> None:
    require_past(pipeline.warehouse, pipeline.market, dt.date(2024, 1, 2))
    with pytest.raises(
        HistoryError, match="3 sessions before 2024-01-05 were never loaded, the first 2024-01-02"
    ) as refused:
        require_past(pipeline.warehouse, pipeline.market, dt.date(2024, 1, 5))
    assert "market-pipeline backfill --market stocks --start 2024-01-02 --end 2024-01-04" in str(refused.value)
