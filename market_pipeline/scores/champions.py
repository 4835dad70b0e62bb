"""Who has earned each question: reviewed at every month's end with what was known then, and not changed lightly.

The random walk is champion until a challenger's verdict passes. Knows losses by origin, as the leaderboard does.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from market_pipeline.models.forecasters.catalogue import claims_of
from market_pipeline.scores.significance import benjamini_hochberg, diebold_mariano
from market_pipeline.scores.verdicts import LEVEL, Contest, contests_of
from market_pipeline.storage.grids import Days, Grid
from market_pipeline.storage.tables.forecasts import BASELINE

KEPT_BELOW = 0.2
"""P-value against the random walk up to which a champion stays: one dull quarter deposes nobody."""

COLUMNS = pa.schema(
    [
        ("horizon", pa.int32()), ("question", pa.string()), ("since", pa.date32()), ("model", pa.string()),
        ("reason", pa.string()),
    ]
)  # fmt: skip


@dataclass
class Title:
    """What a horizon's question is champion of, and everyone who may challenge for it."""

    contests: Sequence[Contest]
    holder: Contest | None = None
    """None: the random walk."""
    held: list[dict[str, object]] = field(default_factory=list)

    def pass_to(self, holder: Contest | None, review: object, reason: str) -> None:
        first = self.contests[0]
        self.holder = holder
        name = BASELINE if holder is None else holder.model
        row = {"horizon": first.horizon, "question": first.question, "since": review, "model": name, "reason": reason}
        self.held.append(row)


def champions(daily: pa.Table, sessions: Days, retired: int = 0) -> pa.Table:
    """Rows of `champions`: every change of hands of each horizon's question, from mean losses by origin.

    A review uses only what had come due by its session: a change shown in the past is one that would have been made
    then. A challenger must beat the walk with an adjusted p-value below LEVEL, all contests of that review and the
    `retired` ones counted; a
    holder loses the title when its own p-value reaches KEPT_BELOW, or to a challenger that beats it, too, at LEVEL.
    """
    every = contests_of(daily, sessions)
    titles: dict[tuple[int, str], Title] = {}
    for contest in every:
        title = titles.setdefault((contest.horizon, contest.question), Title([]))
        title.contests = [*title.contests, contest]
    for review in _reviews(every, sessions):
        day = sessions[review].astype("datetime64[D]").item()
        known = [contest.due(review) for contest in every]
        judged = [contest for contest in known if contest.enough and contest.model != BASELINE]
        raw = [diebold_mariano(c.loss - c.baseline_loss, c.overlap).p_value for c in judged]
        adjusted = benjamini_hochberg(np.array(raw), retired)
        found = {
            (c.horizon, c.question, c.model): (c, p, float(a)) for c, p, a in zip(judged, raw, adjusted, strict=True)
        }
        for (horizon, question), title in titles.items():
            mine = {model: told for (h, q, model), told in found.items() if (h, q) == (horizon, question)}
            _review(title, mine, day)
    rows = [row for title in titles.values() for row in title.held]
    return pa.Table.from_pylist(rows, COLUMNS)


def _review(title: Title, judged: Mapping[str, tuple[Contest, float, float]], day: object) -> None:
    passed = [
        (contest, adjusted)
        for model, (contest, _, adjusted) in judged.items()
        if adjusted < LEVEL and contest.question in claims_of(model)
    ]
    best, chance = max(passed, key=lambda one: (one[0].skill or 0.0, one[0].model), default=(None, 1.0))
    if not title.held and judged and best is None:
        title.pass_to(None, day, "nothing has beaten it yet")
    if title.holder is not None:
        held = judged.get(title.holder.model)
        if held is None or held[1] >= KEPT_BELOW:
            said = "says nothing any more" if held is None else f"is no longer better than the walk (p {held[1]:.2f})"
            reason = f"{title.holder.model} {said}"
            title.pass_to(best, day, reason)
            return
        if best is None or best.model == title.holder.model:
            return
        ours, theirs = _common(best, held[0])
        p_value = diebold_mariano(ours - theirs, best.overlap).p_value
        if p_value < LEVEL:
            title.pass_to(best, day, f"better than {title.holder.model} (p {p_value:.3f})")
    elif best is not None:
        title.pass_to(best, day, f"beats the walk: skill {best.skill or 0.0:+.2%}, adjusted p {chance:.3f}")


def _common(one: Contest, other: Contest) -> tuple[Grid, Grid]:
    """The losses of both at the origins that both have."""
    _, left, right = np.intersect1d(one.position, other.position, return_indices=True)
    return one.loss[left], other.loss[right]


def _reviews(contests: Sequence[Contest], sessions: Days) -> Iterator[int]:
    """The last session of each month in which forecasts came due."""
    if not contests:
        return
    first = min(int(contest.position[0]) + contest.horizon for contest in contests)
    last = max(int(contest.position[-1]) + contest.horizon for contest in contests)
    months = sessions[first : last + 2].astype("datetime64[M]")
    yield from (np.flatnonzero(months[1:] != months[:-1]) + first).tolist()


def reigns(titles: pa.Table, horizon: int) -> list[tuple[str, dt.date, dt.date]]:
    """Who spoke of return or direction at a horizon: model, first session, and the session it ended before.

    Where both questions have a champion of their own, that of return speaks; the random walk calls no trend.
    """
    found = []
    for question in ("direction", "return"):
        rows = [
            row
            for row in titles.sort_by("since").to_pylist()
            if (row["horizon"], row["question"]) == (horizon, question)
        ]
        ends = [*(row["since"] for row in rows[1:]), dt.date.max][: len(rows)]
        found += [
            (str(row["model"]), row["since"], end)
            for row, end in zip(rows, ends, strict=True)
            if row["model"] != BASELINE
        ]
    return found
