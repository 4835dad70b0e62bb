"""Which model is selected at each horizon, and what it forecasts now.

A champion of return, direction or range is selected; where there is none, the random walk is.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from market_pipeline.scores.champions import newest_champions
from market_pipeline.scores.verdicts import INSUFFICIENT_DATA, NO_EVIDENCE
from market_pipeline.storage.grids import Grid
from market_pipeline.storage.tables.forecasts import BASELINE, HORIZONS, RANGES
from market_pipeline.storage.tables.scores import SIGNAL_QUESTIONS, SIGNALS, TRENDS

RISE = 0.55
"""Probability of a rise from which, with a positive mean, the trend is up; with a negative one, 1 - RISE is down."""

REPEATED = {name: name for name in ("symbol", "horizon", "p_up", "model")}
REPEATED |= {"as_of": "origin", "expected_return": "mean", "low_80": RANGES[80][0], "high_80": RANGES[80][1]}
"""Columns of `signals` that repeat a column of `forecasts`."""


@dataclass(frozen=True)
class Selected:
    """The model of a horizon, with its verdict."""

    horizon: int
    model: str
    verdict: str
    question: str | None = None
    """What the verdict is about; None for the random walk, which is selected when no model is proven on any."""

    @property
    def title(self) -> str:
        """The model and, unless it is the random walk, its verdict with the question."""
        return f"{self.model} ({self.question}: {self.verdict})" if self.question else self.model


def selected_models(champions: pa.Table, leaderboard: pa.Table, newest: pa.Table) -> tuple[Selected, ...]:
    """One model per horizon: of the champions of return, direction and range, the one with the greatest skill.

    `champions` and `leaderboard` are rows of these tables, `newest` the forecasts of the newest origin: a champion
    without a forecast there is not selected.
    """
    present = set(newest["model"].unique().to_pylist()) - {BASELINE}
    champion = newest_champions(champions)
    selected = []
    for horizon in HORIZONS:
        rows = [row for row in leaderboard.to_pylist() if row["horizon"] == horizon and row["model"] in present]
        proven = [
            row
            for row in rows
            if row["question"] in SIGNAL_QUESTIONS and champion.get((horizon, row["question"])) == row["model"]
        ]
        if proven:
            best = max(proven, key=lambda row: (row["skill"], row["model"]))
            selected.append(Selected(horizon, best["model"], best["verdict"], best["question"]))
        else:
            tested = any(row["verdict"] != INSUFFICIENT_DATA for row in rows)
            selected.append(Selected(horizon, BASELINE, NO_EVIDENCE if tested else INSUFFICIENT_DATA))
    return tuple(selected)


def signal_rows(newest: pa.Table, selected: tuple[Selected, ...]) -> pa.Table:
    """Rows of `signals` from the forecasts of the newest origin; the numbers are those of the forecast itself."""
    tables = []
    for one in selected:
        rows = newest.filter((pc.field("horizon") == one.horizon) & (pc.field("model") == one.model))
        trends = np.array(TRENDS)[1 - trend(rows["mean"].to_numpy(), rows["p_up"].to_numpy())]
        columns = {name: rows[source] for name, source in REPEATED.items()}
        columns |= {"trend": pa.array(trends, pa.string()), "verdict": pa.repeat(one.verdict, rows.num_rows)}
        tables.append(pa.table(columns).select(SIGNALS.schema.names))
    return pa.concat_tables(tables)


def trend(mean: Grid, p_up: Grid) -> np.ndarray:
    """1 for up, -1 for down, 0 for flat: a direction needs a mean and a probability that agree."""
    return np.where((mean > 0) & (p_up >= RISE), 1, np.where((mean < 0) & (p_up <= 1 - RISE), -1, 0))
