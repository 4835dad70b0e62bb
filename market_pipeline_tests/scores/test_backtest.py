"""Positions are taken a session late, cost what they cost, and a strategy is judged with all that were tried."""

import numpy as np
import pytest

from market_pipeline.scores.backtest import deflated_sharpe, follow

YEAR = 252.0


def one_symbol(positions: list[float], returns: list[float], horizon: int = 1, cost_bps: float = 0.0) -> float:
    earned = follow(np.array([positions], float), np.array([returns]), horizon, cost_bps, len(returns), 1)
    return earned.net_return


def test_a_position_earns_from_the_close_after_the_next() -> None:
    assert one_symbol([1, 0, 0, 0], [0.5, 0.5, 0.1, 0.5]) == pytest.approx(0.1)
    assert one_symbol([0, 1, 0, 0], [0.5, 0.5, 0.5, -0.1]) == pytest.approx(-0.1)
    assert one_symbol([0, 0, 1, 1], [0.5, 0.5, 0.5, 0.5]) == 0, "nothing decided on the last two closes has earned yet"


def test_a_short_position_earns_a_fall() -> None:
    assert one_symbol([-1, 0, 0], [0.0, 0.0, -0.1]) == pytest.approx(0.1)


def test_a_longer_horizon_holds_a_part_at_a_time() -> None:
    assert one_symbol([1, 0, 0, 0], [0.0, 0.0, 0.1, 0.1], horizon=2) == pytest.approx(1.05**2 - 1)


def test_every_trade_costs() -> None:
    assert one_symbol([1, 0, 0, 0], [0.0, 0.0, 0.0, 0.0], cost_bps=100) == pytest.approx(0.99**2 - 1)


def test_a_hole_earns_nothing_and_holding_everything_is_beside_it() -> None:
    positions, returns = np.ones((2, 6)), np.full((2, 6), 0.01)
    returns[1, 3] = np.nan
    earned = follow(positions, returns, 1, 0.0, 6, 1)
    assert earned.net_return == pytest.approx(1.01**4 - 1)
    assert earned.buy_and_hold == pytest.approx(1.01**6 - 1)


def test_a_fall_from_a_peak_is_the_drawdown() -> None:
    returns = np.array([[0.0, 0.0, 0.5, -0.4, 0.1]])
    assert follow(np.ones((1, 5)), returns, 1, 0.0, YEAR, 1).max_drawdown == pytest.approx(0.4)


def test_the_more_were_tried_the_less_a_ratio_is_worth() -> None:
    draw = np.random.default_rng(0)
    returns = draw.normal(0.0012, 0.01, 1000)
    alone, many = deflated_sharpe(returns, 1), deflated_sharpe(returns, 100)
    assert 0.9 < alone < 1
    assert many < alone - 0.2
    assert deflated_sharpe(np.zeros(100), 10) == 0.5


def test_the_best_of_many_without_skill_is_seldom_believed() -> None:
    draw = np.random.default_rng(1)
    best = []
    for _ in range(100):
        tried = draw.normal(0, 0.01, (20, 500))
        ratio = tried.mean(axis=1) / tried.std(axis=1)
        best.append(deflated_sharpe(tried[np.argmax(ratio)], 20))
    assert np.mean(np.array(best) > 0.95) <= 0.1
