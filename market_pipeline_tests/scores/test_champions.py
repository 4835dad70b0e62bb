"""Champions change on evidence only, on what was known at each review, and not for one bad quarter."""

import numpy as np
import pandas as pd
import pyarrow as pa

from market_pipeline.scores.champions import champions
from market_pipeline.scores.verdicts import comparisons_of

SESSIONS = np.busday_offset(np.datetime64("2020-01-06"), np.arange(1500))


def losses(models: dict[str, np.ndarray], *, horizon: int = 1, question: str = "range", seed: int = 0) -> pa.Table:
    """Losses of models that are better than the baseline by an edge that may change from origin to origin."""
    draw = np.random.default_rng(seed)
    frames = []
    for model, edge in models.items():
        baseline = 1 + 0.1 * draw.normal(size=len(edge))
        frames.append(
            pd.DataFrame(
                {
                    "horizon": horizon, "model": model, "question": question,
                    "origin": SESSIONS[: len(edge)].astype("datetime64[s]"),
                    "loss": baseline - edge + 0.05 * draw.normal(size=len(edge)), "baseline_loss": baseline,
                }
            )
        )  # fmt: skip
    return pa.Table.from_pandas(pd.concat(frames), preserve_index=False)


def history(every: pa.Table) -> pa.Table:
    return champions(comparisons_of(every, SESSIONS), SESSIONS)


def names_of(rows: pa.Table) -> list[str]:
    return [str(row["model"]) for row in rows.sort_by("since").to_pylist()]


def test_the_random_walk_is_champion_until_a_model_is_better() -> None:
    rows = history(losses({"ewma": np.zeros(500), "har": np.zeros(500)}))
    assert names_of(rows) == ["random_walk"]
    assert names_of(history(losses({"har": np.full(500, 0.05)})))[-1] == "har"


def test_a_model_becomes_champion_only_of_what_it_claims() -> None:
    good = np.full(500, 0.05)
    assert names_of(history(losses({"linear": good}, question="range"))) == ["random_walk"]
    assert names_of(history(losses({"linear": good}, question="return")))[-1] == "linear"


def test_a_champion_survives_a_quarter_without_skill_and_not_a_bad_year() -> None:
    good, none, bad = np.full(250, 0.03), np.zeros(63), np.full(700, -0.03)
    assert names_of(history(losses({"har": np.concatenate([good, none])})))[-1] == "har"
    rows = history(losses({"har": np.concatenate([good, none, bad])}))
    assert names_of(rows)[-1] == "random_walk"
    assert "no longer better" in rows.sort_by("since").to_pylist()[-1]["reason"]


def test_a_better_challenger_replaces_the_champion_and_an_equal_one_does_not() -> None:
    some, more = np.full(500, 0.03), np.full(500, 0.06)
    entered = np.concatenate([np.full(200, -0.5), np.full(300, 1.0)])  # no good at first, then far better
    assert names_of(history(losses({"ewma": some, "har": some + 1e-4}))).count("random_walk") <= 1
    assert names_of(history(losses({"ewma": some, "har": more})))[-1] == "har"
    assert names_of(history(losses({"ewma": some, "har": entered})))[-1] == "har"


def test_later_losses_change_no_earlier_review() -> None:
    edges = {"ewma": np.full(900, 0.01), "har": np.concatenate([np.full(450, 0.02), np.full(450, -0.1)])}
    whole = history(losses(edges)).to_pylist()
    rows = losses(edges).to_pandas()
    until = SESSIONS[600].astype("datetime64[D]").item()
    known = pa.Table.from_pandas(rows[rows["origin"] < pd.Timestamp(SESSIONS[600])], preserve_index=False)
    early = history(known).to_pylist()
    assert early
    assert [row for row in whole if row["since"] < until] == [row for row in early if row["since"] < until]


def test_without_scores_there_are_no_champions() -> None:
    assert history(losses({"har": np.zeros(0)})).num_rows == 0
