"""A notebook gets tables as pandas frames, clear errors when there are none, and never an error of timing."""

import datetime as dt
import os
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from market_pipeline import mart
from market_pipeline.errors import MarketPipelineError
from market_pipeline.mart.publish import publish
from market_pipeline_tests.pipeline import SMALL, Pipeline

START, FIRST, LAST = dt.date(2023, 1, 3), dt.date(2024, 3, 1), dt.date(2024, 3, 15)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    pipeline = Pipeline(tmp_path_factory.mktemp("reading"), SMALL)
    pipeline.compute(("prices", "indicators"), START, LAST)
    pipeline.compute(("models",), dt.date(2024, 3, 1), dt.date(2024, 3, 1))
    pipeline.compute(("forecasts", "scores", "leaderboard", "signals"), FIRST, LAST)
    publish(pipeline.warehouse, [pipeline.market], pipeline.mart, dt.datetime(2024, 3, 16, tzinfo=dt.UTC))
    return pipeline


@pytest.fixture(autouse=True)
def data_directory(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKET_PIPELINE_HOME", str(pipeline.settings.home))
    monkeypatch.setenv("MARKET_PIPELINE_SOURCE", "bloomberg")  # a setting that fails a run stops no reader


THREADS = """
import os, sys
import numpy, pandas
from threadpoolctl import threadpool_info

def settings():
    return dict(os.environ), [(one["filepath"], one["num_threads"]) for one in threadpool_info()]

before = settings()
from market_pipeline import mart
assert len(mart.forecasts()) and len(mart.signals("SIM1")) and len(mart.prices())
assert settings() == before, (before, settings())
assert not {"market_pipeline.models", "market_pipeline.definitions"} & {*sys.modules}
"""


def test_reading_changes_no_thread_setting_of_the_reader() -> None:
    variables = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-c", THREADS], env=variables, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", ["definitions", "cli.main"])
def test_a_process_that_computes_has_one_thread_for_each_sum(module: str) -> None:
    variables = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    code = (
        f"import market_pipeline.{module}, os; print(os.environ['OMP_NUM_THREADS'], os.environ['OPENBLAS_NUM_THREADS'])"
    )
    line = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(line, env=variables, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == ["1", "1"]


def test_the_mart_is_that_of_the_data_directory(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert mart.path() == pipeline.mart
    monkeypatch.setenv("MARKET_PIPELINE_HOME", "")
    monkeypatch.chdir(tmp_path)
    assert mart.path() == tmp_path / "data" / "mart.duckdb"


def test_a_table_is_a_frame_of_the_rows_that_were_requested() -> None:
    everything = mart.forecasts()
    assert everything["symbol"].nunique() == 3
    of_one = mart.forecasts("autoreg", horizon=5, model="ewma", since="2024-03-04", until=dt.date(2024, 3, 8))
    assert set(of_one["symbol"]) == {"AUTOREG"}
    assert of_one["origin"].tolist() == pd.bdate_range("2024-03-04", "2024-03-08").tolist()
    assert pd.api.types.is_datetime64_any_dtype(of_one["target_session"])
    assert set(mart.scores("SIM1", horizon=1)["model"]) == set(everything["model"])
    assert mart.prices("SIM2", until="2023-01-31")["session"].max() == pd.Timestamp("2023-01-31")
    assert mart.prices(market="bonds").empty
    assert set(mart.leaderboard()["horizon"]) == {1, 5}
    days = mart.daily_scores(horizon=5, model="ewma", since="2024-03-04")
    assert days["origin"].tolist() == pd.bdate_range("2024-03-04", "2024-03-08").tolist()
    every = mart.scores(horizon=5, model="ewma", since="2024-03-04").groupby("origin")["crps"]
    np.testing.assert_allclose(days["crps"], every.mean())
    tails = mart.tails("SIM1", newest=True)
    assert set(tails["origin"]) == {pd.Timestamp(LAST)}
    assert {"random_walk", "har", "ensemble"} <= set(tails["model"]) <= set(everything["model"])
    assert mart.ranks("SIM1").empty  # fewer than five symbols have no ranks


def test_the_newest_forecasts_are_those_of_the_newest_origin_and_can_be_prices() -> None:
    newest = mart.forecasts("SIM1", newest=True)
    assert set(newest["origin"]) == {pd.Timestamp(LAST)}
    prices = mart.forecasts("SIM1", newest=True, in_prices=True)
    np.testing.assert_allclose(np.log(prices["q90"] / prices["origin_price"]), newest["q90"])
    assert mart.prices("SIM1")["adj_close"].iloc[-1] == prices["origin_price"].iloc[0]


def test_signals_are_all_of_them_or_those_of_one_symbol_with_prices() -> None:
    assert len(mart.signals()) == 3 * 2
    one = mart.signals("sim2")
    assert one["horizon"].tolist() == [1, 5]  # no target date at 20 is reached
    assert (one["low_price"] < one["expected_price"]).all()


def test_any_query_can_read_and_none_can_write() -> None:
    counted = mart.sql("select count(*) as bars from prices where symbol = $symbol", symbol="SIM1")
    assert counted["bars"].item() == len(mart.prices("SIM1"))
    with pytest.raises(duckdb.InvalidInputException, match="read-only"):
        mart.sql("delete from prices")


def test_what_is_missing_is_an_error_with_the_fix(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for read in (mart.forecasts, mart.prices, mart.scores, mart.ranks, mart.tails):
        with pytest.raises(MarketPipelineError, match=r"has no symbol 'SIM'. Did you mean SIM"):
            read("SIM")
    with pytest.raises(MarketPipelineError, match="Did you mean AUTOREG"):
        mart.signals("AUTOREGG")
    monkeypatch.setenv("MARKET_PIPELINE_HOME", str(tmp_path))
    with pytest.raises(MarketPipelineError, match=r"make demo.*MARKET_PIPELINE_HOME"):
        mart.leaderboard()


def test_reading_never_fails_while_the_pipeline_publishes(pipeline: Pipeline) -> None:
    """Readers in this process and in others, a file renamed over theirs again and again: each sees one whole mart."""
    copies = pipeline.settings.home / "next"
    whole = pipeline.mart.read_bytes()
    rows = len(mart.forecasts())
    code = (
        "from market_pipeline import mart\n"
        "while True:\n"
        f"    assert len(mart.forecasts()) == {rows}\n"
        "    print('read', flush=True)"
    )
    others = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    failures, counted, over = list[BaseException](), [0], threading.Event()

    def read_on() -> None:
        try:
            while not over.is_set():
                assert len(mart.forecasts()) == rows
                counted[0] += 1
        except BaseException as error:  # noqa: BLE001  the test shows any error
            failures.append(error)

    reader = threading.Thread(target=read_on)
    reader.start()
    try:
        for other in others:  # from here on, files are renamed while others read
            assert other.stdout is not None
            assert other.stdout.readline() == "read\n", other.communicate()[1]
        for _ in range(300):
            copies.write_bytes(whole)
            copies.replace(pipeline.mart)
        publish(pipeline.warehouse, [pipeline.market], pipeline.mart, dt.datetime(2024, 3, 17, tzinfo=dt.UTC))
        for other in others:
            assert other.stdout is not None
            assert other.stdout.readline() == "read\n"
            assert other.poll() is None
    finally:
        over.set()
        reader.join()
        for other in others:
            other.kill()
            other.communicate()
    assert not failures
    assert counted[0] > 3
    assert mart.sql("select published_at from meta")["published_at"].item() == pd.Timestamp("2024-03-17")
