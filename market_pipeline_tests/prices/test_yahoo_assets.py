"""The real yfinance client, from the loopback Yahoo, through the same assets as everything else."""

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from market_pipeline.sources.yahoo import YahooSource
from market_pipeline_tests.loopback_yahoo import QUICK, Instrument, running_yahoo
from market_pipeline_tests.pipeline import Pipeline

STOCKS = '[stocks]\ncalendar = "XNYS"\nstart = 2024-01-02\nsymbols = ["AAA", "NOPE"]\n'
CRYPTO = '[crypto]\ncalendar = "24/7"\nstart = 2024-01-02\nsymbols = ["BTC-USD"]\n'
SPLIT, DIVIDEND = dt.date(2024, 3, 4), dt.date(2024, 2, 9)
STOCK = Instrument("AAA", splits={SPLIT: (2, 1)}, dividends={DIVIDEND: 0.5})
COIN = Instrument("BTC-USD")
FIRST, LAST = dt.date(2024, 1, 2), dt.date(2024, 3, 15)


@pytest.mark.parametrize(("toml", "instrument"), [(STOCKS, STOCK), (CRYPTO, COIN)], ids=["stock", "coin"])
def test_prices_and_indicators_from_yahoo(tmp_path: Path, toml: str, instrument: Instrument) -> None:
    with running_yahoo(tmp_path, [STOCK, COIN]) as yahoo:
        pipeline = Pipeline(tmp_path, toml, source=YahooSource(interval=0, timeout=3, policy=QUICK))
        pipeline.build(("prices", "indicators"), FIRST, LAST)
        assert len(yahoo.charts(instrument.symbol)) == 1
        pipeline.build(("prices", "indicators"), LAST, LAST)
        assert len(yahoo.charts(instrument.symbol)) == 2
    rows = pipeline.warehouse.read(
        "select session, close, dividend, split_ratio, final from prices order by session"
    ).to_pandas()
    wanted = {day: values[3] for day, values in instrument.bars.items() if FIRST <= day <= LAST}
    assert rows["session"].tolist() == list(wanted)
    np.testing.assert_allclose(rows["close"], list(wanted.values()))
    assert rows["final"].all()
    paid = rows[rows["dividend"] > 0]
    assert paid["session"].tolist() == list(instrument.dividends)
    np.testing.assert_allclose(paid["dividend"], list(instrument.dividends.values()))
    returns = pipeline.warehouse.read("select return_1 from indicators order by session").to_pandas()["return_1"]
    # The split is no jump of a half, the dividend no loss.
    assert returns.abs().max() < 0.1


def test_an_unknown_symbol_is_recorded_beside_its_good_neighbour(tmp_path: Path) -> None:
    with running_yahoo(tmp_path, [STOCK]):
        pipeline = Pipeline(tmp_path, STOCKS, source=YahooSource(interval=0, timeout=3, policy=QUICK))
        pipeline.build(("prices",), FIRST, LAST)
    outcomes = pipeline.warehouse.read("select symbol, status from outcomes order by symbol").to_pylist()
    assert [outcome["status"] for outcome in outcomes] == ["ok", "unknown_symbol"]
    coverage = pipeline.warehouse.read(
        "select sum(expected) as e, sum(present) as p, sum(missing) as m from coverage"
    ).to_pylist()[0]
    assert coverage["e"] == 2 * coverage["p"] == 2 * coverage["m"]


def test_when_nothing_arrives_the_run_fails_and_what_was_stored_stays(tmp_path: Path) -> None:
    with running_yahoo(tmp_path, [STOCK, COIN]) as yahoo:
        pipeline = Pipeline(tmp_path, CRYPTO, source=YahooSource(interval=0, timeout=3, policy=QUICK))
        pipeline.build(("prices",), FIRST, LAST)
        before = pipeline.digest("prices")
        yahoo.fault("429", "BTC-USD", times=99)
        result = pipeline.materialise(("prices",), FIRST, LAST)
    assert not result.success
    failure = next(event.step_failure_data.error for event in result.all_events if event.is_step_failure)
    assert "what was stored stays as it was" in str(failure)
    assert "rate_limited" in str(failure)
    assert pipeline.digest("prices") == before
