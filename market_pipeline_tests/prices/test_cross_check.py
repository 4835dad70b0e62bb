"""Closes that differ in a reference source are recorded and flagged, and nothing of it replaces a stored bar."""

import datetime as dt
from pathlib import Path
from unittest import mock

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market_pipeline.prices.cross_check import disagreements
from market_pipeline.sources.exchange import ExchangeSource
from market_pipeline_tests.loopback_exchange import LoopbackExchange, running_exchange, steady
from market_pipeline_tests.loopback_yahoo import QUICK
from market_pipeline_tests.pipeline import Pipeline

TOML = """
[crypto]
calendar = "24/7"
start = 2024-01-02
symbols = ["BTC-USD", "ETH-USD"]
cross_check = "coinbaseexchange"
cross_check_tolerance = 0.01
"""
FIRST, LAST = dt.date(2024, 1, 2), dt.date(2024, 2, 1)
WRONG = dt.date(2024, 1, 20)
NOW = dt.datetime(2024, 3, 1, tzinfo=dt.UTC)


def at(exchange: LoopbackExchange) -> ExchangeSource:
    return ExchangeSource("coinbaseexchange", interval=0, timeout=3, policy=QUICK, address=exchange.address)


def agreement(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    [found] = [e for e in result.get_asset_check_evaluations() if e.check_name == "closes_agree_with_reference_source"]
    return found


def test_differences_are_recorded_and_flagged_and_the_stored_bars_stay(tmp_path: Path) -> None:
    candles = {"BTC-USD": steady(FIRST, 60, 100), "ETH-USD": steady(FIRST, 60, 10)}
    other = {name: dict(values) for name, values in candles.items()}
    other["BTC-USD"][WRONG] = (103.0, 106.0, 102.0, 105.0, 1.0)
    del other["ETH-USD"][WRONG]
    with running_exchange(candles) as first, running_exchange(other) as second:
        pipeline = Pipeline(tmp_path, TOML, source=at(first))
        with mock.patch("market_pipeline.prices.assets.ExchangeSource", return_value=at(second)):
            pipeline.build(("prices",), FIRST, LAST)
            before = pipeline.digest("prices")
            result = pipeline.materialise(("cross_check",), FIRST, LAST)
            assert result.success
            assert not agreement(result).passed
            assert pipeline.digest("prices") == before
            rows = pipeline.warehouse.read("select symbol, session, close, other_close from disagreements").to_pylist()
            assert [(row["symbol"], row["session"], row["other_close"]) for row in rows] == [("BTC-USD", WRONG, 105.0)]
            # The second source corrects its value, and the disagreement is removed.
            second.candles["BTC-USD"][WRONG] = candles["BTC-USD"][WRONG]
            assert agreement(pipeline.materialise(("cross_check",), FIRST, LAST)).passed
            assert not pipeline.warehouse.read("select * from disagreements").num_rows


def test_a_second_source_that_is_down_warns_and_fails_nothing(tmp_path: Path) -> None:
    candles = {"BTC-USD": steady(FIRST, 60, 100), "ETH-USD": steady(FIRST, 60, 10)}
    with running_exchange(candles) as first, running_exchange(candles) as second:
        pipeline = Pipeline(tmp_path, TOML, source=at(first))
        second.faults = [(503, "down")] * 1000
        with mock.patch("market_pipeline.prices.assets.ExchangeSource", return_value=at(second)):
            pipeline.build(("prices",), FIRST, LAST)
            result = pipeline.materialise(("cross_check",), FIRST, LAST)
    assert result.success
    assert not agreement(result).passed
    assert "unavailable" in str(agreement(result).metadata["did not answer"].value)


@given(
    difference=st.floats(-0.5, 0.5).filter(lambda x: abs(abs(x) - 0.02) > 1e-9),
    both=st.booleans(),
)
def test_only_what_both_have_beyond_the_tolerance_is_a_disagreement(difference: float, *, both: bool) -> None:
    stored = pa.table({"symbol": ["A"], "session": pa.array([WRONG], pa.date32()), "close": [50.0]})
    session = pd.Timestamp(WRONG if both else FIRST)
    other = pd.DataFrame({"symbol": ["A"], "session": [session], "close": [50.0 * (1 + difference)]})
    other["session"] = other["session"].astype("datetime64[s]")
    rows, compared = disagreements(stored, other, 0.02, "bitstamp", NOW)
    assert compared == both
    assert rows.num_rows == (both and abs(difference) > 0.02)
    if rows.num_rows:
        assert rows["difference"][0].as_py() == pytest.approx(difference)
