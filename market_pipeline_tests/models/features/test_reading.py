"""Training needs the indicators of every bar that it reads."""

import datetime as dt
from pathlib import Path

import pytest

from market_pipeline.compute.threads import THREADS
from market_pipeline.errors import HistoryError
from market_pipeline.models.assets import trained
from market_pipeline.models.registry.training import months_between
from market_pipeline.storage.store import FolderStore
from market_pipeline_tests.pipeline import Pipeline

FIRST, LAST = dt.date(2023, 1, 3), dt.date(2024, 1, 31)


def test_bars_without_indicators_stop_the_training_and_the_message_computes_them(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path)
    pipeline.compute(("prices", "indicators"), FIRST, LAST)
    with pipeline.warehouse.connect(read_only=False) as connection:
        connection.execute(
            "delete from indicators where symbol = 'SIM1' and session between '2023-06-01' and '2023-06-05'"
        )
    months = months_between(pipeline.market.sessions, dt.date(2024, 2, 1), dt.date(2024, 2, 1))
    fix = "3 sessions to 2024-01-31 have no indicators, the first 2023-06-01.*--end 2023-06-05 --assets indicators"
    with pytest.raises(HistoryError, match=fix):
        next(trained(pipeline.warehouse, pipeline.market, months, FolderStore(tmp_path), THREADS, print))
