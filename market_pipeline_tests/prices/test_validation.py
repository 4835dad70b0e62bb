import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd

from market_pipeline.config.markets import Market
from market_pipeline.prices.coverage import count_symbols
from market_pipeline.prices.validation import validate
from market_pipeline.sources.protocol import BAR_COLUMNS, Fetched, Outcome
from market_pipeline_tests.pipeline import Pipeline

MARKET = Market("stocks", "XNYS", dt.date(2024, 1, 2), ("A", "B", "C"), listed={"C": dt.date(2024, 1, 4)})
NOW = dt.datetime(2024, 2, 1, tzinfo=dt.UTC)


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


def test_good_and_bad_bars_are_separated_and_an_identical_one_counts_once() -> None:
    answer = fetched(bar("A", "2024-01-02"), bar("A", "2024-01-02"), bar("A", "2024-01-03", close=99.0))
    batch = validate(answer, MARKET, "files", NOW)
    assert batch.bars.num_rows == 1
    assert batch.quarantine.select(["rule", "close"]).to_pylist() == [
        {"rule": "no price is above the high", "close": 99.0}
    ]


def test_a_bar_is_final_an_hour_after_its_close() -> None:
    for minutes, final in ((59, False), (60, True)):
        now = dt.datetime(2024, 1, 2, 21, tzinfo=dt.UTC) + dt.timedelta(minutes=minutes)
        batch = validate(fetched(bar("A", "2024-01-02")), MARKET, "files", now)
        assert batch.bars["final"].to_pylist() == [final]


def test_an_identical_bar_counts_once_beside_a_different_one_whatever_is_unknown() -> None:
    unknown = {"volume": np.nan}
    twice = [bar("A", "2024-01-02") | unknown, bar("A", "2024-01-02") | unknown]
    assert validate(fetched(*twice), MARKET, "files", NOW).bars.num_rows == 1
    batch = validate(fetched(*twice, bar("A", "2024-01-02", close=10.5)), MARKET, "files", NOW)
    assert batch.bars.num_rows == 0
    assert batch.quarantine["rule"].to_pylist() == ["a symbol and session appear once"] * 2


def test_only_symbols_that_answered_change_what_is_stored() -> None:
    outcomes = (Outcome("A", "ok"), Outcome("B", "rate_limited", "429"), Outcome("C", "hole"))
    batch = validate(fetched(bar("A", "2024-01-02"), bar("B", "2024-01-02"), outcomes=outcomes), MARKET, "yahoo", NOW)
    assert batch.answered == ("A", "C")
    assert batch.bars_of(MARKET.sessions[:2])["symbol"].to_pylist() == ["A"]
    assert batch.bars_of(MARKET.sessions[1:2]).num_rows == 0


def test_a_symbol_on_another_scale_is_rejected_with_the_factor_and_what_to_do() -> None:
    outcomes = (Outcome("A", "ok"), Outcome("B", "ok"))
    batch = validate(fetched(bar("A", "2024-01-02"), bar("B", "2024-01-02"), outcomes=outcomes), MARKET, "yahoo", NOW)
    left = batch.without({"A": 0.01})
    assert left.bars["symbol"].to_pylist() == ["B"]
    assert left.answered == ("B",)
    assert left.outcomes[0].status == "rejected"
    assert "0.01 times as high" in left.outcomes[0].cause
    assert "backfill from the market's start" in left.outcomes[0].cause


def test_coverage_counts_each_expected_symbol_once() -> None:
    answer = fetched(
        bar("A", "2024-01-02"), bar("B", "2024-01-02"), bar("A", "2024-01-03"), bar("B", "2024-01-03", close=99.0),
        bar("A", "2024-01-04"), bar("C", "2024-01-04"),
    )  # fmt: skip
    batch = validate(answer, MARKET, "files", NOW)
    counts = count_symbols(MARKET, MARKET.symbols, MARKET.sessions[:4], batch.bars, batch.quarantine)
    assert counts.T.tolist() == [[2, 2, 0, 0], [2, 1, 1, 0], [3, 2, 0, 1], [3, 0, 0, 3]]


def test_a_bad_bar_is_stored_once_the_vendor_fixes_it(tmp_path: Path) -> None:
    class Fixing:
        name, turn = "simulated", 0

        def fetch(self, market: Market, symbols: object, first: dt.date, last: dt.date) -> Fetched:
            self.turn += 1
            close = 99.0 if self.turn == 1 else 10.0
            return fetched(bar("AUTOREG", "2023-01-03", close), outcomes=(Outcome("AUTOREG", "ok"),))

        def problem(self) -> None:
            return None

    pipeline = Pipeline(tmp_path, source=Fixing())
    for present, quarantined in ((0, 1), (1, 0)):
        pipeline.compute(("prices",), dt.date(2023, 1, 3), dt.date(2023, 1, 3))
        assert pipeline.warehouse.read("from prices").num_rows == present
        assert pipeline.warehouse.read("from quarantine").num_rows == quarantined
