"""What portfolios hold at an origin: weights as given, quantities at what they are worth there, after splits."""

import datetime as dt
import math

import numpy as np
import pyarrow as pa
import pytest

from market_pipeline.config.portfolios import Held, Portfolio
from market_pipeline.forecasts.holdings import Holding, holdings_at

FIRST, SPLIT, LAST = dt.date(2024, 1, 2), dt.date(2024, 1, 3), dt.date(2024, 1, 4)
ORIGINS = np.array([FIRST, SPLIT, LAST], "datetime64[D]")
TRADED = pa.Table.from_pylist(
    [
        {"symbol": symbol, "session": day, "close": close, "split_ratio": ratio}
        for symbol, closes, ratios in (
            ("A", (40.0, 10.0, 11.0), (1.0, 4.0, 1.0)), ("B", (20.0, 20.0, 22.0), (1.0,) * 3),
        )
        for day, close, ratio in zip((FIRST, SPLIT, LAST), closes, ratios, strict=True)
    ]
)  # fmt: skip


def held(*positions: Held) -> list[Holding]:
    return [one for [one] in holdings_at([Portfolio("mine", "quantity", positions)], ORIGINS, TRADED)]


def test_weights_are_as_given_and_need_no_price() -> None:
    fixed = Portfolio("fixed", "weight", (Held("A", 0.5), Held("B", -1.5), Held("C", 0.0)))
    for [one] in holdings_at([fixed], ORIGINS, TRADED.slice(0, 0)):
        assert one == Holding("fixed", {"A": 0.5, "B": -1.5}, {})


def test_dated_shares_grow_with_later_splits_so_the_value_is_continuous() -> None:
    before, after, last = held(Held("A", 1.0, FIRST), Held("B", -1.0, FIRST))
    assert before.values == {"A": 40.0, "B": -20.0}
    assert before.weights == {"A": pytest.approx(2 / 3), "B": pytest.approx(-1 / 3)}
    assert after.values == {"A": 40.0, "B": -20.0}
    assert last.values == {"A": 44.0, "B": -22.0}


def test_shares_that_were_counted_on_the_day_of_the_split_or_have_no_date_are_as_they_are() -> None:
    [on_the_day, _] = (
        one for [one] in holdings_at([Portfolio("mine", "quantity", (Held("A", 1.0, SPLIT),))], ORIGINS[1:], TRADED)
    )
    assert on_the_day.values == {"A": 10.0}
    assert [one.values["A"] for one in held(Held("A", 1.0))] == [40.0, 10.0, 11.0]


def test_what_was_held_then_is_held_then() -> None:
    mine = Portfolio("mine", "quantity", (Held("A", 1.0, SPLIT), Held("B", 2.0, LAST)))
    first, second, third = holdings_at([mine], ORIGINS, TRADED)
    assert first == []
    assert [[*one.weights] for one in (*second, *third)] == [["A"], ["B"]]


def test_a_quantity_without_a_price_has_no_weight() -> None:
    [one, *_] = held(Held("A", 1.0), Held("C", 1.0))
    assert math.isnan(one.weights["C"])
    assert math.isnan(one.weights["A"])


def test_a_later_bar_changes_nothing() -> None:
    mine = Portfolio("mine", "quantity", (Held("A", 1.0, FIRST), Held("B", 1.0, FIRST)))
    until = TRADED.filter(pa.compute.less_equal(TRADED["session"], pa.scalar(FIRST)))
    assert holdings_at([mine], ORIGINS[:1], TRADED) == holdings_at([mine], ORIGINS[:1], until)
