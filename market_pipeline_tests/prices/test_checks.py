"""What the checks of prices find that no rule about a single bar can."""

import datetime as dt
from pathlib import Path

import dagster as dg
import pytest

from market_pipeline.storage.tables.prices import PRICES
from market_pipeline_tests.pipeline import Pipeline
from market_pipeline_tests.vendor import Vendor

FIRST, LAST, DAY = dt.date(2023, 1, 3), dt.date(2023, 3, 31), "2023-02-15"


def verdicts(pipeline: Pipeline) -> dict[str, bool]:
    result = pipeline.materialise(("prices",), FIRST, LAST)
    assert result.success
    return {found.check_name: found.passed for found in result.get_asset_check_evaluations()}


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    pipeline = Pipeline(tmp_path)
    pipeline.source = Vendor(pipeline.market, LAST)
    return pipeline


def plant(pipeline: Pipeline, *, step: float, ratio: float) -> None:
    """A step of SIM1's price, and a split on record, at the open of a session."""
    vendor = pipeline.source
    assert isinstance(vendor, Vendor)
    vendor.bars["open"] = vendor.bars["close"]
    after = (vendor.bars["symbol"] == "SIM1") & (vendor.bars["session"] >= DAY)
    vendor.bars.loc[after, [*PRICES]] *= step
    vendor.bars.loc[vendor.where("SIM1", DAY), "split_ratio"] = ratio


@pytest.mark.parametrize(
    ("step", "ratio", "recorded", "moved"),
    [
        (1.0, 1.0, True, True),
        (0.5, 2.0, True, True),
        (3.0, 1 / 3, True, True),
        (0.5, 1.0, False, True),  # the vendor forgot a split
        (3.0, 1.0, False, True),  # a reversed one
        (1.0, 2.0, True, False),  # the vendor invented one, or its prices are adjusted already
        (1.0, 0.5, True, False),
    ],
)
def test_a_split_without_a_step_and_a_step_without_a_split(
    pipeline: Pipeline, step: float, ratio: float, *, recorded: bool, moved: bool
) -> None:
    plant(pipeline, step=step, ratio=ratio)
    found = verdicts(pipeline)
    assert found["no_unrecorded_splits"] == recorded
    assert found["every_split_moves_the_price"] == moved
    assert found["every_bar_is_possible"]


def test_prices_in_pence_or_another_currency_for_a_day_are_quarantined(pipeline: Pipeline) -> None:
    plant(pipeline, step=1.0, ratio=1.0)
    vendor = pipeline.source
    assert isinstance(vendor, Vendor)
    vendor.bars.loc[vendor.where("SIM1", DAY), [*PRICES]] *= 100
    vendor.bars.loc[vendor.where("SIM2", DAY), [*PRICES]] /= 150
    verdicts(pipeline)
    quarantined = pipeline.warehouse.read(
        "select symbol, session::varchar as day, rule from quarantine order by 1"
    ).to_pylist()
    rule = "the close is within 5 times its recent median"
    assert quarantined == [{"symbol": symbol, "day": DAY, "rule": rule} for symbol in ("SIM1", "SIM2")]


def test_a_missing_bar_is_a_warning_that_stops_nothing(pipeline: Pipeline) -> None:
    vendor = pipeline.source
    assert isinstance(vendor, Vendor)
    vendor.missing |= vendor.where("SIM1", DAY)
    result = pipeline.materialise(("prices", "indicators"), FIRST, LAST)
    assert result.success
    [complete] = [found for found in result.get_asset_check_evaluations() if found.check_name == "no_missing_bars"]
    assert not complete.passed
    assert complete.severity == dg.AssetCheckSeverity.WARN
