import numpy as np
import pandas as pd
import pyarrow as pa

from market_pipeline.scores.signals import RISE, selected_models, signal_rows, trend
from market_pipeline.storage.tables.scores import SIGNALS


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


def champions(*rows: tuple[int, str, str, str]) -> pa.Table:
    names = ("horizon", "question", "since", "model")
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows])


def test_the_random_walk_is_selected_unless_another_model_is_champion_of_its_claim() -> None:
    verdicts = board(
        (1, "linear", "return", 0.02, "beats_baseline"),
        (1, "boosting", "return", 0.03, "no_evidence"),
        (5, "ewma", "range", 0.05, "no_evidence"),  # a champion that is kept has its present verdict
        (20, "linear", "return", 0.3, "no_evidence"),
        (20, "joint", "rank", 0.5, "beats_baseline"),
    )
    history = champions(
        (1, "return", "2024-01-31", "linear"),
        (5, "range", "2024-01-31", "ewma"),
        (20, "return", "2024-01-31", "linear"),
        (20, "return", "2024-02-29", "random_walk"),
        (20, "rank", "2024-01-31", "joint"),
    )
    chosen = selected_models(history, verdicts, newest("random_walk", "linear", "boosting", "ewma"))
    assert [(one.horizon, one.model, one.verdict) for one in chosen] == [
        (1, "linear", "beats_baseline"),
        (5, "ewma", "no_evidence"),
        (20, "random_walk", "no_evidence"),
    ]


def test_a_champion_without_a_forecast_at_the_newest_origin_is_not_selected() -> None:
    verdicts = board((1, "prophet", "return", 0.5, "beats_baseline"))
    history = champions((1, "return", "2024-01-31", "prophet"))
    assert selected_models(history, verdicts, newest("random_walk"))[0].model == "random_walk"


def test_a_signal_repeats_its_forecast_and_has_a_trend_only_when_mean_and_probability_agree() -> None:
    forecasts = newest("random_walk", "linear")
    verdicts = board((1, "linear", "return", 0.1, "beats_baseline"))
    chosen = selected_models(champions((1, "return", "2024-01-31", "linear")), verdicts, forecasts)
    rows = signal_rows(forecasts, chosen).to_pylist()
    first = {row["symbol"]: row for row in rows if row["horizon"] == 1}
    assert {symbol: row["trend"] for symbol, row in first.items()} == {"A": "up", "B": "down", "C": "flat"}
    assert (first["A"]["low_80"], first["A"]["high_80"], first["A"]["expected_return"]) == (-0.01, 0.03, 0.01)
    assert len(rows) == 9
    assert signal_rows(forecasts, chosen).schema.names == SIGNALS.schema.names


def test_a_trend_starts_at_its_border() -> None:
    mean = np.array([0.01, 0.01, -0.01, -0.01, 0.0, -0.01])
    p_up = np.array([RISE, np.nextafter(RISE, 0), 1 - RISE, np.nextafter(1 - RISE, 1), 0.9, 0.9])
    assert trend(mean, p_up).tolist() == [1, 0, -1, 0, 0, 0]
