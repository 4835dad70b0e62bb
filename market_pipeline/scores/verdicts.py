"""The leaderboard: each model's skill against the random walk, and whether it is more than luck.

Knows losses by origin: not how a loss is computed, what a model is made of, or which model is selected.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from market_pipeline.scores.significance import at_any_time, benjamini_hochberg, diebold_mariano
from market_pipeline.storage.grids import Days, Grid
from market_pipeline.storage.tables.scores import DIFFERENCES, LEADERBOARD, VERDICTS

LEAST_ORIGINS = 60
"""Origins that a verdict needs: a quarter of daily ones."""

LEAST_APART = 24
"""Origins that do not overlap (a horizon or more apart) that are enough as well: two years of month ends."""

LEAST_OF_TAILS = 500
"""Origins that a verdict on tails needs: a dozen of them with an exceedance. With 125, a tail that is too narrow often
looks better until a fall comes: 5 of 20 simulated markets without anything to find had such a verdict."""

LEAST_OF_TAILS_APART = 250
"""Of these, how many must not overlap: `benchmarks/tail_size.py`. With 25, a tail that is 5 % too narrow has a p-value
below 0.05 in 19 % of simulated markets; with 250, in 5 %."""

SURVIVORSHIP = (
    "A universe chosen today holds only what survived until today: returns of the past look better in it than they "
    "were for anyone. The random walk is scored on the same symbols, so the comparison stands."
)
"""Shown beside all scores."""

ROUNDING = 1e-9
"""Share of the baseline's loss up to which a difference counts as rounding: a copy of the walk differs in last bits."""

LEVEL = 0.05
"""Adjusted p-value below which a verdict is given."""

BEATS_BASELINE, NO_EVIDENCE, WORSE, INSUFFICIENT_DATA = VERDICTS


@dataclass(frozen=True)
class Comparison:
    """One model on one question at one horizon: a loss per origin beside the baseline's, in order of origins."""

    horizon: int
    model: str
    question: str
    position: np.ndarray
    """Of each origin among the market's sessions; (origins,)."""
    loss: Grid
    baseline_loss: Grid
    overlap: int
    """How many earlier origins share target sessions with each."""

    def known_at(self, session: int) -> "Comparison":
        """The origins whose target session had closed at a session, given by position."""
        count = int(np.searchsorted(self.position + self.horizon, session, side="right"))
        parts = {name: getattr(self, name)[:count] for name in ("position", "loss", "baseline_loss")}
        return replace(self, **parts)

    @property
    def least(self) -> int:
        """Origins that a verdict needs."""
        if self.question in DIFFERENCES:
            return max(LEAST_OF_TAILS, LEAST_OF_TAILS_APART * (self.overlap + 1))
        return LEAST_APART if self.overlap == 0 and self.horizon > 1 else LEAST_ORIGINS

    @property
    def sufficient(self) -> bool:
        """Whether there are enough origins for a verdict."""
        return len(self.loss) >= self.least

    @property
    def skill(self) -> float | None:
        """As `skill_of` the mean losses; None when the baseline loses nothing."""
        found = float(skill_of(self.question, self.loss.mean(), self.baseline_loss.mean()))
        return found if np.isfinite(found) else None

    @property
    def p_value(self) -> float:
        """One-sided, that the loss is smaller than the baseline's; for one who looks once."""
        return diebold_mariano(self.loss - self.baseline_loss, self.overlap)

    @property
    def p_value_worse(self) -> float:
        """One-sided, that the loss is larger than the baseline's; for one who looks once."""
        return diebold_mariano(self.baseline_loss - self.loss, self.overlap)

    @property
    def times_the_first(self) -> float:
        """How many origins there are, as a multiple of those of the first possible verdict."""
        return len(self.loss) / self.least


