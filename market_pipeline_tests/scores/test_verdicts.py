import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from market_pipeline.scores.signals import served, signal_rows
from market_pipeline.scores.verdicts import COLUMNS, LEAST_ORIGINS, leaderboard

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


def judged(*frames: pd.DataFrame) -> dict[str, dict[str, object]]:
    rows = leaderboard(pa.Table.from_pandas(pd.concat(frames), preserve_index=False), SESSIONS)
    assert rows.schema == COLUMNS
    return {row["model"]: row for row in rows.to_pylist()}


def test_each_verdict_in_its_case() -> None:
    rows = judged(losses("good", 0.05), losses("same", 0.0, seed=1), losses("bad", -0.05), losses("new", 0.5, count=20))
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
    row = judged(frame)["m"]
    assert row["skill"] == 1 - frame["loss"].mean() / frame["baseline_loss"].mean()
    assert row["n_origins"] == len(frame)


def test_month_ends_are_judged_by_origins_that_do_not_overlap() -> None:
    month_ends = losses("prophet", 0.05, count=30, every=21, horizon=20)
    too_few = losses("young", 0.05, count=20, every=21, horizon=20)
    rows = judged(month_ends, too_few)
    assert rows["prophet"]["verdict"] == "beats_baseline"
    assert rows["young"]["verdict"] == "insufficient_data"


@pytest.mark.parametrize("rounding", [1e-16, -1e-16, 1e-12])
def test_whoever_echoes_the_walk_but_for_rounding_has_no_skill_and_no_evidence(rounding: float) -> None:
    echo = losses("echo", 0.0)
    echo["loss"] = echo["baseline_loss"] * (1 - rounding)
    found = judged(echo)["echo"]
    assert (found["skill"], found["p_value"], found["verdict"]) == (0.0, 1.0, "no_evidence")


def test_among_many_models_without_skill_few_are_promoted() -> None:
    promoted = 0
    for batch in range(20):
        rows = judged(*(losses(f"m{n}", 0.0, seed=100 * batch + n, count=LEAST_ORIGINS + 40) for n in range(10)))
        promoted += any(row["verdict"] == "beats_baseline" for row in rows.values())
    assert promoted <= 3


def test_nothing_scored_yet_is_an_empty_leaderboard() -> None:
    assert leaderboard(pa.Table.from_pandas(losses("m", 0).iloc[:0], preserve_index=False), SESSIONS).num_rows == 0


def board(*rows: tuple[int, str, str, float, str]) -> pa.Table:
    names = ("horizon", "model", "question", "skill", "verdict")
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows])


def newest(*models: str) -> pa.Table:
    rows = [
        {
            "symbol": symbol, "origin": pd.Timestamp("2024-01-02").date(), "horizon": horizon, "model": model,
            "mean": mean, "p_up": p_up, "q10": mean - 0.02, "q90": mean + 0.02,
        }
        for model in models
        for horizon in (1, 5, 20)
        for symbol, mean, p_up in (("A", 0.01, 0.6), ("B", -0.01, 0.4), ("C", 0.01, 0.52))
    ]  # fmt: skip
    return pa.Table.from_pylist(rows)


def titles(*rows: tuple[int, str, str, str]) -> pa.Table:
    names = ("horizon", "question", "since", "model")
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows])


def test_the_random_walk_is_served_unless_something_is_champion_of_its_claim() -> None:
    verdicts = board(
        (1, "linear", "return", 0.02, "beats_baseline"),
        (1, "boosting", "return", 0.03, "no_evidence"),
        (5, "ewma", "range", 0.05, "no_evidence"),  # a champion that is kept says how it stands now
        (20, "linear", "return", 0.3, "no_evidence"),
        (20, "joint", "rank", 0.5, "beats_baseline"),
    )
    held = titles(
        (1, "return", "2024-01-31", "linear"),
        (5, "range", "2024-01-31", "ewma"),
        (20, "return", "2024-01-31", "linear"),
        (20, "return", "2024-02-29", "random_walk"),
        (20, "rank", "2024-01-31", "joint"),
    )
    chosen = served(held, verdicts, newest("random_walk", "linear", "boosting", "ewma"))
    assert [(champion.horizon, champion.model, champion.verdict) for champion in chosen] == [
        (1, "linear", "beats_baseline"),
        (5, "ewma", "no_evidence"),
        (20, "random_walk", "no_evidence"),
    ]


def test_a_model_that_is_silent_at_the_newest_origin_is_not_served() -> None:
    verdicts = board((1, "prophet", "return", 0.5, "beats_baseline"))
    held = titles((1, "return", "2024-01-31", "prophet"))
    assert served(held, verdicts, newest("random_walk"))[0].model == "random_walk"


def test_a_signal_repeats_its_forecast_and_calls_a_trend_only_when_mean_and_chance_agree() -> None:
    spoken = newest("random_walk", "linear")
    chosen = served(
        titles((1, "return", "2024-01-31", "linear")), board((1, "linear", "return", 0.1, "beats_baseline")), spoken
    )
    rows = signal_rows(spoken, chosen).to_pylist()
    first = {row["symbol"]: row for row in rows if row["horizon"] == 1}
    assert {symbol: row["trend"] for symbol, row in first.items()} == {"A": "up", "B": "down", "C": "flat"}
    assert (first["A"]["low_80"], first["A"]["high_80"], first["A"]["expected_return"]) == (-0.01, 0.03, 0.01)
    assert len(rows) == 9
