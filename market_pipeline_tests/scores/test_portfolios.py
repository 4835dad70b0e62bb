"""Portfolio scores: what was held at the origin, all of it, against the forecast; losses beside the baseline's."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from market_pipeline.scores.portfolios import (
    daily_losses,
    portfolio_losses,
    portfolio_tests,
    realised_volatility,
    score_portfolios,
)
from market_pipeline.storage.tables.forecasts import LEVELS, QUANTILES
from market_pipeline.storage.tables.portfolios import CONSTANT, PORTFOLIO_SCORES, PORTFOLIO_WEIGHTS, PORTFOLIOS, SHRUNK
from market_pipeline_tests.panels import history_of

DAYS = np.array(["2024-01-02", "2024-01-03", "2024-01-04"], "datetime64[D]")
ORIGIN, TARGET, AFTER = (day.item() for day in DAYS)
HISTORY = history_of(np.array([[100.0, 110.0, 99.0], [50.0, 45.0, 45.0], [20.0, np.nan, 21.0]]), DAYS)


def forecast(
    portfolio: str = "mine", model: str = CONSTANT, target: dt.date = TARGET, width: float = 0.1
) -> dict[str, object]:
    row: dict[str, object] = {"portfolio": portfolio, "origin": ORIGIN, "horizon": 1, "target_session": target}
    row |= {"model": model, "mean": 0.0, "p_up": 0.5}
    row |= {name: width * (level - 0.5) for name, level in zip(QUANTILES, LEVELS, strict=True)}
    return row | {f"{kind}_{level}": -width for level in ("01", "025", "05") for kind in ("var", "es")}


def weights(**held: float) -> pa.Table:
    rows = [{"portfolio": "mine", "origin": ORIGIN, "symbol": one, "weight": weight} for one, weight in held.items()]
    return pa.Table.from_pylist(rows, PORTFOLIO_WEIGHTS.schema)


def scored(held: pa.Table, *rows: dict[str, object]) -> list[dict[str, object]]:
    found = score_portfolios(pa.Table.from_pylist([*rows], PORTFOLIOS.schema), held, HISTORY)
    assert found.schema == PORTFOLIO_SCORES.schema
    return found.to_pylist()


def test_simple_returns_add_up_with_their_weights() -> None:
    [row] = scored(weights(S0=0.5, S1=-0.5), forecast())
    assert row["realised"] == pytest.approx(0.5 * 0.1 + 0.5 * 0.1)
    assert row["covered_80"] is False
    # CRPS by hand: twice the weighted pinball loss at the nine levels, all of them below what happened.
    below = 0.1 - 0.1 * (np.array(LEVELS) - 0.5)
    borders = np.concatenate([[0.0], LEVELS, [1.0]])
    assert row["crps"] == pytest.approx(2 * (np.array(LEVELS) * below * (borders[2:] - borders[:-2]) / 2).sum())
    assert row["fz_025"] == pytest.approx(np.log(0.1))


def test_a_portfolio_with_a_symbol_that_has_no_bar_has_no_score_and_its_weight_is_not_spread() -> None:
    assert scored(weights(S0=0.5, S2=0.5), forecast()) == []
    [row] = scored(weights(S0=0.5, S2=0.5), forecast(target=AFTER))
    assert row["realised"] == pytest.approx(0.5 * -0.01 + 0.5 * 0.05)
    assert scored(weights(S0=0.5, GONE=0.5), forecast()) == []


def test_a_forecast_without_a_loss_has_no_fz_loss() -> None:
    [row] = scored(weights(S0=1.0), forecast(width=0.0))
    assert row["fz_025"] is None


def scores_of(*rows: tuple[str, str, float]) -> pa.Table:
    same = {"origin": ORIGIN, "horizon": 1, "target_session": TARGET, "fz_025": 0.0, "covered_80": True}
    return pa.Table.from_pylist(
        [same | {"portfolio": one, "model": model, "crps": loss, "realised": loss} for one, model, loss in rows],
        PORTFOLIO_SCORES.schema,
    )


def test_losses_are_means_over_portfolios_that_nobody_chose_and_both_models_have() -> None:
    rows = scores_of(
        ("test_a", CONSTANT, 1.0), ("test_b", CONSTANT, 3.0), ("test_a", SHRUNK, 2.0), ("test_b", SHRUNK, 4.0),
        ("test_c", SHRUNK, 100.0), ("mine", CONSTANT, 9.0), ("mine", SHRUNK, 9.0),
    )  # fmt: skip
    [row] = daily_losses(rows, "crps", CONSTANT).to_pylist()
    assert row == {"horizon": 1, "model": SHRUNK, "origin": ORIGIN, "loss": 3.0, "baseline_loss": 2.0}


def test_the_order_of_rows_changes_no_bit() -> None:
    draw = np.random.default_rng(0)
    rows = [(f"test_{n}", model, draw.random()) for n in range(30) for model in (CONSTANT, SHRUNK)]
    expected = daily_losses(scores_of(*rows), "crps", CONSTANT)
    again = daily_losses(scores_of(*(rows[place] for place in draw.permutation(len(rows)))), "crps", CONSTANT)
    assert expected.equals(again)


def test_the_volatility_is_that_of_the_model_s_own_portfolio() -> None:
    rows = scores_of(
        ("test_minimum_variance_shrunk", SHRUNK, 0.03), ("test_minimum_variance_shrunk", CONSTANT, 0.5),
        ("test_minimum_variance_constant", CONSTANT, 0.04),
    )  # fmt: skip
    assert realised_volatility(rows) == {CONSTANT: (1, pytest.approx(0.04)), SHRUNK: (1, pytest.approx(0.03))}


def test_a_joint_model_that_loses_less_has_a_small_p_value_and_its_rows_are_those_of_a_question() -> None:
    draw = np.random.default_rng(1)
    days = np.busday_offset(np.datetime64("2023-01-02"), np.arange(500))
    same = {"horizon": 1, "target_session": TARGET, "covered_80": True, "realised": 0.01}
    rows = [
        same | {"portfolio": "test_a", "origin": day.item(), "model": model, "crps": loss, "fz_025": loss - 4}
        for day in days
        for model, loss in ((CONSTANT, 0.5 + draw.random()), (SHRUNK, 0.4 + draw.random()))
    ]
    scores = pa.Table.from_pylist(rows, PORTFOLIO_SCORES.schema)
    [test] = portfolio_tests(scores, days).to_pylist()
    assert (test["model"], test["question"], test["test"], test["n_origins"]) == (
        SHRUNK, "portfolio", "fissler_ziegel", 500,
    )  # fmt: skip
    assert test["value"] < 0.05
    few = scores.filter(pa.array(scores["origin"].to_numpy() < days[499]))  # too few for a verdict on tails as well
    assert portfolio_tests(few, days).num_rows == 0
    losses = portfolio_losses(scores)
    assert losses.num_rows == 500
    assert {*losses["question"].to_pylist()} == {"portfolio"}
    assert portfolio_losses(scores.slice(0, 0)).schema == losses.schema
