"""Each number has a sentence on what follows from it, and none claims skill without evidence."""

from typing import Any

import pytest

from market_pipeline.mart.report.sentences import (
    VERDICT_LABELS,
    VERDICT_MARKS,
    is_directional,
    of_comparison,
    of_doubts,
    of_selected,
    of_strategy,
    percent,
    price,
    probability,
    verdict_label,
)
from market_pipeline.storage.tables.scores import VERDICTS


def comparison(verdict: str, **values: Any) -> dict[str, Any]:
    return {"verdict": verdict, "n_origins": 240, "skill": 0.012, "p_value": 0.0004, "p_adjusted": 0.031} | values


def sentence(row: dict[str, Any]) -> str:
    return of_comparison(row).replace("\u202f", " ")


def test_only_a_significant_lead_is_called_significant() -> None:
    assert sentence(comparison("beats_baseline")) == (
        "Loss 1.2 % smaller than the baseline’s. Without skill, chance alone gives this or better with probability "
        "less than 0.1 %, 3.1 % adjusted for all comparisons and looks: significant."
    )
    unproven = sentence(comparison("no_evidence", p_value=0.04, p_adjusted=0.2))
    assert unproven.endswith("20.0 % adjusted for all comparisons and looks: not significant (below 5 % is).")
    assert sentence(comparison("no_evidence", skill=-0.07, p_value=0.9)) == (
        "Loss 7.0 % larger than the baseline’s. Without skill, chance alone gives this or better with probability "
        "90.0 %: no evidence of skill."
    )
    assert sentence(comparison("worse", skill=-20.5, p_value=1.0)) == (
        "Loss 21.5 times the baseline’s. Without skill, chance alone gives this or better with probability "
        "more than 99.9 %: significantly worse."
    )
    assert sentence(comparison("no_evidence", skill=0.0)).endswith("so there is nothing to test.")


def test_insufficient_data_names_how_much_is_needed() -> None:
    row = comparison("insufficient_data", n_origins=1, skill=None, p_value=None, p_adjusted=None)
    assert sentence(row) == "1 origin scored: a verdict needs 60, or 24 that do not overlap."


@pytest.mark.parametrize(
    ("model", "verdict", "questions", "words"),
    [
        ("random_walk", "no_evidence", (), "No model qualifies, so the random walk is selected"),
        ("random_walk", "insufficient_data", (), "Too few forecasts are scored to judge any model"),
        ("garch", "beats_baseline", ("range",), "No direction is proven"),
        ("linear", "beats_baseline", ("return", "direction"), "on return and direction so far. Past skill"),
        ("linear", "beats_baseline", (), "the verdicts below list the questions"),
        ("linear", "no_evidence", ("range",), "its lead on range is no longer significant: treat it as unproven"),
        ("linear", "worse", ("return", "range"), "worse than the baseline on return and range since: do not rely on"),
        ("linear", "worse", (), "worse than the baseline since"),  # of a mart of an earlier version
    ],
)
def test_the_advice_on_signals_follows_the_verdict_and_its_questions(
    model: str, verdict: str, questions: tuple[str, ...], words: str
) -> None:
    assert words in of_selected(model, verdict, questions)
    if verdict != "beats_baseline":
        assert "beats the baseline" not in of_selected(model, verdict, questions)


def test_a_direction_is_proven_by_return_or_direction_alone() -> None:
    assert [is_directional((question,)) for question in ("return", "direction", "range", "rank")] == [
        True, True, False, False,
    ]  # fmt: skip
    assert not is_directional(())


def test_every_verdict_has_a_label_and_a_mark_of_its_own() -> None:
    assert set(VERDICT_LABELS) == set(VERDICT_MARKS) == set(VERDICTS)
    assert len(set(VERDICT_LABELS.values())) == len(set(VERDICT_MARKS.values())) == len(VERDICTS)
    assert verdict_label("worse") == "worse than baseline"
    assert verdict_label("worse", ("range",)) == "range: worse than baseline"


def test_a_gain_is_evidence_only_beyond_what_many_trials_bring() -> None:
    row = {"exposure": 0.4, "net_return": 0.2, "buy_and_hold": 0.1, "deflated_sharpe": 0.6, "trials": 24}
    assert of_strategy(row).startswith("Net return above buy and hold.")
    assert "no evidence of a gain" in of_strategy(row)
    assert of_strategy(row | {"deflated_sharpe": 0.97}).endswith("evidence of a gain.")
    assert "no evidence" not in of_strategy(row | {"deflated_sharpe": 0.97})
    assert of_strategy(row | {"net_return": 0.1}).startswith("Net return not above buy and hold.")
    assert of_strategy(row | {"exposure": 0.0}) == "No trades: no trend was proven at any review."


def test_a_probability_is_never_rounded_to_0_or_100() -> None:
    assert probability(0.0) == "less than 0.1\u202f%"
    assert probability(1.0) == "more than 99.9\u202f%"


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
def test_fractions_are_formatted_as_per_cent(fraction: float | None, text: str) -> None:
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
def test_prices_are_never_formatted_in_powers_of_ten(value: float | None, text: str) -> None:
    assert price(value) == text


def test_data_without_a_doubt_has_no_sentence() -> None:
    assert of_doubts({"missing": 0}, None, None) == []
    assert of_doubts(None, None, None) == []


def test_each_doubt_on_the_data_of_a_symbol_is_a_sentence() -> None:
    quarantine = {"bars": 2, "newest": "2024-03-05", "rule": "every price is positive"}
    restated = {"n": 1, "newest": "2024-02-01", "field": "close", "cause": "split"}
    assert of_doubts({"missing": 1}, quarantine, restated) == [
        "1 session without a bar since its first one.",
        "2 bars in quarantine; the newest of 2024-03-05 broke “every price is positive”.",
        "1 value changed by the vendor; the newest is close of 2024-02-01 (split).",
    ]
