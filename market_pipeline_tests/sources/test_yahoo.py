"""The real yfinance client against the loopback Yahoo."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from market_pipeline.config.markets import Market
from market_pipeline.sources.protocol import BAR_COLUMNS
from market_pipeline.sources.retry import RetryPolicy
from market_pipeline.sources.yahoo import YahooSource
from market_pipeline_tests.loopback_yahoo import QUICK, Instrument, LoopbackYahoo, running_yahoo

SPLIT, DIVIDEND, LATER_SPLIT = dt.date(2024, 3, 4), dt.date(2024, 2, 9), dt.date(2025, 6, 2)
STOCK = Instrument("AAA", splits={SPLIT: (2, 1), LATER_SPLIT: (4, 1)}, dividends={DIVIDEND: 0.5})
COIN, OTHER = Instrument("BTC-USD"), Instrument("BBB")
FIRST, LAST = dt.date(2024, 2, 1), dt.date(2024, 3, 15)

stocks = Market("stocks", "XNYS", dt.date(2023, 1, 3), ("AAA", "BBB"))
crypto = Market("crypto", "24/7", dt.date(2023, 1, 2), ("BTC-USD",))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackYahoo]:
    with running_yahoo(tmp_path_factory.mktemp("yahoo"), [STOCK, OTHER, COIN]) as yahoo:
        yield yahoo


@pytest.fixture
def yahoo(running: LoopbackYahoo) -> LoopbackYahoo:
    running.log.clear()
    running.faults.clear()
    return running


@pytest.fixture
def source() -> YahooSource:
    return YahooSource(interval=0, timeout=3, policy=replace(QUICK, attempts=4))


def truth(instrument: Instrument, first: dt.date, last: dt.date) -> pd.DataFrame:
    """The instrument's bars as traded."""
    rows = [(day, *values) for day, values in instrument.bars.items() if first <= day <= last]
    return pd.DataFrame(rows, columns=["session", "open", "high", "low", "close", "volume"])


def test_a_stock_with_splits_and_a_dividend_arrives_as_traded(yahoo: LoopbackYahoo, source: YahooSource) -> None:
    fetched = source.fetch(stocks, ["AAA"], FIRST, LAST)
    assert [outcome.status for outcome in fetched.outcomes] == ["ok"]
    bars, wanted = fetched.bars, truth(STOCK, FIRST, LAST)
    assert tuple(bars.columns) == BAR_COLUMNS
    assert bars["session"].dt.date.tolist() == wanted["session"].tolist()
    for column in ("open", "high", "low", "close"):
        np.testing.assert_allclose(bars[column], wanted[column], rtol=1e-9)
    np.testing.assert_allclose(bars["volume"], wanted["volume"], rtol=1e-5)
    events = bars[(bars["dividend"] != 0) | (bars["split_ratio"] != 1)]
    assert events["session"].dt.date.tolist() == [DIVIDEND, SPLIT]
    np.testing.assert_allclose(events["dividend"], [0.5, 0])
    np.testing.assert_allclose(events["split_ratio"], [1, 2])


def test_a_coin_has_a_bar_for_every_utc_day(yahoo: LoopbackYahoo, source: YahooSource) -> None:
    fetched = source.fetch(crypto, ["BTC-USD"], FIRST, LAST)
    assert len(fetched.bars) == (LAST - FIRST).days + 1
    np.testing.assert_allclose(fetched.bars["close"], truth(COIN, FIRST, LAST)["close"])


@pytest.mark.parametrize("change", [dt.date(2024, 3, 10), dt.date(2024, 11, 3)])
def test_days_stay_themselves_over_a_change_of_clocks(
    yahoo: LoopbackYahoo, source: YahooSource, change: dt.date
) -> None:
    first, last = change - dt.timedelta(days=5), change + dt.timedelta(days=5)
    for market, instrument in ((stocks, STOCK), (crypto, COIN)):
        bars = source.fetch(market, [instrument.symbol], first, last).bars
        assert bars["session"].dt.date.tolist() == truth(instrument, first, last)["session"].tolist()


def test_a_range_is_one_request_for_each_symbol(yahoo: LoopbackYahoo, source: YahooSource) -> None:
    source.fetch(stocks, ["AAA", "BBB"], dt.date(2023, 2, 1), dt.date(2025, 1, 31))
    assert [len(yahoo.charts(symbol)) for symbol in ("AAA", "BBB")] == [1, 1]
    assert not [seen for seen in yahoo.log if seen.get("refused")]


