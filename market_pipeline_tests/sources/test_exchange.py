"""The real ccxt client against a loopback exchange: pages, outcomes, faults."""

import datetime as dt
from pathlib import Path

import pytest

from market_pipeline.config.markets import Market
from market_pipeline.errors import SourceError
from market_pipeline.sources.exchange import ExchangeSource
from market_pipeline_tests.loopback_exchange import LoopbackExchange, running_exchange, steady
from market_pipeline_tests.loopback_yahoo import QUICK
from market_pipeline_tests.pipeline import Pipeline

FIRST, DAYS = dt.date(2023, 1, 1), 700
LAST = FIRST + dt.timedelta(days=DAYS - 1)
MARKET = Market("crypto", "24/7", FIRST, ("BTC-USD", "NEW-USD"))
REFUSAL = (429, '{"message": "Public rate limit exceeded"}')


def source_at(exchange: LoopbackExchange) -> ExchangeSource:
    return ExchangeSource(interval=0, timeout=3, policy=QUICK, address=exchange.address)


def test_a_long_range_arrives_in_pages_and_a_later_listing_in_full() -> None:
    listed = LAST - dt.timedelta(days=9)
    with running_exchange({"BTC-USD": steady(FIRST, DAYS, 100), "NEW-USD": steady(listed, 10, 5)}) as exchange:
        fetched = source_at(exchange).fetch(MARKET, MARKET.symbols, FIRST, LAST)
        assert exchange.asked.count("BTC-USD") == 3
    counts = fetched.bars.groupby("symbol").size().to_dict()
    assert counts == {"BTC-USD": DAYS, "NEW-USD": 10}
    assert {o.symbol: o.status for o in fetched.outcomes} == {"BTC-USD": "ok", "NEW-USD": "partial"}
    newest = fetched.bars[fetched.bars["symbol"] == "BTC-USD"].iloc[-1]
    assert newest["session"].date() == LAST
    assert newest["close"] == pytest.approx(100 * 1.001 ** (DAYS - 1))
    assert newest["high"] > newest["close"] > newest["low"]


def test_an_unknown_pair_stops_no_neighbour() -> None:
    with running_exchange({"BTC-USD": steady(FIRST, 5, 100)}) as exchange:
        fetched = source_at(exchange).fetch(MARKET, ("NOPE-USD", "AAPL", "BTC-USD"), FIRST, FIRST)
    assert [o.status for o in fetched.outcomes] == ["unknown_symbol", "unknown_symbol", "ok"]
    assert "BTC-USD" in fetched.outcomes[0].cause


@pytest.mark.parametrize(
    ("fault", "status"),
    [(REFUSAL, "rate_limited"), ((503, "down"), "unavailable"), ((200, "<html>"), "unavailable")],
    ids=["429", "503", "no JSON"],
)
def test_a_passing_fault_heals_and_a_lasting_one_is_named(fault: tuple[int, str], status: str) -> None:
    with running_exchange({"BTC-USD": steady(FIRST, 5, 100)}) as exchange:
        source = source_at(exchange)
        exchange.faults = [fault]
        assert source.fetch(MARKET, ("BTC-USD",), FIRST, FIRST).outcomes[0].status == "ok"
        exchange.faults = [fault] * 1000
        fetched = source.fetch(MARKET, ("BTC-USD",), FIRST, FIRST)
        assert fetched.outcomes[0].status == status
        assert fetched.bars.empty


def test_days_that_begin_at_another_hour_are_rejected() -> None:
    with running_exchange({"BTC-USD": steady(FIRST, 5, 100)}) as exchange:
        exchange.hours = 16
        fetched = source_at(exchange).fetch(MARKET, ("BTC-USD",), FIRST, FIRST + dt.timedelta(days=3))
    assert fetched.outcomes[0].status == "rejected"
    assert "midnight" in fetched.outcomes[0].cause


def test_an_exchange_that_ccxt_does_not_know_is_a_clear_error() -> None:
    with pytest.raises(SourceError, match="coinbaseexchange, bitstamp"):
        ExchangeSource("nowhere").fetch(MARKET, ("BTC-USD",), FIRST, FIRST)


def test_as_the_primary_source_through_the_same_assets(tmp_path: Path) -> None:
    toml = '[crypto]\ncalendar = "24/7"\nstart = 2024-01-02\nsymbols = ["BTC-USD"]\n'
    first, last = dt.date(2024, 1, 2), dt.date(2024, 3, 15)
    with running_exchange({"BTC-USD": steady(dt.date(2024, 1, 2), 90, 100)}) as exchange:
        pipeline = Pipeline(tmp_path, toml, source=source_at(exchange))
        pipeline.build(("prices", "indicators"), first, last)
    rows = pipeline.warehouse.read("select source, final, count(*) as bars from prices group by all").to_pylist()
    assert rows == [{"source": "exchange", "final": True, "bars": 74}]
