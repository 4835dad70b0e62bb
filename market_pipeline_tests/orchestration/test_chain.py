"""What follows from the declaration of the chain: jobs, tables, the runs of a backfill, the definitions."""

import datetime as dt
from pathlib import Path
from unittest import mock

import pytest

from market_pipeline.config.markets import Market
from market_pipeline.definitions import assets_of
from market_pipeline.errors import ConfigurationError
from market_pipeline.orchestration import chain
from market_pipeline.orchestration.backfill import PlannedRun, plan
from market_pipeline.orchestration.chain import ASSETS, CHAIN, Asset, chain_of
from market_pipeline.storage.catalog import WAREHOUSE
from market_pipeline.storage.duckdb_file import DuckDBFile

STOCKS = Market("stocks", "XNYS", dt.date(2024, 1, 2), ("A",))
CRYPTO = Market("crypto", "24/7", dt.date(2024, 1, 1), ("A-USD",), cross_check="bitstamp")


@pytest.mark.parametrize(
    ("job", "assets"),
    [
        ("daily", "prices cross_check indicators forecasts scores leaderboard signals mart"),
        ("prices", "prices indicators"),
        ("downstream", "cross_check indicators forecasts scores leaderboard signals mart"),
        ("monthly", "models"),
    ],
)
def test_each_job_has_these_assets(job: str, assets: str) -> None:
    assert [asset.name for asset in CHAIN if job in asset.jobs] == assets.split()


def test_every_table_of_the_warehouse_is_filled_by_one_asset() -> None:
    assert sorted(table.name for asset in CHAIN for table in asset.tables) == sorted(WAREHOUSE)


def test_a_market_without_a_second_source_has_no_cross_check() -> None:
    assert {asset.name for asset in CHAIN} - {asset.name for asset in chain_of(STOCKS)} == {"cross_check"}
    assert chain_of(CRYPTO) == CHAIN


def test_the_mart_has_no_market_in_its_key() -> None:
    assert ASSETS["mart"].key("stocks") == ["mart"]
    assert ASSETS["prices"].key("stocks") == ["stocks", "prices"]


def test_definitions_that_differ_from_the_chain_do_not_load() -> None:
    with (
        mock.patch.object(chain, "CHAIN", (*CHAIN, Asset("extra", "session", ("daily",)))),
        pytest.raises(ValueError, match=r"orchestration/chain\.py declares"),
    ):
        assets_of(STOCKS)


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBFile:
    return DuckDBFile(tmp_path / "warehouse.duckdb", "simulated")


FIRST, LAST = dt.date(2024, 3, 14), dt.date(2024, 5, 10)


def test_a_range_of_the_whole_chain_is_three_runs(warehouse: DuckDBFile) -> None:
    assert plan(CRYPTO, warehouse, FIRST, LAST, tuple(ASSETS), from_start=True) == [
        PlannedRun("crypto", ("prices", "cross_check", "indicators"), CRYPTO.start, LAST),
        PlannedRun("crypto", ("models",), dt.date(2024, 3, 1), dt.date(2024, 5, 1)),
        PlannedRun("crypto", ("forecasts", "scores", "leaderboard", "signals", "mart"), FIRST, LAST),
    ]


def test_a_range_of_named_assets_is_in_the_order_of_the_chain(warehouse: DuckDBFile) -> None:
    assert plan(STOCKS, warehouse, FIRST, LAST, ("mart", "indicators", "prices"), from_start=False) == [
        PlannedRun("stocks", ("prices", "indicators"), FIRST, LAST),
        PlannedRun("stocks", ("mart",), FIRST, LAST),
    ]


def test_only_the_indicators_begin_at_the_markets_start(warehouse: DuckDBFile) -> None:
    [run] = plan(STOCKS, warehouse, FIRST, LAST, ("forecasts",), from_start=True)
    assert run.first == FIRST


def test_a_cross_check_without_a_second_source_is_refused(warehouse: DuckDBFile) -> None:
    with pytest.raises(ConfigurationError, match=r'Set cross_check, such as cross_check = "bitstamp", in \[stocks\]'):
        plan(STOCKS, warehouse, FIRST, LAST, ("cross_check",), from_start=False)


def test_progress_counts_the_months_of_models_and_forecasts() -> None:
    run = PlannedRun("stocks", ("forecasts", "scores"), FIRST, LAST)
    assert run.parts_of == {"forecasts": 3, "scores": 1}
    assert run.parts == 4
