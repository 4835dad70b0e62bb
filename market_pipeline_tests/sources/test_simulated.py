import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_pipeline.config.markets import Market
from market_pipeline.prices.history import adjusted
from market_pipeline.prices.rules import broken_rule
from market_pipeline.sources.protocol import BAR_COLUMNS
from market_pipeline.sources.simulated import PLANTED_AUTOCORRELATION, SimulatedSource, _path
from market_pipeline.storage.grids import to_grids
from market_pipeline.storage.tables.prices import BAR_VALUES

SYMBOLS = ("AUTOREG", "WALK1", "SIM1", "SIM2", "SIM3", "SIM4", "SIM5", "SIM6", "SIM7")
stocks = Market("stocks", "XNYS", dt.date(2010, 1, 4), SYMBOLS)
crypto = Market("crypto", "24/7", dt.date(2020, 1, 1), ("SIM1-USD", "WALK1-USD"))
END = dt.date(2025, 12, 31)

RECORDED = [166.69581849, 130.90324303, 0.97489608]
"""Closes of AUTOREG, WALK1 and SIM1 on 2015-06-01, alike with and without the processor's wide instructions."""


@pytest.fixture(scope="module")
def bars() -> pd.DataFrame:
    return SimulatedSource().fetch(stocks, SYMBOLS, stocks.start, END).bars


@given(
    first=st.dates(dt.date(2010, 1, 4), dt.date(2012, 1, 1)),
    length=st.integers(0, 900),
    symbols=st.lists(st.sampled_from(SYMBOLS), min_size=1, unique=True),
)
@settings(max_examples=60)
def test_symbols_are_the_same_in_whatever_range_or_company(
    bars: pd.DataFrame, first: dt.date, length: int, symbols: list[str]
) -> None:
    last = first + dt.timedelta(days=length)
    asked = SimulatedSource().fetch(stocks, symbols, first, last).bars
    inside = bars[bars["symbol"].isin(symbols) & bars["session"].between(pd.Timestamp(first), pd.Timestamp(last))]
    order = ["symbol", "session", "volume"]
    pd.testing.assert_frame_equal(
        asked.sort_values(order, ignore_index=True), inside.sort_values(order, ignore_index=True)
    )


def test_a_row_on_a_closed_day_comes_when_that_day_is_asked_alone(bars: pd.DataFrame) -> None:
    closed = bars[~bars["session"].isin(stocks.sessions.astype("datetime64[s]"))]
    symbol, day = closed["symbol"].iloc[0], closed["session"].iloc[0].date()
    fetched = SimulatedSource().fetch(stocks, [symbol], day, day)
    assert fetched.bars["session"].dt.date.tolist() == [day]
    assert fetched.outcomes[0].status == "closed"


def test_every_machine_gets_these_prices_and_another_seed_others() -> None:
    day = dt.date(2015, 6, 1)
    close = SimulatedSource().fetch(stocks, ("AUTOREG", "WALK1", "SIM1"), day, day).bars["close"]
    assert close.tolist() == RECORDED
    other = SimulatedSource(seed=8).fetch(stocks, ("AUTOREG", "WALK1", "SIM1"), day, day).bars["close"]
    assert not set(other) & set(close)


def test_a_path_does_not_change_when_the_calendar_grows(bars: pd.DataFrame) -> None:
    for symbol in ("SIM1", "AUTOREG", "WALK1"):
        short, long = _path(7, "stocks", symbol, 500), _path(7, "stocks", symbol, 900)
        for name in short._fields:
            np.testing.assert_array_equal(getattr(short, name), getattr(long, name)[:500])


def returns_of(bars: pd.DataFrame, symbol: str) -> np.ndarray:
    return np.diff(np.log(bars.loc[bars["symbol"] == symbol, "close"].to_numpy()))


def test_the_planted_truth_is_there_and_the_walks_have_none(bars: pd.DataFrame) -> None:
    planted, walk = returns_of(bars, "AUTOREG"), returns_of(bars, "WALK1")
    assert np.corrcoef(planted[1:], planted[:-1])[0, 1] == pytest.approx(PLANTED_AUTOCORRELATION, abs=0.04)
    assert abs(np.corrcoef(walk[1:], walk[:-1])[0, 1]) < 0.04
    assert abs(walk.mean()) < 3 * walk.std() / np.sqrt(len(walk))


def good(bars: pd.DataFrame) -> pd.DataFrame:
    rule = broken_rule(bars, stocks, dt.datetime.now(dt.UTC))
    return bars[rule == ""]