def skill_of(question: str, loss: npt.ArrayLike, baseline_loss: npt.ArrayLike) -> Grid:
    """By how much mean losses are smaller than the baseline's, of any shape: 1 less their ratio.

    Of a question in DIFFERENCES, 1 less the exponential of their difference. The expected FZ0 loss of a right tail is
    the logarithm of its shortfall, so this is by how much smaller the shortfall of a right tail with this loss is. NaN
    when the baseline loses nothing.
    """
    one, other = np.asarray(loss, np.float64), np.asarray(baseline_loss, np.float64)
    if question in DIFFERENCES:
        return np.asarray(1 - np.exp(one - other))
    return np.asarray(1 - one / np.where(other > 0, other, np.nan))


def leaderboard(comparisons: Sequence[Comparison], retired: int = 0) -> pa.Table:
    """Rows of `leaderboard` for all comparisons of a market.

    Each one-sided p-value is adjusted for having been looked at after every origin, over all comparisons that have
    enough of them, and over `retired` ones of settings that were tried before.
    """
    tested = [comparison for comparison in comparisons if comparison.sufficient]
    better = [comparison.p_value for comparison in tested]
    worse = [comparison.p_value_worse for comparison in tested]
    adjusted = (adjusted_p_values(tested, p_values, retired) for p_values in (better, worse))
    results = iter(zip(better, *adjusted, strict=True))
    rows = []
    for comparison in comparisons:
        p_value, p_adjusted, verdict = None, None, INSUFFICIENT_DATA
        if comparison.sufficient:
            p_value, p_adjusted, p_worse = next(results)
            verdict = BEATS_BASELINE if p_adjusted < LEVEL else WORSE if p_worse < LEVEL else NO_EVIDENCE
        rows.append(
            {
                **{name: getattr(comparison, name) for name in ("horizon", "model", "question", "skill")},
                "n_origins": len(comparison.loss),
                "loss": float(comparison.loss.mean()),
                "baseline_loss": float(comparison.baseline_loss.mean()),
                "p_value": p_value,
                "p_adjusted": p_adjusted,
                "verdict": verdict,
            }
        )
    return pa.Table.from_pylist(rows, LEADERBOARD.schema)


def adjusted_p_values(tested: Sequence[Comparison], p_values: Sequence[float], retired: int) -> list[float]:
    """The p-values of comparisons, adjusted for all looks at them, and for their number with `retired` ones.

    Questions that a model does not claim are no attempts to win, and do not count for those that are claimed: many of
    them compare the baseline with its copy.
    """
    from market_pipeline.models.forecasters.catalogue import claims_of  # who only reads a verdict loads no model

    looked_at = at_any_time(p_values, [one.times_the_first for one in tested]).tolist()
    claimed = [one.question in claims_of(one.model) for one in tested]
    all_of_them = benjamini_hochberg(looked_at, retired)
    among_claimed = iter(benjamini_hochberg(list(compress(looked_at, claimed)), retired))
    return [next(among_claimed) if mine else one for mine, one in zip(claimed, all_of_them, strict=True)]


def comparisons_of(losses: pa.Table, sessions: Days) -> list[Comparison]:
    """The comparisons in the rows of `losses_by_question`, ordered by horizon, question and model.

    `sessions` are the market's, in order.
    """
    comparisons = []
    frame = losses.to_pandas().sort_values(["horizon", "question", "model", "origin"])
    for (horizon, question, model), rows in frame.groupby(["horizon", "question", "model"], sort=False):
        position = np.searchsorted(sessions, rows["origin"].to_numpy().astype("datetime64[D]"))
        spacing = int(np.median(np.diff(position))) if len(position) > 1 else int(horizon)
        loss, baseline_loss = (rows[name].to_numpy(np.float64) for name in ("loss", "baseline_loss"))
        comparison = Comparison(
            horizon=int(horizon),
            model=str(model),
            question=str(question),
            position=position,
            loss=np.where(np.abs(loss - baseline_loss) <= ROUNDING * np.abs(baseline_loss), baseline_loss, loss),
            baseline_loss=baseline_loss,
            # Origins that are nearer than the horizon have target sessions in common.
            overlap=-(-int(horizon) // max(spacing, 1)) - 1,
        )
        comparisons.append(comparison)
    return comparisons
