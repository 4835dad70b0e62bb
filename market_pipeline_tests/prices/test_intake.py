import datetime as dt
from pathlib import Path

import pandas as pd

from market_pipeline.config.markets import Market
from market_pipeline.prices.intake import coverage_rows, sort_bars
from market_pipeline.sources.protocol import BAR_COLUMNS, Fetched, Outcome
from market_pipeline_tests.pipeline import Pipeline

MARKET = Market("stocks", "XNYS", dt.date(2024, 1, 2), ("A", "B", "C"), listed={"C": dt.date(2024, 1, 4)})
FIRST, LAST = dt.date(2024, 1, 2), dt.date(2024, 1, 5)


def bar(symbol: str, day: str, close: float = 10.0) -> dict[str, object]:
    prices = {
        "open": 10.0,
        "high": 11.0,
        "low": 9.0,
        "close": close,
        "volume": 1.0,
        "dividend": 0.0,
        "split_ratio": 1.0,
    }
    return {"symbol": symbol, "session": pd.Timestamp(day).as_unit("s"), **prices}


def fetched(*bars: dict[str, object], outcomes: tuple[Outcome, ...] = (Outcome("A", "ok"),)) -> Fetched:
    return Fetched(pd.DataFrame(list(bars), columns=list(BAR_COLUMNS)), outcomes)


def test_good_bars_and_bad_ones_part_and_an_identical_one_counts_once() -> None:
    sent = fetched(bar("A", "2024-01-02"), bar("A", "2024-01-02"), bar("A", "2024-01-03", close=99.0))
    intake = sort_bars(sent, MARKET, "files", FIRST, LAST, dt.datetime(2024, 2, 1, tzinfo=dt.UTC))
    assert intake.prices.num_rows == 1
    assert intake.quarantine.select(["rule", "close"]).to_pylist() == [
        {"rule": "no price is above the high", "close": 99.0}
    ]


def test_a_bar_is_final_an_hour_after_its_close() -> None:
    for minutes, final in ((59, False), (60, True)):
        now = dt.datetime(2024, 1, 2, 21, tzinfo=dt.UTC) + dt.timedelta(minutes=minutes)
        intake = sort_bars(fetched(bar("A", "2024-01-02")), MARKET, "files", FIRST, LAST, now)
        assert intake.prices["final"].to_pylist() == [final]


def test_symbols_that_failed_keep_what_is_stored() -> None:
    outcomes = (Outcome("A", "ok"), Outcome("B", "rate_limited", "429"), Outcome("C", "hole"))
    intake = sort_bars(fetched(outcomes=outcomes), MARKET, "yahoo", FIRST, LAST, dt.datetime.now(dt.UTC))
    assert intake.answered == ("A", "C")
    assert intake.failed == {"B": "rate_limited: 429"}


def test_coverage_counts_each_expected_symbol_once() -> None:
    now = dt.datetime(2024, 2, 1, tzinfo=dt.UTC)
    sent = fetched(
        bar("A", "2024-01-02"), bar("B", "2024-01-02"), bar("A", "2024-01-03"), bar("B", "2024-01-03", close=99.0),
        bar("A", "2024-01-04"), bar("C", "2024-01-04"),
    )  # fmt: skip
    intake = sort_bars(sent, MARKET, "files", FIRST, LAST, now)
    rows = coverage_rows(MARKET, intake.prices, intake.quarantine, FIRST, LAST, MARKET.symbols).to_pylist()
    counts = [(row["expected"], row["present"], row["rejected"], row["missing"]) for row in rows]
    assert counts == [(2, 2, 0, 0), (2, 1, 1, 0), (3, 2, 0, 1), (3, 0, 0, 3)]


def test_a_bad_bar_comes_back_when_the_vendor_mends_it(tmp_path: Path) -> None:
    class Mending:
        name, turn = "simulated", 0

        def fetch(self, market: Market, symbols: object, first: dt.date, last: dt.date) -> Fetched:
            self.turn += 1
            close = 99.0 if self.turn == 1 else 10.0
            return fetched(bar("AUTOREG", "2023-01-03", close), outcomes=(Outcome("AUTOREG", "ok"),))

        def problem(self) -> None:
            return None

    pipeline = Pipeline(tmp_path, source=Mending())
    for present, quarantined in ((0, 1), (1, 0)):
        pipeline.compute(("prices",), dt.date(2023, 1, 3), dt.date(2023, 1, 3))
        assert pipeline.warehouse.read("from prices").num_rows == present
        assert pipeline.warehouse.read("from quarantine").num_rows == quarantined
