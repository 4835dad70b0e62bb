"""What the numbers of the report mean: labels, formats, and a sentence on each verdict and backtest.

Knows rows of the mart and wording; nothing of the page.
"""

import math
from collections.abc import Collection, Mapping
from typing import Any

from market_pipeline.scores.verdicts import LEAST_APART, LEAST_ORIGINS, LEVEL
from market_pipeline.storage.tables.forecasts import BASELINE
from market_pipeline.storage.tables.scores import VERDICTS

Row = Mapping[str, Any]

BEATS, NO_EVIDENCE, WORSE, INSUFFICIENT = VERDICTS

VERDICT_MARKS = {BEATS: "✓", NO_EVIDENCE: "○", WORSE: "×", INSUFFICIENT: "…"}
VERDICT_LABELS = {
    BEATS: "beats baseline",
    NO_EVIDENCE: "no evidence of skill",
    WORSE: "worse than baseline",
    INSUFFICIENT: "insufficient data",
}

DIRECTIONAL = frozenset({"return", "direction"})
"""Questions on where a price goes; skill on the range alone is none on the direction."""


def is_directional(wins: Collection[str]) -> bool:
    """Whether skill on these questions proves a direction."""
    return not DIRECTIONAL.isdisjoint(wins)


def percent(fraction: float | None, decimals: int = 1, *, sign: bool = False) -> str:
    r"""A fraction as per cent with a true minus; a dash for none or NaN; no sign on what rounds to zero.

    >>> percent(-0.0123, 1, sign=True)
    '−1.2\u202f%'
    """
    if fraction is None or not math.isfinite(fraction):
        return "–"
    decimals = decimals if abs(fraction) < 1 or not sign else 0
    hundredths = round(100 * fraction, decimals) or 0.0
    return f"{hundredths:{'+' if sign and hundredths else ''},.{decimals}f}\u202f%".replace("-", "−")


def price(value: float | None) -> str:
    """A price to at least four significant digits: hundredths below 10,000, whole units above; a dash for none or NaN.

    >>> price(103412.4), price(164.213), price(0.071234)
    ('103,412', '164.21', '0.07123')
    """
    if value is None or not math.isfinite(value):
        return "–"
    magnitude = math.floor(math.log10(abs(value) or 1.0))
    decimals = min(max(3 - magnitude, 2), 12) if magnitude < 4 else 0
    return f"{value:,.{decimals}f}"


def amount(share: float | None, capital: float | None) -> str:
    r"""A gain or loss as a share of the capital, and in money where the capital is known; a dash for none.

    >>> amount(-0.031, 12_000.0), amount(0.031, None)
    ('−3.1\u202f% (−372)', '+3.1\u202f%')
    """
    money = "" if share is None or not capital else f" ({share * capital:+,.0f})".replace("-", "−")
    return percent(share, 1, sign=True) + money


def probability(p_value: float) -> str:
    r"""A p-value or probability as per cent, never rounded to 0 or 100.

    >>> probability(0.0421), probability(0.00004), probability(0.99998)
    ('4.2\u202f%', 'less than 0.1\u202f%', 'more than 99.9\u202f%')
    """
    if p_value < 0.001:
        return "less than 0.1\u202f%"
    return "more than 99.9\u202f%" if p_value > 0.999 else percent(p_value)


def verdict_label(verdict: str, questions: Collection[str] = ()) -> str:
    """A verdict in words, after the questions that it is about, where nothing beside it names them.

    >>> verdict_label("beats_baseline", ["return", "range"])
    'return, range: beats baseline'
    """
    label = VERDICT_LABELS[verdict]
    return f"{', '.join(questions)}: {label}" if questions else label


def of_comparison(row: Row) -> str:
    """What one row of `leaderboard` means."""
    if row["verdict"] == INSUFFICIENT:
        scored = f"{row['n_origins']} origin{'' if row['n_origins'] == 1 else 's'} scored"
        return f"{scored}: a verdict needs {LEAST_ORIGINS}, or {LEAST_APART} that do not overlap."
    skill = row["skill"]
    if not skill:
        return "The loss equals the baseline’s: both forecasts are the same, so there is nothing to test."
    chance = f"Loss {_beside(skill)} the baseline’s. Without skill, chance alone gives this or better"
    found = f"{chance} with probability {probability(row['p_value'])}"
    if row["verdict"] == WORSE:
        return f"{found}: significantly worse."
    if skill < 0:
        return f"{found}: no evidence of skill."
    significant = "significant" if row["verdict"] == BEATS else f"not significant (below {100 * LEVEL:g}\u202f% is)"
    return f"{found}, {probability(row['p_adjusted'])} adjusted for all comparisons and looks: {significant}."


