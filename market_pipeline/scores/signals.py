"""Which model is served at each horizon, and what it says of each symbol now.

The random walk is served unless a model has become champion of what it claims: a model with a mean of its own of
`return` or `direction`, one without of `range`.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from market_pipeline.storage.tables.forecasts import BASELINE, HORIZONS

ASKED = ("return", "direction", "range")
"""Questions that a signal answers; ranks have a table of their own."""

RISE = 0.55
"""Probability of a rise from which, with a positive mean, the trend is called up; 1 - RISE calls it down."""


@dataclass(frozen=True)
class Champion:
    """The model served at a horizon and the verdict that stands behind it."""

    horizon: int
    model: str
    verdict: str


def served(titles: pa.Table, leaderboard: pa.Table, newest: pa.Table) -> tuple[Champion, ...]:
    """One model per horizon: of the champions of return, direction and range, the one of the greatest skill.

    `titles` has a row for every change of hands; only models that speak at the newest origin can be served.
    """
    speaking = set(newest["model"].unique().to_pylist()) - {BASELINE}
    holders = {(row["horizon"], row["question"]): row["model"] for row in titles.sort_by("since").to_pylist()}
    chosen = []
    for horizon in HORIZONS:
        rows = [row for row in leaderboard.to_pylist() if row["horizon"] == horizon and row["model"] in speaking]
        proven = [
            row for row in rows if row["question"] in ASKED and holders.get((horizon, row["question"])) == row["model"]
        ]
        if proven:
            best = max(proven, key=lambda row: (row["skill"], row["model"]))
            chosen.append(Champion(horizon, best["model"], best["verdict"]))
        else:
            tested = any(row["verdict"] != "insufficient_data" for row in rows)
            chosen.append(Champion(horizon, BASELINE, "no_evidence" if tested else "insufficient_data"))
    return tuple(chosen)


def signal_rows(newest: pa.Table, champions: tuple[Champion, ...]) -> pa.Table:
    """Rows of `signals` from the forecasts of the newest origin; the numbers are those of the forecast itself."""
    tables = []
    for champion in champions:
        chosen = newest.filter((pc.field("horizon") == champion.horizon) & (pc.field("model") == champion.model))
        mean, p_up = chosen["mean"].to_numpy(), chosen["p_up"].to_numpy()
        tables.append(
            pa.table(
                {
                    "symbol": chosen["symbol"],
                    "as_of": chosen["origin"],
                    "horizon": chosen["horizon"],
                    "trend": pa.array(_trend(mean, p_up), pa.string()),
                    "p_up": chosen["p_up"],
                    "expected_return": chosen["mean"],
                    "low_80": chosen["q10"],
                    "high_80": chosen["q90"],
                    "model": chosen["model"],
                    "verdict": pa.repeat(champion.verdict, chosen.num_rows),
                }
            )
        )
    return pa.concat_tables(tables)


def _trend(mean: np.ndarray, p_up: np.ndarray) -> np.ndarray:
    """A direction needs a mean and a probability that agree; a driftless walk is always flat."""
    return np.select([(mean > 0) & (p_up >= RISE), (mean < 0) & (p_up <= 1 - RISE)], ["up", "down"], default="flat")
