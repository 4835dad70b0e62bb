"""Titles change hands on evidence only, on what was known at each review, and not for one dull quarter."""

import numpy as np
import pandas as pd
import pyarrow as pa

from market_pipeline.scores.champions import champions

SESSIONS = np.busday_offset(np.datetime64("2020-01-06"), np.arange(1500))


def daily(models: dict[str, np.ndarray], *, horizon: int = 1, question: str = "range", seed: int = 0) -> pa.Table:
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


def holders(rows: pa.Table) -> list[str]:
    return [str(row["model"]) for row in rows.sort_by("since").to_pylist()]


def test_the_walk_holds_every_title_until_something_beats_it() -> None:
    rows = champions(daily({"ewma": np.zeros(500), "har": np.zeros(500)}), SESSIONS)
    assert holders(rows) == ["random_walk"]
    assert holders(champions(daily({"har": np.full(500, 0.05)}), SESSIONS))[-1] == "har"


def test_a_model_may_take_only_what_it_claims() -> None:
    good = np.full(500, 0.05)
    assert holders(champions(daily({"linear": good}, question="range"), SESSIONS)) == ["random_walk"]
    assert holders(champions(daily({"linear": good}, question="return"), SESSIONS))[-1] == "linear"


def test_a_champion_survives_a_dull_quarter_and_not_a_bad_year() -> None:
    good, dull, bad = np.full(250, 0.03), np.zeros(63), np.full(700, -0.03)
    assert holders(champions(daily({"har": np.concatenate([good, dull])}), SESSIONS))[-1] == "har"
    rows = champions(daily({"har": np.concatenate([good, dull, bad])}), SESSIONS)
    assert holders(rows)[-1] == "random_walk"
    assert "no longer better" in rows.sort_by("since").to_pylist()[-1]["reason"]


def test_a_better_challenger_takes_over_and_an_equal_one_does_not() -> None:
    some, more = np.full(500, 0.03), np.full(500, 0.06)
    entered = np.concatenate([np.full(200, -0.5), np.full(300, 1.0)])  # no good at first, then far better
    assert holders(champions(daily({"ewma": some, "har": some + 1e-4}), SESSIONS)).count("random_walk") <= 1
    assert holders(champions(daily({"ewma": some, "har": more}), SESSIONS))[-1] == "har"
    assert holders(champions(daily({"ewma": some, "har": entered}), SESSIONS))[-1] == "har"


def test_what_came_after_a_review_moves_no_review_before_it() -> None:
    edges = {"ewma": np.full(900, 0.01), "har": np.concatenate([np.full(450, 0.02), np.full(450, -0.1)])}
    whole = champions(daily(edges), SESSIONS).to_pylist()
    rows = daily(edges).to_pandas()
    until = SESSIONS[600].astype("datetime64[D]").item()
    known = pa.Table.from_pandas(rows[rows["origin"] < pd.Timestamp(SESSIONS[600])], preserve_index=False)
    early = champions(known, SESSIONS).to_pylist()
    assert early
    assert [row for row in whole if row["since"] < until] == [row for row in early if row["since"] < until]


def test_without_scores_there_are_no_titles() -> None:
    assert champions(daily({"har": np.zeros(0)}), SESSIONS).num_rows == 0