def test_real_looking_symbols_have_fat_tails_clustered_volatility_and_company(bars: pd.DataFrame) -> None:
    kept = good(bars)
    rows = pa.Table.from_pandas(kept, preserve_index=False)
    history = adjusted(SYMBOLS, stocks.sessions, to_grids(rows, SYMBOLS, stocks.sessions, BAR_VALUES))
    returns = pd.DataFrame(np.diff(np.log(history.close), axis=1).T, columns=SYMBOLS)[["SIM1", "SIM2", "SIM3"]]
    assert (returns.kurt() > 2).all()
    assert all(returns[name].abs().autocorr() > 0.1 for name in returns)
    assert returns.corr().to_numpy()[np.triu_indices(3, 1)].min() > 0.1
    # Splits and dividends leave no jump once adjusted.
    assert returns.abs().max().max() < 0.35


def test_walks_keep_no_company(bars: pd.DataFrame) -> None:
    walks = ("WALK1", "WALK2", "WALK3", "AUTOREG")
    rows = pd.concat([SimulatedSource().fetch(stocks, walks, stocks.start, END).bars, good(bars)])
    rows = rows[rows["symbol"].isin((*walks, "SIM1"))].drop_duplicates(["symbol", "session"])
    close = rows.pivot_table(index="session", columns="symbol", values="close")
    related = np.log(close).diff().corr().to_numpy()[np.triu_indices(5, 1)]
    assert np.abs(related).max() < 0.06


def test_a_split_and_a_dividend_leave_the_price_on_their_session(bars: pd.DataFrame) -> None:
    kept = good(bars).sort_values(["symbol", "session"], ignore_index=True)
    before = kept["close"].shift().where(kept["symbol"] == kept["symbol"].shift())
    for ratio in (2.0, 3.0):
        halved = kept["split_ratio"] == ratio
        jump = np.log(kept["open"] / before)[halved]
        assert halved.any()
        assert np.abs(jump + np.log(ratio)).max() < 0.2
    paid = (kept["dividend"] > 0) & (kept["split_ratio"] == 1)
    overnight = np.log((kept["open"] + kept["dividend"]) / before)[paid]
    assert abs(overnight.mean()) < 0.0015
    assert np.log(kept["open"] / before)[paid].mean() == pytest.approx(np.log(0.995), abs=0.0015)


def test_events_and_every_planted_defect_occur(bars: pd.DataFrame) -> None:
    assert set(bars["split_ratio"]) == {1.0, 2.0, 3.0}
    assert (bars["dividend"] > 0).sum() > 50
    rules = set(broken_rule(bars, stocks, dt.datetime.now(dt.UTC)))
    for wanted in (
        "every price is a number",
        "no price is above the high",
        "a symbol and session appear once",
        "the day is a session of the calendar",
        "the close is within 5 times its recent median",
    ):
        assert wanted in rules
    clean = bars["symbol"].isin(["AUTOREG", "WALK1"])
    assert set(broken_rule(bars[clean], stocks, dt.datetime.now(dt.UTC))) == {""}


def test_a_missing_session_is_an_outcome() -> None:
    fetched = SimulatedSource().fetch(stocks, SYMBOLS, stocks.start, END)
    assert tuple(fetched.bars.columns) == BAR_COLUMNS
    status = {outcome.symbol: outcome.status for outcome in fetched.outcomes}
    assert status["AUTOREG"] == "ok"
    assert "partial" in status.values()


def test_coins_trade_every_day_and_have_no_actions() -> None:
    bars = SimulatedSource().fetch(crypto, crypto.symbols, dt.date(2024, 1, 1), dt.date(2024, 1, 31)).bars
    assert (bars["split_ratio"] == 1).all()
    assert (bars["dividend"] == 0).all()
    assert len(bars[bars["symbol"] == "WALK1-USD"]) == 31


def test_a_closed_day_and_an_unknown_symbol_are_outcomes() -> None:
    day = dt.date(2024, 5, 27)
    fetched = SimulatedSource().fetch(stocks, ["WALK1", "AAPL"], day, day)
    assert [outcome.status for outcome in fetched.outcomes] == ["closed", "unknown_symbol"]
    assert "WALK*" in fetched.outcomes[1].cause


def test_unknown_symbols_alone_give_an_empty_table() -> None:
    fetched = SimulatedSource().fetch(stocks, ["AAPL"], stocks.start, END)
    assert tuple(fetched.bars.columns) == BAR_COLUMNS
    assert fetched.bars.empty
