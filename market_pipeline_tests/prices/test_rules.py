import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_pipeline.config.markets import Market
from market_pipeline.prices.rules import LOOKBACK, broken_rule
from market_pipeline.sources.protocol import BAR_COLUMNS
from market_pipeline.sources.simulated import SimulatedSource

MARKET = Market("stocks", "XNYS", dt.date(2024, 1, 2), ("A", "SIM1", "SIM2", "SIM5"))
NOW = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)


def bars(count: int = 30) -> pd.DataFrame:
    sessions = MARKET.sessions[:count].astype("datetime64[s]")
    rows = pd.DataFrame({"symbol": "A", "session": sessions, "open": 10.0, "high": 11.0, "low": 9.0, "close": 10.5})
    return rows.assign(volume=100.0, dividend=0.0, split_ratio=1.0)[list(BAR_COLUMNS)]


def rule_of(row: int, **values: object) -> str:
    spoiled = bars()
    for name, value in values.items():
        spoiled.loc[row, name] = value
    rules = broken_rule(spoiled, MARKET, NOW)
    assert (np.delete(rules, row) == "").all()
    return str(rules[row])


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"close": np.nan}, "every price is a number"),
        ({"open": np.inf, "high": np.inf}, "every price is a number"),
        ({"low": 0.0}, "every price is positive"),
        ({"low": -1.0}, "every price is positive"),
        ({"high": 10.2}, "no price is above the high"),
        ({"low": 10.2}, "no price is below the low"),
        ({"high": 8.0, "low": 12.0}, "no price is above the high"),
        ({"volume": -1.0}, "no volume is negative"),
        ({"split_ratio": 0.0}, "a split ratio is positive"),
        ({"dividend": -0.1}, "a dividend is not negative"),
        ({"session": pd.Timestamp("2024-01-06")}, "the day is a session of the calendar"),
        ({"session": pd.Timestamp("2025-06-02")}, "the session has begun"),
        (
            {"open": 1000.0, "high": 1100.0, "low": 900.0, "close": 1050.0},
            "the close is within 5 times its recent median",
        ),
        ({"open": 1.0, "high": 1.1, "low": 0.9, "close": 1.05}, "the close is within 5 times its recent median"),
    ],
)
def test_each_rule_holds_back_its_bar_and_no_other(values: dict[str, object], rule: str) -> None:
    assert rule_of(20, **values) == rule


def test_rounding_and_unknown_volume_are_no_faults() -> None:
    assert rule_of(20, high=10.5 * (1 - 5e-7)) == ""
    assert rule_of(20, volume=np.nan) == ""


def test_two_different_bars_of_a_session_are_both_held_back() -> None:
    twice = pd.concat([bars(), bars().iloc[[5]].assign(close=10.6)], ignore_index=True)
    rules = broken_rule(twice, MARKET, NOW)
    assert np.flatnonzero(rules == "a symbol and session appear once").tolist() == [5, 30]


def test_a_split_is_not_absurd_and_a_forgotten_one_of_ten_is() -> None:
    split = bars()
    split.loc[15:, ["open", "high", "low", "close"]] /= 10
    assert "the close is within 5 times its recent median" in broken_rule(split, MARKET, NOW)
    split.loc[15, "split_ratio"] = 10.0
    assert (broken_rule(split, MARKET, NOW) == "").all()


@given(position=st.integers(0, 480))
@settings(max_examples=30, deadline=None)
def test_a_bar_is_judged_alike_in_any_batch(position: int) -> None:
    sent = SimulatedSource().fetch(MARKET, MARKET.symbols[1:], MARKET.start, dt.date(2025, 12, 31)).bars
    day = MARKET.sessions[position]
    first = MARKET.sessions[max(0, position - LOOKBACK)]
    session = sent["session"].to_numpy().astype("datetime64[D]")
    batch = sent[(session >= first) & (session <= day)].reset_index(drop=True)
    late = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
    for rows in (sent, batch):
        rows["rule"] = broken_rule(rows[list(BAR_COLUMNS)], MARKET, late)
    one, other = (
        rows[rows["session"] == pd.Timestamp(day)].sort_values(["symbol", "volume"], ignore_index=True)
        for rows in (sent, batch)
    )
    pd.testing.assert_frame_equal(one, other)
