"""Forecasts issued live stay as they are, whatever the vendor changes later; replayed ones are computed again."""

import datetime as dt
from pathlib import Path
from unittest import mock

import pytest

from market_pipeline_tests.pipeline import Pipeline, clock_at

FIVE = """
[stocks]
calendar = "XNYS"
start = 2023-01-03
symbols = ["AUTOREG", "SIM1", "SIM2", "SIM3", "WALK1"]
portfolios = {mine = {SIM1 = 0.5, SIM2 = 0.5}}
"""
TABLES = ("forecasts", "tails", "ranks", "portfolios", "portfolio_parts", "portfolio_weights")
START, MONTH, DAY = dt.date(2023, 1, 3), dt.date(2024, 2, 1), dt.date(2024, 2, 5)
EVENING = dt.datetime(2024, 2, 6, 9, tzinfo=dt.UTC)


@pytest.mark.parametrize("live", [True, False], ids=["live", "replayed"])
def test_only_replayed_forecasts_follow_a_changed_price(tmp_path: Path, *, live: bool) -> None:
    pipeline = Pipeline(tmp_path, FIVE)
    pipeline.compute(("prices", "indicators"), START, DAY)
    pipeline.compute(("models",), MONTH, MONTH)
    clock = clock_at(EVENING) if live else dt
    with mock.patch("market_pipeline.forecasts.months.dt", clock):
        pipeline.compute(("forecasts",), DAY, DAY)
    before = {table: pipeline.digest(table) for table in TABLES}
    assert pipeline.warehouse.read("from tails").num_rows
    with pipeline.warehouse.transaction("stocks") as transaction:
        transaction.connection.execute(
            "update prices set close = high where session > $since and symbol = 'SIM1'",
            {"since": DAY - dt.timedelta(days=60)},
        )
    # Another weight and another symbol must not be added to a portfolio that was issued live.
    assert pipeline.settings.config
    pipeline.settings.config.write_text(FIVE.replace("SIM1 = 0.5", "SIM3 = 0.5"), encoding="utf-8")
    pipeline.compute(("indicators", "forecasts"), DAY, DAY)
    for table, digest in before.items():
        assert (pipeline.digest(table) == digest) == live, table


def test_a_live_forecast_of_an_earlier_version_gets_no_tail_afterwards(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path, FIVE)
    pipeline.compute(("prices", "indicators"), START, DAY)
    pipeline.compute(("models",), MONTH, MONTH)
    with mock.patch("market_pipeline.forecasts.months.dt", clock_at(EVENING)):
        pipeline.compute(("forecasts",), DAY, DAY)
    with pipeline.warehouse.transaction("stocks") as transaction:
        transaction.connection.execute("delete from tails where symbol <> 'SIM1'")
    before = pipeline.digest("tails")
    pipeline.compute(("forecasts",), DAY, DAY)
    assert pipeline.digest("tails") == before
