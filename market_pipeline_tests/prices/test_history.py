"""What a history has, that no later bar changes it, and that it is read again once a stored bar changed."""

import datetime as dt
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from market_pipeline.errors import HistoryError
from market_pipeline.prices import history as reading
from market_pipeline.prices.history import ADJUSTED, read_history, require_past
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
    for name in ADJUSTED:
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


@pytest.fixture
def january(tmp_path: Path) -> Pipeline:
    pipeline = Pipeline(tmp_path)
    pipeline.compute(("prices",), FIRST, dt.date(2023, 1, 31))
    return pipeline


def test_readings_of_the_same_bars_share_one_history_that_cannot_be_changed(january: Pipeline) -> None:
    history = read_history(january.warehouse, january.market, LAST)
    assert read_history(january.warehouse, january.market, LAST) is history
    with pytest.raises(ValueError, match="read-only"):
        history.close[0, 0] = 1.0


def changed_here(pipeline: Pipeline, sql: str) -> None:
    with pipeline.warehouse.connect(read_only=False) as connection:
        connection.execute(sql)


def changed_by_another_process(pipeline: Pipeline, sql: str) -> None:
    code = f"import duckdb; duckdb.connect({str(pipeline.settings.warehouse_file)!r}).execute({sql!r})"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("change", [changed_here, changed_by_another_process])
@pytest.mark.parametrize(
    "sql",
    [
        "update prices set close = close * 1.001 where symbol = 'SIM1' and session = '2023-01-17'",
        "update prices set volume = null where symbol = 'SIM1' and session = '2023-01-17'",
        "update prices set final = false where symbol = 'SIM1' and session = '2023-01-17'",
        "delete from prices where symbol = 'SIM1' and session = '2023-01-17'",
        "update prices set symbol = if(symbol = 'SIM1', 'SIM2', 'SIM1') where symbol in ('SIM1', 'SIM2')",
    ],
)
def test_a_changed_bar_is_seen_whatever_process_changed_it_and_without_a_clock(
    january: Pipeline, change: Callable[[Pipeline, str], None], sql: str
) -> None:
    before = read_history(january.warehouse, january.market, LAST)
    change(january, sql)
    after = read_history(january.warehouse, january.market, LAST)
    assert after is not before
    assert any(not np.array_equal(getattr(before, name), getattr(after, name), equal_nan=True) for name in ADJUSTED)
    reading._newest.clear()
    afresh = read_history(january.warehouse, january.market, LAST)
    for name in ADJUSTED:
        np.testing.assert_array_equal(getattr(after, name), getattr(afresh, name))


def test_a_shorter_history_is_read_for_itself_and_never_cut_from_a_longer_one(january: Pipeline) -> None:
    """So that checks for look-ahead see what the reader returns, not a part of what they compare it with."""
    whole = read_history(january.warehouse, january.market, LAST)
    then = read_history(january.warehouse, january.market, dt.date(2023, 1, 17))
    assert not np.shares_memory(then.close, whole.close)


def test_a_bar_that_is_known_later_does_not_reach_a_reading_of_earlier_knowledge(january: Pipeline) -> None:
    read_history(january.warehouse, january.market, LAST)
    moment = dt.datetime(2023, 1, 17, 12, tzinfo=dt.UTC).replace(tzinfo=None)
    then = read_history(january.warehouse, january.market, LAST, known_at=moment)
    known = then.present.any(axis=0)
    assert then.sessions[known][-1] == np.datetime64("2023-01-13")


def test_one_history_is_kept_and_a_sample_of_symbols_does_not_replace_it(january: Pipeline, tmp_path: Path) -> None:
    whole = read_history(january.warehouse, january.market, LAST)
    sample = read_history(january.warehouse, replace(january.market, symbols=("SIM1",)), LAST)
    np.testing.assert_array_equal(sample.close[0], whole.close[1])
    assert read_history(january.warehouse, january.market, LAST) is whole
    other = Pipeline(tmp_path / "other")
    other.compute(("prices",), FIRST, dt.date(2023, 1, 31))
    read_history(other.warehouse, other.market, LAST)
    assert len(reading._newest) == 1
    assert read_history(january.warehouse, january.market, LAST) is not whole
