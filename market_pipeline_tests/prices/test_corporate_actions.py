"""Splits, dividends and a change of name, loaded day by day as they happen, end as one fresh load of everything."""

import datetime as dt
from pathlib import Path
from unittest import mock

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from market_pipeline.orchestration.jobs import jobs_of
from market_pipeline.orchestration.sensors import gaps_sensor, universe_sensor
from market_pipeline.sources.yahoo import YahooSource
from market_pipeline_tests.loopback_yahoo import QUICK, Instrument, running_yahoo
from market_pipeline_tests.pipeline import Pipeline, clock_at
from market_pipeline_tests.vendor import Vendor

FIRST, LAST = dt.date(2024, 1, 2), dt.date(2024, 3, 15)
YAHOO = '[stocks]\ncalendar = "XNYS"\nstart = 2024-01-02\nsymbols = ["UP", "DOWN", "PAID"]\n'
SPLIT, PAID = dt.date(2024, 2, 26), dt.date(2024, 3, 1)
INSTRUMENTS = [
    Instrument("UP", splits={SPLIT: (3, 1)}, dividends={PAID: 0.5}),
    Instrument("DOWN", splits={SPLIT: (1, 10), dt.date(2024, 3, 6): (1, 4)}),
    Instrument("PAID", dividends={SPLIT: 1.5, PAID: 0.25}),
]


def values_of(pipeline: Pipeline) -> pd.DataFrame:
    rows = pipeline.warehouse.read(
        "select symbol, session, open, high, low, close, volume, dividend, split_ratio from prices order by all"
    )
    return rows.to_pandas().set_index(["symbol", "session"])


def test_history_appended_day_by_day_equals_a_fresh_full_read(tmp_path: Path) -> None:
    daily, fresh = Pipeline(tmp_path / "daily", YAHOO), Pipeline(tmp_path / "fresh", YAHOO)
    known = FIRST
    with running_yahoo(tmp_path, INSTRUMENTS) as yahoo:
        for pipeline in (daily, fresh):
            pipeline.source = YahooSource(interval=0, timeout=3, policy=QUICK)
        days = daily.market.sessions_between(dt.date(2024, 2, 20), LAST).tolist()
        for day in [dt.date(2024, 2, 16), *days]:
            yahoo.now = dt.datetime.combine(day, dt.time(9), dt.UTC) + dt.timedelta(days=1)
            with mock.patch("market_pipeline.prices.assets.dt", clock_at(yahoo.now)):
                daily.compute(("prices",), known, day)
            known = day + dt.timedelta(days=1)
        fresh.compute(("prices",), FIRST, LAST)
    appended, read = values_of(daily), values_of(fresh)
    # Volumes that Yahoo divided by 40 it also cut to whole shares.
    np.testing.assert_allclose(appended.pop("volume"), read.pop("volume"), atol=40, rtol=0)
    pd.testing.assert_frame_equal(appended, read, rtol=1e-5, atol=0)
    for instrument in INSTRUMENTS:
        traded = [bar for day, bar in instrument.bars.items() if FIRST <= day <= LAST]
        mine = appended.loc[instrument.symbol]
        np.testing.assert_allclose(mine[["open", "high", "low", "close"]], [bar[:4] for bar in traded], rtol=1e-5)
        events = {day: new / old for day, (new, old) in instrument.splits.items()}
        assert mine["split_ratio"][mine["split_ratio"] != 1].to_dict() == pytest.approx(events)
        assert mine["dividend"][mine["dividend"] > 0].to_dict() == pytest.approx(dict(instrument.dividends))
    assert not daily.warehouse.read("from restatements where field in ('open', 'high', 'low', 'close')").num_rows


def test_after_a_change_of_name_the_old_symbol_keeps_its_past_and_nobody_asks_for_it(tmp_path: Path) -> None:
    last, renamed = dt.date(2024, 3, 28), dt.date(2024, 3, 15)
    before = '[stocks]\ncalendar = "XNYS"\nstart = 2024-01-02\nsymbols = ["OLD", "OTHER"]\n'
    after = (
        before.replace('"OTHER"', '"OTHER", "NEW"')
        + f"[stocks.delisted]\nOLD = {renamed}\n[stocks.listed]\nNEW = {renamed + dt.timedelta(days=3)}\n"
    )
    pipeline = Pipeline(tmp_path, before)
    vendor = pipeline.source = Vendor(pipeline.market, last)
    pipeline.compute(("prices",), FIRST, renamed)
    vendor.bars["symbol"] = vendor.bars["symbol"].replace("OLD", "NEW")  # a vendor gives the new name the whole past
    pipeline = Pipeline(tmp_path, after)
    pipeline.source = vendor
    instance = dg.DagsterInstance.ephemeral()
    asked = universe_sensor(pipeline.market)(
        dg.build_sensor_context(instance, resources={"warehouse": pipeline.warehouse})
    )
    assert isinstance(asked, dg.SensorResult)
    [request] = asked.run_requests or []
    assert request.run_config == {"ops": {"stocks__prices": {"config": {"symbols": ["NEW"]}}}}
    pipeline.compute(("prices",), FIRST, last)
    kept = pipeline.warehouse.read("select max(session) as newest from prices where symbol = 'OLD'")[
        "newest"
    ].to_pylist()
    assert kept == [renamed]
    whole = pipeline.warehouse.read(
        "select min(session) as oldest, max(session) as newest from prices where symbol = 'NEW'"
    )
    assert whole.to_pylist() == [{"oldest": FIRST, "newest": last}]
    assert pipeline.warehouse.read("select sum(missing) as m from coverage")["m"].to_pylist() == [0]
    sensor = gaps_sensor(pipeline.market, jobs_of(pipeline.market))
    moment = dt.datetime(2024, 3, 29, 12, tzinfo=dt.UTC)
    with mock.patch("market_pipeline.orchestration.sensors.dt", clock_at(moment)):
        quiet = sensor(dg.build_sensor_context(instance, resources=pipeline.resources()))
    assert isinstance(quiet, dg.SensorResult)
    assert not quiet.run_requests
