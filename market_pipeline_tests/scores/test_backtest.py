"""Positions are taken a session late, cost what they cost, and a strategy is compared with all that were tried."""

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import quantstats.stats as quantstats

from market_pipeline.scores.backtest import deflated_sharpe, performance, strategies, trend_periods
from market_pipeline.storage.tables.scores import STRATEGIES
from market_pipeline_tests.panels import history_of

YEAR = 252.0
DAYS = np.busday_offset(np.datetime64("2024-01-01"), np.arange(60)).astype("datetime64[D]")


def one_symbol(positions: list[float], returns: list[float], horizon: int = 1, cost_bps: float = 0.0) -> float:
    figures = performance(np.array([positions], float), np.array([returns]), horizon, cost_bps, len(returns), 1)
    return figures["net_return"]


def test_a_position_earns_from_the_close_after_the_next() -> None:
    assert one_symbol([1, 0, 0, 0], [0.5, 0.5, 0.1, 0.5]) == pytest.approx(0.1)
    assert one_symbol([0, 1, 0, 0], [0.5, 0.5, 0.5, -0.1]) == pytest.approx(-0.1)
    assert one_symbol([0, 0, 1, 1], [0.5, 0.5, 0.5, 0.5]) == 0, "positions of the last two closes have earned nothing"


def test_a_short_position_earns_a_fall() -> None:
    assert one_symbol([-1, 0, 0], [0.0, 0.0, -0.1]) == pytest.approx(0.1)


def test_a_longer_horizon_holds_a_part_at_a_time() -> None:
    assert one_symbol([1, 0, 0, 0], [0.0, 0.0, 0.1, 0.1], horizon=2) == pytest.approx(1.05**2 - 1)


def test_every_trade_costs() -> None:
    assert one_symbol([1, 0, 0, 0], [0.0, 0.0, 0.0, 0.0], cost_bps=100) == pytest.approx(0.99**2 - 1)


def test_a_hole_earns_nothing_and_buy_and_hold_is_beside_it() -> None:
    positions, returns = np.ones((2, 6)), np.full((2, 6), 0.01)
    returns[1, 3] = np.nan
    figures = performance(positions, returns, 1, 0.0, 6, 1)
    assert figures["net_return"] == pytest.approx(1.01**4 - 1)
    assert figures["buy_and_hold"] == pytest.approx(1.01**6 - 1)


def test_a_fall_from_a_peak_is_the_drawdown() -> None:
    returns = np.array([[0.0, 0.0, 0.5, -0.4, 0.1]])
    assert performance(np.ones((1, 5)), returns, 1, 0.0, YEAR, 1)["max_drawdown"] == pytest.approx(0.4)


@pytest.mark.parametrize("seed", range(3))
def test_the_figures_equal_those_of_quantstats(seed: int) -> None:
    draw = np.random.default_rng(seed)
    returns = 0.01 * draw.standard_t(5, 1000) + 0.0005
    earned = pd.Series(np.concatenate([[0.0, 0.0], returns[2:]]), pd.bdate_range("2020-01-01", periods=1000))
    figures = performance(np.ones((1, 1000)), returns[None], 1, 0.0, YEAR, 1)
    assert figures["net_return"] == pytest.approx(quantstats.cagr(earned, periods=252))
    assert figures["max_drawdown"] == pytest.approx(-quantstats.max_drawdown(earned))
    # quantstats divides by one less than the number of returns.
    assert figures["sharpe"] == pytest.approx(quantstats.sharpe(earned, periods=252) * np.sqrt(1000 / 999))
    assert figures["deflated_sharpe"] == pytest.approx(quantstats.probabilistic_ratio(earned), rel=1e-3)


def test_the_more_were_tried_the_less_a_ratio_is_worth() -> None:
    draw = np.random.default_rng(0)
    returns = draw.normal(0.0012, 0.01, 1000)
    alone, many = deflated_sharpe(returns, 1), deflated_sharpe(returns, 100)
    assert 0.9 < alone < 1
    assert many < alone - 0.2
    assert deflated_sharpe(np.zeros(100), 10) == 0.5


def test_the_best_of_many_without_skill_seldom_passes() -> None:
    draw = np.random.default_rng(1)
    best = []
    for _ in range(100):
        tried = draw.normal(0, 0.01, (20, 500))
        ratio = tried.mean(axis=1) / tried.std(axis=1)
        best.append(deflated_sharpe(tried[np.argmax(ratio)], 20))
    assert np.mean(np.array(best) > 0.95) <= 0.1


def champions(*rows: tuple[str, int, str]) -> pa.Table:
    """Changes of the champion at horizon 1: question, position of the session, model."""
    changes = [
        {"horizon": 1, "question": question, "since": DAYS[day].item(), "model": model} for question, day, model in rows
    ]
    return pa.Table.from_pylist(changes)


def test_a_period_ends_where_the_next_champion_starts_and_the_random_walk_has_none() -> None:
    changes = champions(
        ("return", 5, "random_walk"), ("return", 10, "linear"), ("return", 20, "random_walk"), ("range", 5, "har"),
        ("direction", 8, "logistic"),
    )  # fmt: skip
    assert list(trend_periods(changes, 1)) == [
        ("logistic", DAYS[8].item(), dt.date.max), ("linear", DAYS[10].item(), DAYS[20].item()),
    ]  # fmt: skip
    assert list(trend_periods(changes, 5)) == []


def forecasts(model: str, mean: float, p_up: float) -> pa.Table:
    rows = [
        {"symbol": "S0", "origin": day.item(), "horizon": 1, "model": model, "mean": mean, "p_up": p_up} for day in DAYS
    ]
    return pa.Table.from_pylist(rows)


def test_each_champion_is_followed_only_in_its_own_period_and_return_before_direction() -> None:
    close = 100 * np.cumprod(np.full((1, 60), 1.01), axis=1)
    board = pa.Table.from_pylist([{"horizon": 1, "model": "linear", "question": "return", "verdict": "beats_baseline"}])
    changes = champions(("direction", 0, "logistic"), ("return", 20, "linear"), ("return", 40, "random_walk"))
    every = pa.concat_tables([forecasts("linear", -0.01, 0.4), forecasts("logistic", 0.01, 0.6)])
    rows = strategies(changes, board, every, history_of(close, DAYS), DAYS[0].item(), 0.0)
    assert rows.schema == STRATEGIES.schema
    first = rows.to_pylist()[0]
    # Long from the second session after an origin, but short while the champion of return expects a fall.
    wealth = 1.01 ** (20 - 0) * 0.99**20 * 1.01**18
    years = 60 / (365.25 * 60 / (DAYS[-1] - DAYS[0]).astype(int))
    assert first["net_return"] == pytest.approx(wealth ** (1 / years) - 1)
    assert (first["sessions"], first["trials"], first["exposure"]) == (60, 1, pytest.approx(58 / 60))
    assert [row["exposure"] for row in rows.to_pylist()[1:]] == [0, 0]


def test_without_a_verdict_on_return_or_direction_there_is_no_strategy() -> None:
    board = pa.Table.from_pylist(
        [
            {"horizon": 1, "model": "linear", "question": "return", "verdict": "insufficient_data"},
            {"horizon": 1, "model": "har", "question": "range", "verdict": "beats_baseline"},
        ]
    )
    history = history_of(np.ones((1, 60)), DAYS)
    assert strategies(champions(), board, forecasts("linear", 0, 0.5), history, DAYS[0].item(), 0.0).num_rows == 0