@pytest.mark.parametrize(
    "kind", ["429", "500", "502html", "down", "garbage", "truncated", "close", "empty", "noresult"]
)
def test_a_passing_fault_heals_in_the_same_process(yahoo: LoopbackYahoo, source: YahooSource, kind: str) -> None:
    yahoo.fault(kind, "AAA", times=2)
    fetched = source.fetch(stocks, ["AAA", "BBB"], FIRST, LAST)
    assert [outcome.status for outcome in fetched.outcomes] == ["ok", "ok"]
    np.testing.assert_allclose(fetched.bars.query("symbol == 'AAA'")["close"], truth(STOCK, FIRST, LAST)["close"])
    assert len(yahoo.charts("AAA")) <= 4


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("429", "rate_limited"),
        ("500", "unavailable"),
        ("down", "unavailable"),
        ("close", "unavailable"),
        ("empty", "unavailable"),
        ("delisted", "unknown_symbol"),
        ("nodata", "hole"),
    ],
)
def test_a_lasting_fault_is_named_and_stops_no_neighbour(
    yahoo: LoopbackYahoo, source: YahooSource, kind: str, status: str
) -> None:
    yahoo.fault(kind, "AAA", times=99)
    fetched = source.fetch(stocks, ["AAA", "BBB"], FIRST, LAST)
    assert [outcome.status for outcome in fetched.outcomes] == [status, "ok"]
    assert fetched.outcomes[0].cause
    assert set(fetched.bars["symbol"]) == {"BBB"}
    assert len(yahoo.charts("AAA")) <= 8  # yfinance itself asks twice on an HTTP error


def test_an_unknown_symbol_is_an_outcome_asked_once(yahoo: LoopbackYahoo, source: YahooSource) -> None:
    fetched = source.fetch(stocks, ["NOPE", "BBB"], FIRST, LAST)
    assert [outcome.status for outcome in fetched.outcomes] == ["unknown_symbol", "ok"]


@pytest.mark.parametrize("kind", ["nulls", "lastnull"])
def test_a_row_without_prices_is_a_session_missing_not_a_bar(
    yahoo: LoopbackYahoo, source: YahooSource, kind: str
) -> None:
    newest = stocks.sessions_between(dt.date(2024, 1, 2), dt.date(2024, 1, 31))
    yahoo.now = dt.datetime(2024, 2, 1, 5, tzinfo=dt.UTC)
    yahoo.fault(kind, "AAA")
    fetched = source.fetch(stocks, ["AAA"], newest[0].item(), newest[-1].item())
    yahoo.now = None
    assert fetched.outcomes[0].status == "partial"
    assert len(fetched.bars) == len(newest) - 1
    assert not fetched.bars[["open", "high", "low", "close"]].isna().any(axis=None)


def test_a_holiday_is_closed_not_missing(yahoo: LoopbackYahoo, source: YahooSource) -> None:
    fetched = source.fetch(stocks, ["AAA"], dt.date(2024, 5, 27), dt.date(2024, 5, 27))
    assert [outcome.status for outcome in fetched.outcomes] == ["closed"]


def test_after_a_storm_of_ten_minutes_every_symbol_is_there(tmp_path: Path) -> None:
    instruments = [Instrument(f"S{number}") for number in range(12)]
    symbols = tuple(instrument.symbol for instrument in instruments)
    market = Market("stocks", "XNYS", dt.date(2023, 1, 3), symbols)
    clock: list[float] = []
    with running_yahoo(tmp_path, instruments) as yahoo:

        def sleep(seconds: float) -> None:
            clock.append(seconds)
            if sum(clock) >= 600:
                yahoo.faults.clear()

        yahoo.fault("429", times=10**6)
        source = YahooSource(interval=0, timeout=3, policy=RetryPolicy(sleep=sleep))
        fetched = source.fetch(market, symbols, FIRST, LAST)
        refused = [seen for seen in yahoo.log if seen.get("fault") == "429"]
    assert {outcome.status for outcome in fetched.outcomes} == {"ok"}
    assert set(fetched.bars["symbol"]) == set(symbols)
    assert len(refused) <= 2 * (3 * 5 + 8)  # the client asks twice on a refusal
    pauses = [wait for wait in clock if wait >= 30]
    assert pauses == sorted(pauses)
    assert 600 <= sum(clock) < 1200