def of_selected(model: str, verdict: str, questions: Collection[str]) -> str:
    """How to read the signals of a horizon; `questions` are those that the verdict is about."""
    name = model.replace("_", " ")
    if model == BASELINE:
        why = "Too few forecasts are scored to judge any model" if verdict == INSUFFICIENT else "No model qualifies"
        return f"{why}, so the random walk is selected: use the range, not the trend."
    if verdict == WORSE:
        worse = f"worse than the baseline{on(questions)}"
        return f"{name} was selected at an earlier review and is {worse} since: do not rely on it."
    if verdict != BEATS:
        lead = f"its lead{on(questions)} is no longer significant"
        return f"{name} was selected at an earlier review; {lead}: treat it as unproven."
    if not questions:
        return f"{name} beats the baseline; the verdicts below list the questions."
    if not is_directional(questions):
        only = f"{name} beats the baseline on the {listed(questions)} only."
        return f"{only} No direction is proven: use the range, not the trend."
    return f"{name} beats the baseline{on(questions)} so far. Past skill may not last."


def of_strategy(row: Row) -> str:
    """What one row of `strategies` means."""
    if not row["exposure"]:
        return "No trades: no trend was proven at any review."
    beside = "above" if row["net_return"] > row["buy_and_hold"] else "not above"
    proven = row["deflated_sharpe"] > 1 - LEVEL
    return (
        f"Net return {beside} buy and hold. Adjusted for {row['trials']} trials, the true Sharpe ratio is above 0 with "
        f"probability {probability(row['deflated_sharpe'])}: "
        + ("evidence of a gain." if proven else f"no evidence of a gain (above {percent(1 - LEVEL, 0)} is).")
    )


def of_doubts(symbol: Row | None, quarantine: Row | None, restatements: Row | None) -> list[str]:
    """What is doubtful in the data of one symbol, from its row of `symbols` and its counts; [] without doubts."""
    found = []
    if symbol and symbol["missing"]:
        found.append(f"{many(symbol['missing'], 'session')} without a bar since its first one.")
    if quarantine:
        newest = f"the newest of {quarantine['newest']} broke “{quarantine['rule']}”"
        found.append(f"{many(quarantine['bars'], 'bar')} in quarantine; {newest}.")
    if restatements:
        newest = f"the newest is {restatements['field']} of {restatements['newest']} ({restatements['cause']})"
        found.append(f"{many(restatements['n'], 'value')} changed by the vendor; {newest}.")
    return found


def many(n: int, one: str) -> str:
    """A number of things.

    >>> many(1, "bar"), many(1200, "bar")
    ('1 bar', '1,200 bars')
    """
    return f"{n:,} {one}{'' if n == 1 else 's'}"


def listed(names: Collection[str]) -> str:
    """Names as one list in a sentence.

    >>> listed(["return", "direction", "range"])
    'return, direction and range'
    """
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def on(questions: Collection[str]) -> str:
    """What a verdict is about, for a sentence; nothing where a mart of an earlier version names no question.

    >>> on(["return", "range"]), on([])
    (' on return and range', '')
    """
    return f" on {listed(questions)}" if questions else ""


def _beside(skill: float) -> str:
    r"""How large a loss of this skill is beside the baseline's.

    >>> _beside(0.123), _beside(-0.034), _beside(-20.5), _beside(0.0001)
    ('12.3\u202f% smaller than', '3.4\u202f% larger than', '21.5 times', 'about as large as')
    """
    if abs(skill) < 0.0005:
        return "about as large as"
    if skill < -1:
        return f"{1 - skill:.1f} times"
    return f"{percent(abs(skill))} {'smaller' if skill > 0 else 'larger'} than"
