"""The leaderboard: each model's skill against the random walk, and whether to believe it.

Knows losses by origin: not how a loss is computed, nor what a model is made of, nor who is served.
"""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from market_pipeline.scores.significance import benjamini_hochberg, diebold_mariano
from market_pipeline.storage.grids import Days, Grid
from market_pipeline.storage.tables.forecasts import BASELINE

LEAST_ORIGINS = 60
"""Origins below which nothing is said: a quarter of daily ones."""

LEAST_APART = 24
"""Origins that do not overlap (a horizon or more apart) that suffice as well: two years of month ends."""

SURVIVORSHIP = (
    "A universe chosen today holds only what survived until today: returns of the past look better in it than they "
    "were for anyone. The random walk is scored on the same symbols, so the comparison stands."
)
"""What whoever shows scores says beside them."""

ROUNDING = 1e-9
"""Share of the baseline's loss up to which a difference is none: whoever echoes the walk differs in the last bits."""

LEVEL = 0.05
"""Adjusted p-value below which a verdict is given."""

COLUMNS = pa.schema(
    [
        ("horizon", pa.int32()), ("model", pa.string()), ("question", pa.string()), ("n_origins", pa.int32()),
        ("loss", pa.float64()), ("baseline_loss", pa.float64()), ("skill", pa.float64()), ("p_value", pa.float64()),
        ("p_adjusted", pa.float64()), ("verdict", pa.string()),
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Contest:
    """One model on one question at one horizon: a loss per origin beside the baseline's, in order of origins."""

    horizon: int
    model: str
    question: str
    position: np.ndarray
    """Of each origin among the market's sessions."""
    loss: Grid
    baseline_loss: Grid
    overlap: int

    def due(self, session: int) -> "Contest":
        """What of it was known at the close of a session, by position."""
        count = int(np.searchsorted(self.position + self.horizon, session, side="right"))
        parts = {name: getattr(self, name)[:count] for name in ("position", "loss", "baseline_loss")}
        return replace(self, **parts)

    @property
    def enough(self) -> bool:
        count = len(self.loss)
        return count >= LEAST_ORIGINS or (count >= LEAST_APART and self.overlap == 0 and self.horizon > 1)

    @property
    def skill(self) -> float | None:
        """1 less the ratio of mean losses; None when the baseline loses nothing."""
        baseline = float(self.baseline_loss.mean())
        return 1 - float(self.loss.mean()) / baseline if baseline > 0 else None


def leaderboard(daily: pa.Table, sessions: Days, retired: int = 0) -> pa.Table:
    """Rows of `leaderboard` from the mean losses of each origin over the symbols that both forecast.

    `daily` has horizon, model, question, origin, loss, baseline_loss; `sessions` are the market's, in order. Each
    one-sided p-value is adjusted over all contests of the market that have origins enough, and over `retired` ones of
    settings that were tried before.
    """
    contests = [contest for contest in contests_of(daily, sessions) if contest.model != BASELINE]
    judged = [contest for contest in contests if contest.enough]
    better = [diebold_mariano(c.loss - c.baseline_loss, c.overlap).p_value for c in judged]
    worse = [diebold_mariano(c.baseline_loss - c.loss, c.overlap).p_value for c in judged]
    adjusted = benjamini_hochberg(np.array(better), retired)
    adjusted_worse = benjamini_hochberg(np.array(worse), retired)
    found = {
        id(contest): (p, float(up), _verdict(float(up), float(down)))
        for contest, p, up, down in zip(judged, better, adjusted, adjusted_worse, strict=True)
    }
    rows = [_row(contest, *found.get(id(contest), (None, None, "insufficient_data"))) for contest in contests]
    return pa.Table.from_pylist(rows, COLUMNS)


def contests_of(daily: pa.Table, sessions: Days) -> list[Contest]:
    """The contests that mean losses by origin hold."""
    contests = []
    frame = daily.to_pandas().sort_values(["horizon", "question", "model", "origin"])
    for (horizon, question, model), rows in frame.groupby(["horizon", "question", "model"], sort=False):
        position = np.searchsorted(sessions, rows["origin"].to_numpy().astype("datetime64[D]"))
        spacing = int(np.median(np.diff(position))) if len(position) > 1 else int(horizon)
        loss, baseline_loss = (rows[name].to_numpy(np.float64) for name in ("loss", "baseline_loss"))
        contest = Contest(
            horizon=int(horizon),
            model=str(model),
            question=str(question),
            position=position,
            loss=np.where(np.abs(loss - baseline_loss) <= ROUNDING * baseline_loss, baseline_loss, loss),
            baseline_loss=baseline_loss,
            # Origins that lie nearer than the horizon have target sessions in common.
            overlap=-(-int(horizon) // max(spacing, 1)) - 1,
        )
        contests.append(contest)
    return contests


def _verdict(p_better: float, p_worse: float) -> str:
    if p_better < LEVEL:
        return "beats_baseline"
    return "worse" if p_worse < LEVEL else "no_evidence"


def _row(contest: Contest, p_value: float | None, p_adjusted: float | None, verdict: str) -> dict[str, object]:
    return {
        "horizon": contest.horizon,
        "model": contest.model,
        "question": contest.question,
        "n_origins": len(contest.loss),
        "loss": float(contest.loss.mean()),
        "baseline_loss": float(contest.baseline_loss.mean()),
        "skill": contest.skill,
        "p_value": p_value,
        "p_adjusted": p_adjusted,
        "verdict": verdict,
    }
