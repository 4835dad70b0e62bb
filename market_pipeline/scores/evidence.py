"""What other tests say beside the verdicts: whether there is skill at all, who may be best, who has come to lose."""

import numpy as np
import pyarrow as pa

from market_pipeline.models.catalogue import BASELINE, claims_of
from market_pipeline.panel import Days
from market_pipeline.scores.significance import clark_west, confidence_set, e_value, pesaran_timmermann
from market_pipeline.scores.verdicts import Contest, contests_of

COLUMNS = pa.schema(
    [
        ("horizon", pa.int32()), ("model", pa.string()), ("question", pa.string()), ("test", pa.string()),
        ("n_origins", pa.int32()), ("value", pa.float64()),
    ]
)  # fmt: skip


def other_tests(daily: pa.Table, titles: pa.Table, products: pa.Table, calls: pa.Table, sessions: Days) -> pa.Table:
    """Rows of `tests` for every contest that has origins enough for a verdict.

    `daily` are mean losses by origin beside the baseline's, `titles` rows of `champions`, `products` and `calls` the
    series that the tests of Clark & West and of Pesaran & Timmermann need, by horizon, model and origin.
    """
    contests = {(c.horizon, c.model, c.question): c for c in contests_of(daily, sessions) if c.enough}
    rows: list[dict[str, object]] = []

    def told(contest: Contest, test: str, count: int, value: float) -> None:
        key = {"horizon": contest.horizon, "model": contest.model, "question": contest.question}
        rows.append({**key, "test": test, "n_origins": count, "value": value})

    for (horizon, model), frame in products.to_pandas().groupby(["horizon", "model"]):
        contest = contests.get((int(horizon), str(model), "return"))
        if contest is not None:
            told(contest, "clark_west", len(frame), clark_west(frame["product"].to_numpy(), contest.overlap).p_value)
    for (horizon, model), frame in calls.to_pandas().groupby(["horizon", "model"]):
        contest = contests.get((int(horizon), str(model), "direction"))
        if contest is not None:
            rose, called, both = (frame[name].to_numpy(np.float64) for name in ("rose", "called", "both"))
            found = pesaran_timmermann(rose, called, both, contest.overlap)
            told(contest, "pesaran_timmermann", len(frame), found.p_value)
    newest = {(row["horizon"], row["question"]): row["model"] for row in titles.sort_by("since").to_pylist()}
    for (horizon, question), model in newest.items():
        rivals = [c for c in contests.values() if (c.horizon, c.question) == (horizon, question)]
        rivals = [c for c in rivals if question in claims_of(c.model)]
        if model == BASELINE or not rivals:
            continue
        for contest, value, count in _sets(rivals):
            told(contest, "model_confidence_set", count, value)
        holder = contests.get((horizon, model, question))
        if holder is not None:
            apart = slice(None, None, holder.overlap + 1)
            differences = (holder.loss - holder.baseline_loss)[apart]
            told(holder, "e_value", len(differences), e_value(differences))
    return pa.Table.from_pylist(rows, COLUMNS)


def _sets(rivals: list[Contest]) -> list[tuple[Contest, float, int]]:
    """Each rival with its p-value for the model confidence set, the walk among them, on the origins all have."""
    common = rivals[0].position
    for rival in rivals[1:]:
        common = np.intersect1d(common, rival.position)
    if len(common) <= max(rivals[0].horizon, 20):
        return []
    columns = [rival.loss[np.searchsorted(rival.position, common)] for rival in rivals]
    walk = rivals[0].baseline_loss[np.searchsorted(rivals[0].position, common)]
    values = confidence_set(np.column_stack([*columns, walk]), rivals[0].horizon)
    return [(rival, float(value), len(common)) for rival, value in zip(rivals, values[:-1], strict=True)]
