"""Value at risk and expected shortfall on real bars: exceedances beside what was stated, and skill with its t value.

    python benchmarks/tails.py FOLDER [stocks, 60] [coins, 10] [origins, 504]

FOLDER has stocks.parquet and crypto.parquet in the long format of the files source, adjusted. The symbols are spread
evenly over those that have bars from before the first origin to the end. Models of the range alone, fitted at the end
of each month, through the pipeline's own functions from bars to leaderboard.
"""

import datetime as dt
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.stats import norm

import market_pipeline.config.process  # noqa: F401
from market_pipeline.config.markets import Market
from market_pipeline.forecasts.issue import issue
from market_pipeline.models.features.panel import Panel
from market_pipeline.models.forecasters.garch import GARCH
from market_pipeline.models.forecasters.har import HAR
from market_pipeline.models.forecasters.random_walk import EWMA, RANDOM_WALK
from market_pipeline.prices.history import History
from market_pipeline.scores.daily_means import daily_means, losses_by_question
from market_pipeline.scores.losses import score
from market_pipeline.scores.outcomes import with_outcomes
from market_pipeline.scores.verdicts import comparisons_of, leaderboard
from market_pipeline.storage.grids import Days
from market_pipeline.storage.tables.forecasts import HORIZONS, TAILS_AT
from market_pipeline.storage.tables.scores import RANK_SCORES

MODELS = (RANDOM_WALK, EWMA, GARCH, HAR)
CALENDARS = {"stocks": "XNYS", "crypto": "24/7"}


def market_and_history(file: Path, name: str, count: int, years: int = 6) -> tuple[Market, History]:
    """The last years of `count` symbols of a file."""
    bars = pd.read_parquet(file)
    bars = bars[bars["close"] > 0].assign(date=lambda rows: pd.to_datetime(rows["date"]))
    bars = bars[bars["date"] > bars["date"].max() - pd.DateOffset(years=years)]
    whole = bars.groupby("symbol")["date"].agg(["min", "max"])
    enough = (whole["min"] <= bars["date"].min() + pd.DateOffset(years=3)) & (whole["max"] == bars["date"].max())
    names = sorted(whole.index[enough])
    symbols = tuple(names[place] for place in np.linspace(0, len(names) - 1, min(count, len(names))).astype(int))
    market = Market(name, CALENDARS[name], bars["date"].min().date(), symbols)
    sessions = market.sessions_between(market.start, bars["date"].max().date())
    days = pd.DatetimeIndex(sessions)
    grids = [
        bars.pivot_table(index="symbol", columns="date", values=column).reindex(index=symbols, columns=days).to_numpy()
        for column in ("open", "high", "low", "close", "volume")
    ]
    return market, History(symbols, sessions, *grids)


def last_origins(history: History, count: int) -> Days:
    """The last sessions whose targets are all known."""
    return history.sessions[-count - max(HORIZONS) : -max(HORIZONS)]


def forecasts_at(market: Market, history: History, origins: Days) -> Iterator[pa.Table]:
    """A month's forecasts with tails and outcomes, by models that are fitted on what was known before the month."""
    panel = Panel(history, np.zeros((0, *history.close.shape), np.float32), ())
    for month in np.unique(origins.astype("datetime64[M]")):
        some = origins[origins.astype("datetime64[M]") == month]
        cutoff = history.sessions[history.sessions < month.astype("datetime64[D]")][-1]
        fitted = {one.name: one.fit(panel.until(cutoff)) for one in MODELS}
        rows = issue(panel.until(some[-1]), market, some, fitted, cutoff, dt.datetime.now(dt.UTC), MODELS).with_tails
        yield with_outcomes(rows, history)


def main(folder: Path, stocks: int, coins: int, origins: int) -> None:
    """Print the tables of both markets."""
    for name, count in (("stocks", stocks), ("crypto", coins)):
        market, history = market_and_history(folder / f"{name}.parquet", name, count)
        asked = last_origins(history, origins)
        means = pa.concat_tables(daily_means(rows, score(rows)) for rows in forecasts_at(market, history, asked))
        print(f"### {name}: {len(market.symbols)} symbols, {asked[0]} to {asked[-1]}\n")
        exceedances(means.to_pandas())
        skills(means, history.sessions)


def exceedances(means: pd.DataFrame) -> None:
    """Shares of outcomes beyond each value at risk, in per cent."""
    print("| model | sessions |" + "".join(f" {level:.1%} |" for level in TAILS_AT.values()))
    print("|---|---|" + "---|" * len(TAILS_AT))
    for model in dict.fromkeys(means["model"]):
        for horizon in HORIZONS:
            rows = means[(means["model"] == model) & (means["horizon"] == horizon)]
            shares = [rows[f"exceeded_{name}"].mean() for name in TAILS_AT]
            print(f"| {model} | {horizon} |" + "".join(f" {share:.2%} |" for share in shares))
    print()


def skills(means: pa.Table, sessions: np.ndarray) -> None:
    """FZ0 at 2.5 % against the random walk's."""
    losses = losses_by_question(means, RANK_SCORES.schema.empty_table())
    board = leaderboard(comparisons_of(losses, sessions)).to_pylist()
    print("| model | sessions | origins | FZ0 less the walk's | skill | t | verdict |\n|---|---|---|---|---|---|---|")
    for row in board:
        if row["question"] == "tail":
            difference = row["loss"] - row["baseline_loss"]
            value = norm.isf(row["p_value"]) if row["p_value"] is not None else np.nan  # too few origins
            print(
                f"| {row['model']} | {row['horizon']} | {row['n_origins']} | {difference:+.3f} | {row['skill']:+.1%} | "
                f"{value:+.1f} | {row['verdict']} |"
            )
    print()


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[2:]]
    main(Path(sys.argv[1]), *(numbers + [60, 10, 504][len(numbers) :]))
