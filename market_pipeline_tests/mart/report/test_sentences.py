"""No number without what may be concluded from it, and no skill promised where there is none."""

from typing import Any

import pytest

from market_pipeline.mart.report.sentences import chance, of_contest, of_served, of_strategy, percent, price


def contest(verdict: str, **values: Any) -> dict[str, Any]:
    return {"verdict": verdict, "n_origins": 240, "skill": 0.012, "p_value": 0.0004, "p_adjusted": 0.031} | values


def said(row: dict[str, Any]) -> str:
    return of_contest(row).replace("\u202f", " ")


def test_only_a_proven_contest_is_called_skill() -> None:
    assert said(contest("beats_baseline")) == (
        "Its loss was 1.2 % smaller than the random walk’s; luck alone does at least this well less than 0.1 % of the "
        "time, 3.1 % with all contests counted: rare enough to call it skill."
    )
    unproven = said(contest("no_evidence", p_value=0.04, p_adjusted=0.2))
    assert unproven.endswith("20.0 % with all contests counted: not rare enough (5 % is) to call it skill.")
    assert said(contest("no_evidence", skill=-0.07, p_value=0.9)) == (
        "Its loss was 7.0 % larger than the random walk’s; luck alone does at least this well 90.0 % of the time: "
        "no skill is shown."
    )
    assert said(contest("worse", skill=-20.5, p_value=1.0)) == (
        "Its loss was 21.5 times the random walk’s; luck alone does at least this well more than 99.9 % of the time, "
        "too often to be bad luck: the walk is the better guide."
    )
    assert said(contest("no_evidence", skill=0.0)).endswith("it says the same here, so there is nothing to test.")


def test_too_little_data_says_how_much_is_needed() -> None:
    row = contest("insufficient_data", n_origins=1, skill=None, p_value=None, p_adjusted=None)
    assert said(row) == "1 origin came due: a verdict needs 60, or 24 that do not overlap."


@pytest.mark.parametrize(
    ("model", "verdict", "earned", "words"),
    [
        ("random_walk", "no_evidence", (), "No model has earned this place"),
        ("random_walk", "insufficient_data", (), "Too few forecasts have come due"),
        ("garch", "beats_baseline", ("range",), "No direction is proven"),
        (
            "linear",
            "beats_baseline",
            ("return", "direction"),
            "on return and direction so far. That is a record, not a promise.",
        ),
        ("linear", "beats_baseline", (), "the verdicts below say on what"),
        ("linear", "no_evidence", (), "treat it as unproven"),
        ("linear", "worse", (), "do not rely on it"),
    ],
)
def test_signals_are_read_by_what_their_model_has_earned(
    model: str, verdict: str, earned: tuple[str, ...], words: str
) -> None:
    assert words in of_served(model, verdict, earned)
    if "return" not in earned and verdict != "beats_baseline":
        assert "has beaten" not in of_served(model, verdict, earned)


def test_a_gain_is_evidence_only_beyond_what_many_trials_bring() -> None:
    row = {"exposure": 0.4, "net_return": 0.2, "buy_and_hold": 0.1, "deflated_sharpe": 0.6, "trials": 24}
    assert "no evidence of a gain" in of_strategy(row)
    assert of_strategy(row | {"deflated_sharpe": 0.97}).endswith("evidence of a gain.")
    assert "no evidence" not in of_strategy(row | {"deflated_sharpe": 0.97})
    assert of_strategy(row | {"exposure": 0.0}) == "No trend had been earned at any review, so nothing was traded."


def test_a_chance_is_never_rounded_to_never_or_always() -> None:
    assert chance(0.0) == "less than 0.1\u202f%"
    assert chance(1.0) == "more than 99.9\u202f%"


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0.0123, "+1.2\u202f%"),
        (-0.5, "−50.0\u202f%"),
        (-20.526, "−2,053\u202f%"),
        (-0.0001, "0.0\u202f%"),
        (None, "–"),
        (float("nan"), "–"),
    ],
)
def test_fractions_are_shown_as_per_cent(fraction: float | None, text: str) -> None:
    assert percent(fraction, sign=True) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (103412.4, "103,412"),
        (9999.5, "9,999.50"),
        (164.213, "164.21"),
        (1.08724, "1.087"),
        (3.2e-5, "0.00003200"),
        (None, "–"),
        (float("nan"), "–"),
    ],
)
def test_prices_are_never_shown_in_powers_of_ten(value: float | None, text: str) -> None:
    assert price(value) == text
