import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from market_pipeline.scores.verdicts import LEAST_ORIGINS, comparisons_of, leaderboard
from market_pipeline.storage.tables.scores import LEADERBOARD

SESSIONS = np.busday_offset(np.datetime64("2020-01-06"), np.arange(1500))


def losses(
    model: str, edge: float, *, count: int = 250, every: int = 1, horizon: int = 1, seed: int = 0
) -> pd.DataFrame:
    """Daily mean losses of a model that is better than the baseline's by `edge` on average."""
    draw = np.random.default_rng(seed)
    baseline = 1 + 0.1 * draw.normal(size=count)
    return pd.DataFrame(
        {
            "horizon": horizon,
            "model": model,
            "question": "range",
            "origin": SESSIONS[: count * every : every].astype("datetime64[s]"),
            "loss": baseline - edge + 0.05 * draw.normal(size=count),
            "baseline_loss": baseline,
        }
    )


def rows_of(*frames: pd.DataFrame) -> dict[str, dict[str, object]]:
    table = pa.Table.from_pandas(pd.concat(frames), preserve_index=False)
    rows = leaderboard(comparisons_of(table, SESSIONS))
    assert rows.schema == LEADERBOARD.schema
    return {row["model"]: row for row in rows.to_pylist()}


def test_each_verdict_has_its_case() -> None:
    old = (losses("good", 0.05), losses("same", 0.0, seed=1), losses("bad", -0.05))
    rows = rows_of(*old, losses("new", 0.5, count=20))
    assert {model: row["verdict"] for model, row in rows.items()} == {
        "good": "beats_baseline",
        "same": "no_evidence",
        "bad": "worse",
        "new": "insufficient_data",
    }
    assert rows["new"]["p_value"] is None
    assert rows["good"]["skill"] is not None


def test_skill_is_one_less_the_ratio_of_mean_losses() -> None:
    frame = losses("m", 0.05)
    row = rows_of(frame)["m"]
    assert row["skill"] == 1 - frame["loss"].mean() / frame["baseline_loss"].mean()
    assert row["n_origins"] == len(frame)


def test_skill_on_tails_is_by_how_much_smaller_a_shortfall_has_the_same_loss() -> None:
    """Losses that may be negative: the true shortfall's is its logarithm, whatever the unit."""
    for unit in (1e-3, 1.0):
        frame = losses("m", 0.0, count=500).assign(question="tail")
        frame["baseline_loss"] = np.log(0.05 * unit) + frame["baseline_loss"] - frame["baseline_loss"].mean()
        frame["loss"] = frame["baseline_loss"] + np.log(0.9) + 0.01 * np.sin(np.arange(len(frame)))
        row = rows_of(frame)["m"]
        assert row["skill"] == pytest.approx(0.1, abs=1e-3)
        assert row["verdict"] == "beats_baseline"
    few = losses("few", 0.5, count=499).assign(question="tail")
    assert rows_of(few)["few"]["verdict"] == "insufficient_data"
    overlapping = losses("overlapping", 0.5, count=1249, horizon=5).assign(question="tail")
    assert rows_of(overlapping)["overlapping"]["verdict"] == "insufficient_data"
    enough = losses("enough", 0.5, count=1250, horizon=5).assign(question="tail")
    assert rows_of(enough)["enough"]["verdict"] == "beats_baseline"
    copy = losses("copy", 0.0, count=500).assign(question="tail")
    copy["baseline_loss"] -= 4
    copy["loss"] = copy["baseline_loss"] * (1 - 1e-12)
    assert rows_of(copy)["copy"]["p_value"] == 1.0


def test_month_ends_need_fewer_origins_because_they_do_not_overlap() -> None:
    month_ends = losses("prophet", 0.05, count=30, every=21, horizon=20)
    too_few = losses("young", 0.05, count=20, every=21, horizon=20)
    rows = rows_of(month_ends, too_few)
    assert rows["prophet"]["verdict"] == "beats_baseline"
    assert rows["young"]["verdict"] == "insufficient_data"


@pytest.mark.parametrize("rounding", [1e-16, -1e-16, 1e-12])
def test_a_copy_of_the_walk_has_no_skill_and_no_evidence_whatever_its_rounding(rounding: float) -> None:
    copy = losses("copy", 0.0)
    copy["loss"] = copy["baseline_loss"] * (1 - rounding)
    found = rows_of(copy)["copy"]
    assert (found["skill"], found["p_value"], found["verdict"]) == (0.0, 1.0, "no_evidence")


def test_among_many_models_without_skill_few_are_promoted() -> None:
    promoted = 0
    for batch in range(20):
        rows = rows_of(*(losses(f"m{n}", 0.0, seed=100 * batch + n, count=LEAST_ORIGINS + 40) for n in range(10)))
        promoted += any(row["verdict"] == "beats_baseline" for row in rows.values())
    assert promoted <= 3


def test_questions_that_a_model_does_not_claim_do_not_count_for_those_that_are_claimed() -> None:
    """Of `logistic`, which claims the direction alone, only the row of the direction is an attempt to win."""
    won = losses("har", 0.012, count=100)
    alone = rows_of(won)["har"]
    beside = rows_of(won, *(losses("logistic", 0.0, seed=seed, horizon=horizon) for seed, horizon in ((1, 1), (2, 5))))
    assert beside["har"]["p_adjusted"] == alone["p_adjusted"]
    claimed = losses("logistic", 0.0, seed=1).assign(question="direction")
    assert rows_of(won, claimed)["har"]["p_adjusted"] == pytest.approx(2 * alone["p_adjusted"])


def test_nothing_scored_yet_is_an_empty_leaderboard() -> None:
    none = pa.Table.from_pandas(losses("m", 0).iloc[:0], preserve_index=False)
    assert leaderboard(comparisons_of(none, SESSIONS)).num_rows == 0
