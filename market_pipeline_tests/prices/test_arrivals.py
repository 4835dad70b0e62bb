"""A load in which no symbol brings a bar fails, and names the days that the source has."""

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from market_pipeline.errors import SourceError
from market_pipeline.orchestration.backfill import PlannedRun, plan
from market_pipeline.sources.files import FilesSource
from market_pipeline_tests.pipeline import Pipeline
from market_pipeline_tests.vendor import Vendor

TOML = '[stocks]\ncalendar = "XNYS"\nstart = 2024-01-02\nsymbols = ["AAA", "BBB"]\n'
END = dt.date(2024, 2, 29)


def bars(pipeline: Pipeline) -> int:
    return int(pipeline.warehouse.read("select count(*) as bars from prices")["bars"][0].as_py())


@pytest.fixture
def files(tmp_path: Path) -> Pipeline:
    """Files of both symbols that end in February."""
    (tmp_path / "files").mkdir()
    values = {"open": 10.0, "high": 11.0, "low": 9.0, "close": 10.0, "volume": 1e5}
    days = pd.bdate_range("2024-01-02", END)
    rows = [pd.DataFrame({"symbol": symbol, "date": days} | values) for symbol in ("AAA", "BBB")]
    pd.concat(rows).to_parquet(tmp_path / "files" / "bars.parquet", index=False)
    return Pipeline(tmp_path / "pipeline", TOML, source=FilesSource(tmp_path / "files"))


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (dt.date(2024, 4, 1), dt.date(2024, 6, 28)),
        (dt.date(2024, 3, 1), dt.date(2024, 3, 1)),  # the sessions before it, which are read again, have bars
    ],
)
def test_sessions_after_the_end_of_the_files(files: Pipeline, first: dt.date, last: dt.date) -> None:
    missing = f"stocks: no symbol has a bar from {first} to {last} in files. It has bars from 2024-01-02 to 2024-02-29"
    with pytest.raises(SourceError, match=missing):
        files.compute(("prices",), first, last)


def test_a_run_without_a_bar_fails(files: Pipeline) -> None:
    assert not files.materialise(("prices",), dt.date(2024, 4, 1), dt.date(2024, 6, 28)).success


def test_a_range_that_the_files_have_in_part_arrives(files: Pipeline) -> None:
    files.compute(("prices",), dt.date(2024, 2, 26), dt.date(2024, 3, 8))
    assert bars(files) == 2 * 4


def test_a_vendor_that_has_no_bar_of_any_symbol_and_one_that_lacks_a_symbol(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path, TOML)
    vendor = Vendor(pipeline.market, END)
    pipeline.source = vendor
    days = dt.date(2024, 2, 5), dt.date(2024, 2, 9)
    vendor.missing = (vendor.bars["symbol"] == "AAA").to_numpy()
    pipeline.compute(("prices",), *days)
    vendor.missing = np.ones(len(vendor.bars), bool)
    with pytest.raises(SourceError, match=r"from 2024-02-05 to 2024-02-09 in simulated\. If the market was open"):
        pipeline.compute(("prices",), *days)
    assert bars(pipeline) == 5  # what had arrived before stays


def test_sessions_on_which_no_symbol_was_listed_are_complete_without_bars(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path, TOML + "listed = {AAA = 2024-02-12, BBB = 2024-02-12}\n")
    vendor = Vendor(pipeline.market, END)
    vendor.missing = np.ones(len(vendor.bars), bool)
    pipeline.source = vendor
    pipeline.compute(("prices",), dt.date(2024, 1, 2), dt.date(2024, 2, 9))
    assert bars(pipeline) == 0


@pytest.mark.parametrize("status", ["hole", "unavailable"])
def test_a_load_without_a_bar_is_asked_for_again_as_a_whole(tmp_path: Path, status: str) -> None:
    pipeline = Pipeline(tmp_path, TOML)
    pipeline.source = vendor = Vendor(pipeline.market, END)
    if status == "hole":
        vendor.missing = np.ones(len(vendor.bars), bool)
    else:
        vendor.down = True
    days, assets = (dt.date(2024, 2, 1), dt.date(2024, 2, 9)), ("prices", "indicators")

    def planned() -> list[PlannedRun]:
        return plan(pipeline.market, pipeline.warehouse, *days, assets, from_start=True)

    [first] = planned()
    assert first.first == pipeline.market.start
    assert not pipeline.materialise(first.assets, first.first, first.last).success
    assert planned() == [first]
