"""Bars are compared and counted while another process may write, and again if it has."""

import datetime as dt
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from market_pipeline.prices import load
from market_pipeline_tests.pipeline import Pipeline
from market_pipeline_tests.vendor import Vendor

FIRST, LAST = dt.date(2023, 1, 3), dt.date(2023, 1, 31)
OPENED_BY_ANOTHER = "import duckdb, sys; duckdb.connect(sys.argv[1]).close()"


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    pipeline = Pipeline(tmp_path)
    pipeline.source = Vendor(pipeline.market, LAST)
    pipeline.compute(("prices",), FIRST, LAST)
    return pipeline


def interposed(monkeypatch: pytest.MonkeyPatch, name: str, before: Callable[[], None]) -> None:
    """Call `before` whenever the loader calls its function of this name."""
    original = getattr(load, name)

    def called(*arguments: Any) -> Any:
        before()
        return original(*arguments)

    monkeypatch.setattr(load, name, called)


def once(pipeline: Pipeline, sql: str) -> Callable[[], None]:
    """What another process writes the first time that this is called."""
    pending = [sql]

    def write() -> None:
        if pending:
            with pipeline.warehouse.connect(read_only=False) as connection:
                connection.execute(pending.pop())

    return write


@pytest.mark.parametrize("name", ["reconcile", "count_symbols"])
def test_another_process_can_write_while_bars_are_compared_and_counted(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    opened = []

    def open_it() -> None:
        line = [sys.executable, "-c", OPENED_BY_ANOTHER, str(pipeline.settings.warehouse_file)]
        opened.append(subprocess.run(line, capture_output=True, check=False, timeout=60).returncode)

    interposed(monkeypatch, name, open_it)
    pipeline.compute(("prices",), LAST, LAST)
    assert opened == [0]


def test_bars_that_change_meanwhile_are_compared_again(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    vendor = pipeline.source
    assert isinstance(vendor, Vendor)
    [bar] = vendor.bars[vendor.where("SIM1", LAST)].to_dict("records")
    middle = (bar["high"] + bar["low"]) / 2
    change = "update prices set close = (high + low) / 2 where symbol = 'SIM1' and session = '2023-01-31'"
    interposed(monkeypatch, "reconcile", once(pipeline, change))
    pipeline.compute(("prices",), LAST, LAST)
    stored = pipeline.warehouse.read("select old, new from restatements").to_pylist()
    assert stored == [{"old": pytest.approx(middle), "new": pytest.approx(bar["close"])}]
    close = pipeline.warehouse.read("select close from prices where symbol = 'SIM1' and session = '2023-01-31'")
    assert close["close"].to_pylist() == [pytest.approx(bar["close"])]


def test_bars_that_arrive_meanwhile_are_counted(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    with pipeline.warehouse.connect(read_only=False) as connection:
        connection.execute("create table lost as from prices where symbol = 'SIM2' and session = '2023-01-30'")
        connection.execute("delete from prices where symbol = 'SIM2' and session = '2023-01-31'")
    vendor = pipeline.source
    assert isinstance(vendor, Vendor)
    vendor.missing |= vendor.where("SIM2", LAST)
    arrival = "insert into prices select * replace (date '2023-01-31' as session) from lost"
    interposed(monkeypatch, "count_symbols", once(pipeline, arrival))
    pipeline.compute(("prices",), LAST, LAST)
    counted = pipeline.warehouse.read("select present, missing from coverage where session = '2023-01-31'").to_pylist()
    assert counted == [{"present": 3, "missing": 0}]
