"""The published mart on an object store: the same tests as in a folder, and what only a pipeline with a store does."""

import datetime as dt
from pathlib import Path

import pytest

from market_pipeline import mart
from market_pipeline.storage.store import open_store
from market_pipeline_tests.pipeline import Pipeline
from market_pipeline_tests.storage.test_publication import (  # noqa: F401  the same tests with the address below
    files,
    reader,
    test_a_changed_or_cut_mart_is_refused_until_the_next_one,
    test_a_machine_whose_clock_is_behind_publishes_all_the_same,
    test_a_mart_that_has_gone_is_looked_for_again,
    test_a_publisher_that_lasts_does_not_replace_a_newer_one,
    test_a_reader_needs_the_store_alone_and_copies_each_mart_once,
    test_every_command_that_reads_works_on_a_machine_with_the_store_alone,
    test_old_marts_go_once_a_newer_one_is_there_for_long_and_a_reader_keeps_its_own,
    test_readers_see_one_whole_mart_after_the_other_during_20_publications,
    test_the_machine_before_a_new_mart_has_the_one_of_another_machine,
    test_what_a_killed_publisher_left_is_no_mart,
)

FIRST, LAST = dt.date(2024, 1, 2), dt.date(2024, 1, 5)


@pytest.fixture
def address(store: str) -> str:
    return store


def test_a_pipeline_trains_forecasts_and_publishes_by_the_store(address: str, connection: str, tmp_path: Path) -> None:
    """Its models are not on its own disk, and a reader with the store alone reads what it publishes."""
    trained = Pipeline(tmp_path / "pipeline", lake=f"ducklake:postgres:{connection}", store=address)
    trained.compute(("prices",), dt.date(2023, 1, 3), LAST)
    trained.compute(("indicators",), dt.date(2023, 1, 3), LAST)
    trained.compute(("models",), dt.date(2024, 1, 1), LAST)
    assert not (trained.settings.home / "models").exists()
    assert len(open_store(trained.settings).list("models")) > 5
    for asset in ("forecasts", "signals"):
        assert trained.materialise([asset], FIRST, LAST).success
    assert trained.materialise(["mart"], FIRST, LAST).success
    assert set(mart.prices()["symbol"]) == set(trained.market.symbols)
    assert mart.path().is_relative_to(tmp_path / "cache")
    assert b"Market forecasts" in open_store(trained.settings).get("report.html")
