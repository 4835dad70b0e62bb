"""Coverage of the 80 % range on real bars: by how wide it is, by year, after a break, by symbol; with CRPS.

    python benchmarks/ranges.py FOLDER [stocks, 60] [coins, 10] [origins, 1250]

FOLDER has the two files of `tails.py`, whose choice of symbols and models this shares. Run with two checkouts, it
compares two ways to calibrate.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from tails import CALENDARS, forecasts_at, last_origins, market_and_history

from market_pipeline.models.features.returns import session_returns
from market_pipeline.models.features.volatility import expanding_volatility
from market_pipeline.prices.history import History
from market_pipeline.scores.losses import score

BREAK = 3.0
"""A break is a session whose return, over all symbols on average, has this many times its usual size."""
AFTER = 20
"""Sessions that count as after it."""
YEARS = 12


def scored(folder: Path, name: str, count: int, origins: int) -> pd.DataFrame:
    """One row for each forecast with its width, outcome and losses."""
    market, history = market_and_history(folder / f"{name}.parquet", name, count, YEARS)
    asked = last_origins(history, origins)
    found = []
    for forecasts in forecasts_at(market, history, asked):
        losses = score(forecasts).to_pandas()
        key = ["symbol", "origin", "horizon", "model"]
        width = forecasts.to_pandas().assign(width=lambda table: table["q90"] - table["q10"])
        found.append(losses.merge(width[[*key, "width"]], on=key))
    print(f"### {name}: {len(market.symbols)} symbols, {asked[0]} to {asked[-1]}\n")
    rows = pd.concat(found)
    return rows.assign(
        year=pd.to_datetime(rows["origin"]).dt.year,
        after=np.isin(pd.to_datetime(rows["origin"]), pd.to_datetime(after_breaks(history))),
        third=rows.groupby(["model", "horizon"])["width"].transform(lambda width: pd.qcut(width, 3, labels=False)),
    )


def after_breaks(history: History) -> np.ndarray:
    """The sessions that follow a break closely."""
    usual = np.nanmean(np.abs(session_returns(history)) / expanding_volatility(history), axis=0)
    places = np.flatnonzero(usual > BREAK * np.nanmedian(usual))[:, None] + np.arange(AFTER)
    return history.sessions[np.unique(places[places < len(history.sessions)])]


def table(rows: pd.DataFrame) -> None:
    """Prints coverage in per cent and the mean CRPS."""
    years = sorted(rows["year"].unique())
    head = ["model", "sessions", "all", "narrow", "middle", "wide", "after breaks", *map(str, years), "symbols"]
    print("| " + " | ".join([*head, "CRPS"]) + " |\n" + "|---" * (len(head) + 1) + "|")
    for (model, horizon), some in rows.groupby(["model", "horizon"], sort=False):
        held = some["covered_80"].astype(float)
        shares = [held.mean(), *held.groupby(some["third"]).mean(), held[some["after"]].mean()]
        shares += [held[some["year"] == year].mean() for year in years]
        symbols = held.groupby(some["symbol"]).mean()
        cells = [f"{100 * share:.1f}" for share in shares]
        print(
            f"| {model} | {horizon} | {' | '.join(cells)} | {100 * symbols.min():.0f} to {100 * symbols.max():.0f} "
            f"| {some['crps'].mean():.6f} |"
        )
    print()


def main(folder: Path, stocks: int, coins: int, origins: int) -> None:
    """Print the tables of both markets."""
    for name, count in zip(CALENDARS, (stocks, coins), strict=True):
        table(scored(folder, name, count, origins))


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[2:]]
    main(Path(sys.argv[1]), *(numbers + [60, 10, 1250][len(numbers) :]))
