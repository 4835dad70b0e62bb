"""What the UI shows of scores, leaderboard and signals. Knows their rows; computes no verdict and stores nothing."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from market_pipeline.orchestration.plots import Way, fans, reliability, skill_over_time
from market_pipeline.orchestration.ui_metadata import Numbers, image, table
from market_pipeline.prices.history import History
from market_pipeline.scores.signals import Champion
from market_pipeline.scores.verdicts import SURVIVORSHIP
from market_pipeline.storage.grids import Days, Grid
from market_pipeline.storage.tables.forecasts import BASELINE, LEVELS
from market_pipeline.storage.tables.scores import PIECES

FELL = f"""
select horizon, model, {", ".join(f"sum({piece})::double as {piece}" for piece in PIECES)}
from pit where market = $market group by horizon, model order by horizon, model
"""  # noqa: S608  the names are those of PIECES
RANGE = ("q025", "q10", "q25", "q50", "q75", "q90", "q975")
DRAWN_SYMBOLS, DRAWN_SESSIONS = 6, 60


def numbers_of(scored: pa.Table) -> Numbers:
    """For each target session the rows, how far the 80 % ranges were from holding 80 %, and the skill of the ranges.

    Over all models and horizons that came due; skill is 1 less their mean CRPS over the random walk's.
    """
    shown = {}
    for day, rows in scored.to_pandas().groupby("target_session"):
        walk = rows["model"] == BASELINE
        others, ours = rows.loc[~walk, "crps"].mean(), rows.loc[walk, "crps"].mean()
        shown[str(day)] = {
            "dagster/partition_row_count": len(rows),
            "coverage of 80 % ranges, less 0.8": float(rows["covered_80"].mean() - 0.8),
            "skill of ranges": float(1 - others / ours) if ours > 0 else float("nan"),
        }
    return shown


def leaderboard_shown(rows: pa.Table, titles: pa.Table, daily: pa.Table, fell: pa.Table) -> Mapping[str, Any]:
    """Verdicts, champions, and pictures of calibration and of how skill came about; `fell` is the answer to FELL."""
    pictures = {
        f"skill over time: {question}": image(skill_over_time(came, question), f"Skill so far by origin, {question}")
        for question in ("range", "return")
        if (came := skill_so_far(daily, question))
    }
    if held := shares_below(fell):
        pictures["reliability"] = image(reliability(held, LEVELS), "Share of outcomes below each quantile")
    best = pc.max(rows["skill"]).as_py() if rows.num_rows else None
    verdicts = rows["verdict"].to_pylist()
    return {
        "dagster/row_count": rows.num_rows,
        "contests won": verdicts.count("beats_baseline"),
        "contests lost": verdicts.count("worse"),
        **({"best skill": best} if best is not None else {}),
        "verdicts": table(rows),
        "champions": table(titles),
        **pictures,
        "survivorship": SURVIVORSHIP,
    }


def signals_shown(
    rows: pa.Table, earned: pa.Table, champions: tuple[Champion, ...], newest: pa.Table, history: History
) -> Mapping[str, Any]:
    """Who is served, what following them earned, and a fan for the first symbols of the market."""
    ways = ways_of(champions, newest, history)
    names = f"{len(ways)} of {len(history.symbols)} symbols"
    return {
        "dagster/row_count": rows.num_rows,
        **{f"champion at {champion.horizon}": champion.model for champion in champions},
        **({"newest forecasts": image(fans(ways), f"Ranges ahead for {names}")} if ways else {}),
        "signals": table(rows.slice(0, 60)),
        "following them": table(earned, digits=3),
    }


def skill_so_far(daily: pa.Table, question: str) -> dict[int, dict[str, tuple[Days, Grid]]]:
    """For each horizon and model its origins, and the skill on all of them up to each; `daily` as `daily_losses`."""
    asked = daily.filter(pc.field("question") == question).sort_by([("horizon", "ascending"), ("origin", "ascending")])
    came: dict[int, dict[str, tuple[Days, Grid]]] = {}
    for (horizon, model), rows in asked.to_pandas().groupby(["horizon", "model"]):
        loss, baseline = rows["loss"].to_numpy().cumsum(), rows["baseline_loss"].to_numpy().cumsum()
        origins = rows["origin"].to_numpy().astype("datetime64[D]")
        came.setdefault(int(horizon), {})[str(model)] = (origins, 1 - loss / np.where(baseline > 0, baseline, np.nan))
    return came


def shares_below(fell: pa.Table) -> dict[int, dict[str, Grid]]:
    """For each horizon and model the share of outcomes at or below each of the quantiles; shape (9,)."""
    held: dict[int, dict[str, Grid]] = {}
    for row in fell.to_pylist():
        counts = np.array([row[piece] for piece in PIECES])
        held.setdefault(row["horizon"], {})[row["model"]] = np.cumsum(counts)[:-1] / counts.sum()
    return held


def ways_of(champions: tuple[Champion, ...], newest: pa.Table, history: History) -> list[Way]:
    """What is served of the first symbols, each after the way that it came; a symbol without a bar is left out."""
    model_at = {champion.horizon: champion.model for champion in champions}
    served = [row for row in newest.sort_by("horizon").to_pylist() if model_at.get(row["horizon"]) == row["model"]]
    ways = []
    for symbol, closes in zip(history.symbols, history.close, strict=True):
        ahead = [row for row in served if row["symbol"] == symbol]
        past = np.log(closes[-DRAWN_SESSIONS:])
        if not ahead or not np.isfinite(past[-1]):
            continue
        ranges = np.array([[row[level] for level in RANGE] for row in ahead])
        title = f"{symbol}, {ahead[0]['origin']}: " + ", ".join(dict.fromkeys(row["model"] for row in ahead))
        ways.append(Way(title, past - past[-1], np.array([row["horizon"] for row in ahead], float), ranges))
    return ways[:DRAWN_SYMBOLS]
