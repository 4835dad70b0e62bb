"""What the Dagster UI shows of scores, leaderboard and signals. Knows their rows; stores nothing."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from market_pipeline.orchestration.plots import RangeChart, range_charts, reliability, skill_over_time
from market_pipeline.orchestration.ui_metadata import Numbers, image, markdown_table
from market_pipeline.prices.history import History
from market_pipeline.scores.signals import Selected
from market_pipeline.scores.verdicts import BEATS_BASELINE, SURVIVORSHIP, WORSE, skill_of
from market_pipeline.storage.grids import Days, Grid
from market_pipeline.storage.returns import simple_returns
from market_pipeline.storage.tables.forecasts import BASELINE, LEVELS
from market_pipeline.storage.tables.scores import PIECES

RANGE = ("q025", "q10", "q25", "q50", "q75", "q90", "q975")
"""The quantiles of a range chart."""

CHARTS, PAST_SESSIONS = 6, 60
"""Symbols with a range chart, and how much of their past it shows."""


def session_numbers(scores: pa.Table) -> Numbers:
    """For each target session the rows, the coverage of the 80 % ranges less 0.8, and the skill of the ranges.

    And the share of outcomes beyond the value at risk at 2.5 %, less 0.025. Over all models and horizons; the skill is
    1 less the mean CRPS of the models over that of the random walk.
    """
    numbers = {}
    for day, rows in scores.to_pandas().groupby("target_session"):
        walk = rows["model"] == BASELINE
        models, baseline = rows.loc[~walk, "crps"].mean(), rows.loc[walk, "crps"].mean()
        numbers[str(day)] = {
            "dagster/partition_row_count": len(rows),
            "coverage of 80 % ranges, less 0.8": float(rows["covered_80"].mean() - 0.8),
            "skill of ranges": float(1 - models / baseline) if baseline > 0 else float("nan"),
            "exceedances of var_025, less 0.025": float(rows["exceeded_025"].dropna().astype(float).mean() - 0.025),
        }
    return numbers


def leaderboard_metadata(rows: pa.Table, champions: pa.Table, losses: pa.Table, pit: pa.Table) -> Mapping[str, Any]:
    """Verdicts, champions, and plots of calibration and of skill over time."""
    plots = {
        f"skill over time: {question}": image(skill_over_time(skill, question), f"Skill so far by origin, {question}")
        for question in ("range", "tail", "return")
        if (skill := skill_so_far(losses, question))
    }
    if below := shares_below(pit):
        plots["reliability"] = image(reliability(below, LEVELS), "Share of outcomes below each quantile")
    best = pc.max(rows["skill"]).as_py() if rows.num_rows else None
    verdicts = rows["verdict"].to_pylist()
    return {
        "dagster/row_count": rows.num_rows,
        "comparisons won": verdicts.count(BEATS_BASELINE),
        "comparisons lost": verdicts.count(WORSE),
        **({"best skill": best} if best is not None else {}),
        "verdicts": markdown_table(rows),
        "champions": markdown_table(champions),
        **plots,
        "survivorship": SURVIVORSHIP,
    }


def signals_metadata(
    rows: pa.Table, backtest: pa.Table, selected: tuple[Selected, ...], newest: pa.Table, history: History
) -> Mapping[str, Any]:
    """The selected models, the signal backtest, and a range chart for the first symbols of the market."""
    charts = charts_of(selected, newest, history)
    names = f"{len(charts)} of {len(history.symbols)} symbols"
    return {
        "dagster/row_count": rows.num_rows,
        **{f"champion at {one.horizon}": one.title for one in selected},
        **({"newest forecasts": image(range_charts(charts), f"Forecast ranges of {names}")} if charts else {}),
        "signals": markdown_table(with_questions(rows, selected).slice(0, 60)),
        "signal backtest": markdown_table(backtest, digits=3),
    }


def with_questions(rows: pa.Table, selected: tuple[Selected, ...]) -> pa.Table:
    """Rows of `signals` with the question that each verdict is about; none for the random walk."""
    question = {one.horizon: one.question for one in selected}
    return rows.append_column("question", pa.array([question[row] for row in rows["horizon"].to_pylist()], pa.string()))


def skill_so_far(losses: pa.Table, question: str) -> dict[int, dict[str, tuple[Days, Grid]]]:
    """For each horizon and model its origins, and the skill on all of them up to each; from `losses_by_question`."""
    chosen = losses.filter(pc.field("question") == question)
    skill: dict[int, dict[str, tuple[Days, Grid]]] = {}
    for (horizon, model), rows in chosen.sort_by("origin").to_pandas().groupby(["horizon", "model"]):
        count = np.arange(1, len(rows) + 1)
        loss, baseline = (rows[name].to_numpy().cumsum() / count for name in ("loss", "baseline_loss"))
        origins = rows["origin"].to_numpy().astype("datetime64[D]")
        skill.setdefault(int(horizon), {})[str(model)] = (origins, skill_of(question, loss, baseline))
    return skill


def shares_below(pit: pa.Table) -> dict[int, dict[str, Grid]]:
    """For each horizon and model the share of outcomes at or below each of the quantiles; shape (9,)."""
    below: dict[int, dict[str, Grid]] = {}
    for (horizon, model), rows in pit.to_pandas().groupby(["horizon", "model"]):
        counts = rows[list(PIECES)].to_numpy().sum(axis=0)
        below.setdefault(int(horizon), {})[str(model)] = np.cumsum(counts)[:-1] / counts.sum()
    return below


def charts_of(selected: tuple[Selected, ...], newest: pa.Table, history: History) -> list[RangeChart]:
    """The newest forecasts of the selected models, for the first symbols that have a bar at the origin."""
    model_at = {one.horizon: one.model for one in selected}
    forecasts = [row for row in newest.sort_by("horizon").to_pylist() if model_at.get(row["horizon"]) == row["model"]]
    charts = []
    for symbol, closes in zip(history.symbols, history.close, strict=True):
        ahead = [row for row in forecasts if row["symbol"] == symbol]
        past = np.log(closes[-PAST_SESSIONS:])
        if not ahead or not np.isfinite(past[-1]):
            continue
        ranges = np.array([[row[level] for level in RANGE] for row in ahead])
        title = f"{symbol}, {ahead[0]['origin']}: " + ", ".join(dict.fromkeys(row["model"] for row in ahead))
        horizons = np.array([row["horizon"] for row in ahead], float)
        charts.append(RangeChart(title, simple_returns(past - past[-1]), horizons, simple_returns(ranges)))
    return charts[:CHARTS]
