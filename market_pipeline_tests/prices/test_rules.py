"""Which bars are quarantined, with which sentence; and that the sentence means the same in pandas and in SQL."""

import datetime as dt

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market_pipeline.config.markets import Market
from market_pipeline.prices.checks import IMPOSSIBLE
from market_pipeline.prices.rules import LOOKBACK, broken_rule
from market_pipeline.sources.protocol import BAR_COLUMNS
from market_pipeline.sources.simulated import SimulatedSource
from market_pipeline.storage.tables.prices import BAR_RULES, BARS, CHECKED_RULES, PRICES

MARKET = Market("stocks", "XNYS", dt.date(2024, 1, 2), ("A", "SIM1", "SIM2", "SIM5"))
NOW = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)


def bars(count: int = 30) -> pd.DataFrame:
    sessions = MARKET.sessions[:count].astype("datetime64[s]")
    rows = pd.DataFrame({"symbol": "A", "session": sessions, "open": 10.0, "high": 11.0, "low": 9.0, "close": 10.5})
    return rows.assign(volume=100.0, dividend=0.0, split_ratio=1.0)[list(BAR_COLUMNS)]


def rule_of(row: int, **values: object) -> str:
    changed = bars()
    for name, value in values.items():
        changed.loc[row, name] = value
    rules = broken_rule(changed, MARKET, NOW)
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
def test_each_rule_quarantines_its_bar_and_no_other(values: dict[str, object], rule: str) -> None:
    assert rule_of(20, **values) == rule


def test_rounding_and_unknown_volume_are_no_faults() -> None:
    assert rule_of(20, high=10.5 * (1 - 5e-7)) == ""
    assert rule_of(20, volume=np.nan) == ""


def test_two_different_bars_of_a_session_are_both_quarantined() -> None:
    twice = pd.concat([bars(), bars().iloc[[5]].assign(close=10.6)], ignore_index=True)
    rules = broken_rule(twice, MARKET, NOW)
    assert np.flatnonzero(rules == "a symbol and session appear once").tolist() == [5, 30]


def test_a_split_is_not_absurd_and_a_forgotten_one_of_ten_is() -> None:
    split = bars()
    split.loc[15:, [*PRICES]] /= 10
    assert "the close is within 5 times its recent median" in broken_rule(split, MARKET, NOW)
    split.loc[15, "split_ratio"] = 10.0
    assert (broken_rule(split, MARKET, NOW) == "").all()


@given(position=st.integers(0, 480))
@settings(max_examples=30)
def test_the_batch_changes_no_result(position: int) -> None:
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


ODD = (0.0, -1.0, 1e-300, 10.0, 10.0 * 1.0000009, 10.0 * 1.0000011, 1e307, 1.7e308, np.inf, -np.inf, np.nan)
"""Values at the borders of the rules."""


def plain_rule(bars: pd.DataFrame) -> np.ndarray:
    """The rules about a bar's values in plain numpy, as they were before they were declared with the table."""
    values = bars[["open", "high", "low", "close"]].to_numpy(np.float64)
    high, low = values[:, 1], values[:, 2]
    lowest, highest = values.min(axis=1), values.max(axis=1)
    rules = {
        "every price is a number": ~np.isfinite(values).all(axis=1),
        "every price is positive": lowest <= 0,
        "the session has begun": bars["session"].to_numpy() > np.datetime64("2024-12-31"),
        "the day is a session of the calendar": ~np.isin(bars["session"].to_numpy("datetime64[D]"), MARKET.sessions),
        "no price is above the high": highest > high * (1 + 1e-6),
        "no price is below the low": lowest < low * (1 - 1e-6),
        "no volume is negative": bars["volume"].to_numpy(np.float64) < 0,
        "a split ratio is positive": ~(bars["split_ratio"].to_numpy(np.float64) > 0),
        "a dividend is not negative": ~(bars["dividend"].to_numpy(np.float64) >= 0),
    }
    return np.select(list(rules.values()), list(rules), default="")


def odd_bars(seed: int, count: int = 400) -> pd.DataFrame:
    """Bars of many symbols, some of whose values and days are odd."""
    draw = np.random.default_rng(seed)
    days = np.append(MARKET.sessions[:5], np.array(["2024-01-06", "2025-01-02", "2025-06-07"], "datetime64[D]"))
    rows = pd.DataFrame({"symbol": [f"S{n}" for n in range(count)], "session": draw.choice(days, count)})
    rows["session"] = rows["session"].astype("datetime64[s]")
    usual = {"open": 10.0, "high": 10.0, "low": 10.0, "close": 10.0, "volume": 1.0, "dividend": 0.0, "split_ratio": 1.0}
    for name, value in usual.items():
        rows[name] = np.where(draw.random(count) < 0.15, draw.choice(ODD, count), value)
    return rows


@given(seed=st.integers(0, 10_000))
@settings(max_examples=30)
def test_declared_rules_equal_the_plain_ones_in_the_same_order(seed: int) -> None:
    bars = odd_bars(seed)
    found = broken_rule(bars, MARKET, NOW)
    plain = plain_rule(bars)
    assert found.tolist() == plain.tolist()
    assert len({*plain}) > 7


@given(seed=st.integers(0, 10_000))
@settings(max_examples=5)
def test_the_check_finds_and_the_table_refuses_what_the_rules_find(seed: int) -> None:
    bars = odd_bars(seed)
    bars = bars[bars.drop(columns="volume").notna().all(axis=1)]  # in SQL an unknown number is NULL, not NaN
    true = {rule: np.asarray(bars.eval(condition, engine="python")) for rule, condition in BAR_RULES.items()}
    possible, accepted = np.all([*true.values()], axis=0), np.all([true[rule] for rule in CHECKED_RULES], axis=0)
    rows = bars.assign(market="m", source="files", fetched_at=NOW, known_at=NOW, final=True)
    with duckdb.connect() as free, duckdb.connect() as checked:
        for connection, constraints in ((free, False), (checked, True)):
            for statement in BARS.ddl(constraints=constraints):
                connection.execute(statement)
        free.execute("insert into prices by name from rows")
        asked = {"market": "m", "first": dt.date(2024, 1, 1), "last": dt.date(2025, 12, 31)}
        found = free.execute(f"select symbol from ({IMPOSSIBLE})", asked).fetchall()
        assert {symbol for (symbol,) in found} == {*bars["symbol"][~possible]}
        rows = rows[accepted]
        checked.execute("insert into prices by name from rows")
        for place in np.flatnonzero(~accepted):
            rows = bars.iloc[[place]].assign(market="m", source="files", fetched_at=NOW, known_at=NOW, final=True)
            with pytest.raises(duckdb.ConstraintException, match="CHECK"):
                checked.execute("insert into prices by name from rows")
        assert 0 < possible.sum() < accepted.sum() < len(accepted)
