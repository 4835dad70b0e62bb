"""What the numbers of a verdict mean, in a sentence each: no number without what may be concluded from it.

Knows rows of the mart and words; nothing of the page.
"""

import math
from collections.abc import Collection, Mapping
from typing import Any

from market_pipeline.scores.verdicts import LEAST_APART, LEAST_ORIGINS, LEVEL
from market_pipeline.storage.tables.forecasts import BASELINE

Row = Mapping[str, Any]

DIRECTED = ("return", "direction")
"""Questions whose answer is a direction: skill on the range alone says nothing of where a price goes."""


def percent(fraction: float | None, decimals: int = 1, *, sign: bool = False) -> str:
    r"""A fraction as per cent with a true minus; a dash when there is none, no sign on what rounds to zero.

    >>> percent(-0.0123, 1, sign=True)
    '−1.2\u202f%'
    """
    if fraction is None or not math.isfinite(fraction):
        return "–"
    decimals = decimals if abs(fraction) < 1 or not sign else 0
    hundredths = round(100 * fraction, decimals) or 0.0
    return f"{hundredths:{'+' if sign and hundredths else ''},.{decimals}f}\u202f%".replace("-", "−")


def price(value: float | None) -> str:
    """A price to at least four significant digits: hundredths below 10,000, whole units from there; a dash for none.

    >>> price(103412.4), price(164.213), price(0.071234)
    ('103,412', '164.21', '0.07123')
    """
    if value is None or not math.isfinite(value):
        return "–"
    magnitude = math.floor(math.log10(abs(value) or 1.0))
    decimals = min(max(3 - magnitude, 2), 12) if magnitude < 4 else 0
    return f"{value:,.{decimals}f}"


def chance(p_value: float) -> str:
    r"""A p-value as per cent, never rounded to nothing.

    >>> chance(0.0421), chance(0.00004), chance(0.99998)
    ('4.2\u202f%', 'less than 0.1\u202f%', 'more than 99.9\u202f%')
    """
    if p_value < 0.001:
        return "less than 0.1\u202f%"
    return "more than 99.9\u202f%" if p_value > 0.999 else percent(p_value)


def of_contest(row: Row) -> str:
    """What one row of `leaderboard` means."""
    if row["verdict"] == "insufficient_data":
        came = f"{row['n_origins']} origin{'' if row['n_origins'] == 1 else 's'} came due"
        return f"{came}: a verdict needs {LEAST_ORIGINS}, or {LEAST_APART} that do not overlap."
    skill = row["skill"]
    if not skill:
        return "Its loss was the random walk’s: it says the same here, so there is nothing to test."
    found = f"Its loss was {_beside(skill)} the random walk’s; luck alone does at least this well"
    luck = f"{found} {chance(row['p_value'])} of the time"
    if row["verdict"] == "worse":
        return f"{luck}, too often to be bad luck: the walk is the better guide."
    if skill < 0:
        return f"{luck}: no skill is shown."
    enough = "rare enough" if row["verdict"] == "beats_baseline" else f"not rare enough ({100 * LEVEL:g}\u202f% is)"
    return f"{luck}, {chance(row['p_adjusted'])} with all contests counted: {enough} to call it skill."


def of_served(model: str, verdict: str, earned: Collection[str]) -> str:
    """How to read the signals of a horizon; `earned` are the questions on which the model beats the walk."""
    name = model.replace("_", " ")
    if model == BASELINE:
        why = (
            "Too few forecasts have come due to judge any model"
            if verdict == "insufficient_data"
            else "No model has earned this place"
        )
        return f"{why}, so the random walk is served: read the range, not the trend."
    if verdict == "worse":
        return f"{name} won this place at an earlier review and has lost to the random walk since: do not rely on it."
    if verdict != "beats_baseline":
        return f"{name} won this place at an earlier review; by now its lead may be luck: treat it as unproven."
    if not earned:
        return f"{name} has beaten the random walk; the verdicts below say on what."
    asked = _listed(earned)
    if not set(earned) & set(DIRECTED):
        only = f"{name} has beaten the random walk on the {asked} only."
        return f"{only} No direction is proven: read the range, not the trend."
    return f"{name} has beaten the random walk on {asked} so far. That is a record, not a promise."


def of_strategy(row: Row) -> str:
    """What one row of `strategies` means."""
    if not row["exposure"]:
        return "No trend had been earned at any review, so nothing was traded."
    enough = row["deflated_sharpe"] > 1 - LEVEL
    against = "more" if row["net_return"] > row["buy_and_hold"] else "no more"
    return (
        f"It earned {against} than holding everything. The chance that its true Sharpe ratio is above 0, "
        f"{row['trials']} trials counted, is {chance(row['deflated_sharpe'])}: "
        + ("evidence of a gain." if enough else f"no evidence of a gain ({percent(1 - LEVEL, 0)} would be).")
    )


def _beside(skill: float) -> str:
    r"""How large a loss of this skill is beside the random walk's.

    >>> _beside(0.123), _beside(-0.034), _beside(-20.5), _beside(0.0001)
    ('12.3\u202f% smaller than', '3.4\u202f% larger than', '21.5 times', 'about as large as')
    """
    if abs(skill) < 0.0005:
        return "about as large as"
    if skill < -1:
        return f"{1 - skill:.1f} times"
    return f"{percent(abs(skill))} {'smaller' if skill > 0 else 'larger'} than"


def _listed(names: Collection[str]) -> str:
    """Names as one reads them out.

    >>> _listed(["return", "direction", "range"])
    'return, direction and range'
    """
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
