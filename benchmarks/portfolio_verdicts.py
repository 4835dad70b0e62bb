"""How often joint models get a verdict on portfolios, where there is nothing to find and where there is something.

    python benchmarks/portfolio_verdicts.py [markets without anything to find, 1000] [other markets, 20]

The markets of `verdicts.py`: eight symbols, two years of history, then origins, with the range fitted again every month
by the models that portfolios need. Joint models are judged against constant correlations on the portfolios that nobody
chose, through the pipeline's own functions. Each market is judged after several numbers of origins.
"""

import datetime as dt
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from joblib import Parallel, delayed
from verdicts import HISTORY, MARKET, SYMBOLS, panel_of, random_walk

import market_pipeline.config.process  # noqa: F401
from market_pipeline.forecasts.issue import issue
from market_pipeline.forecasts.portfolios import portfolio_rows
from market_pipeline.models.features.panel import Panel
from market_pipeline.models.forecasters.catalogue import FORECASTERS, MEMBERS
from market_pipeline.scores.portfolios import portfolio_losses, portfolio_tests, score_portfolios
from market_pipeline.scores.verdicts import BEATS_BASELINE, LEVEL, comparisons_of, leaderboard
from market_pipeline.storage.grids import Grid
from market_pipeline.storage.tables.forecasts import BASELINE

MODELS = tuple(one for one in FORECASTERS if one.name in {BASELINE, *MEMBERS})
NULL, OTHERS = (125,), (500, 1000, 1500, 2000, 2500)
"""Numbers of origins after which a market is judged."""


def changing(draw: np.random.Generator, sessions: int, cycle: int = 1500) -> Grid:
    """Correlations between 0.1 and 0.9 that rise and fall once in a cycle of sessions; volatility is constant."""
    common, own = draw.standard_t(5, sessions), draw.standard_t(5, (len(SYMBOLS), sessions))
    share = 0.5 + 0.4 * np.sin(2 * np.pi * (np.arange(sessions) / cycle + draw.random()))
    return 0.01 * (np.sqrt(share) * common + np.sqrt(1 - share) * own)


def garch(draw: np.random.Generator, sessions: int) -> Grid:
    """GARCH(1,1) with alpha 0.1 and beta 0.88, in all symbols at once, with constant correlations."""
    shocks = random_walk(draw, sessions) / 0.01 / np.sqrt(5 / 3)
    variance = 1.0
    for session in range(sessions):
        shocks[:, session] *= np.sqrt(variance)
        variance = 0.02 + 0.1 * (shocks[:, session] ** 2).mean() + 0.88 * variance
    return 0.01 * shocks


def wins(maker: Callable[[np.random.Generator, int], Grid], seed: int, judged: tuple[int, ...]) -> set[tuple[int, str]]:
    """After which numbers of origins some joint model beats the baseline, by question: portfolio, and its tail."""
    draw = np.random.default_rng([seed, 20261129])
    bars = panel_of(maker(draw, HISTORY + judged[-1] + 21), draw).history
    panel = Panel(bars, np.zeros((0, *bars.close.shape), np.float32), ())
    scored = pa.concat_tables(scores_of_months(panel, bars.sessions[HISTORY : HISTORY + judged[-1]]))
    found = set[tuple[int, str]]()
    for count in judged:
        known = scored.filter(pc.less(scored["origin"], bars.sessions[HISTORY + count].item()))
        board = leaderboard(comparisons_of(portfolio_losses(known), bars.sessions)).to_pylist()
        tests = portfolio_tests(known, bars.sessions).to_pylist()
        if any(row["verdict"] == BEATS_BASELINE for row in board):
            found.add((count, "CRPS"))
        if any(row["test"] == "fissler_ziegel" and row["value"] < LEVEL for row in tests):
            found.add((count, "FZ0"))
    return found


def scores_of_months(panel: Panel, asked: np.ndarray) -> list[pa.Table]:
    """Rows of `portfolio_scores` at the origins asked for, month by month."""
    found, sessions, now = [], panel.history.sessions, dt.datetime.now(dt.UTC)
    for month in np.unique(asked.astype("datetime64[M]")):
        origins = asked[asked.astype("datetime64[M]") == month]
        cutoff = sessions[sessions < origins[0]][-1]
        fitted = {one.name: one.fit(panel.until(cutoff)) for one in MODELS}
        known = panel.until(origins[-1])
        issued = issue(known, MARKET, origins, fitted, cutoff, now, MODELS)
        rows = portfolio_rows(known.history, MARKET, origins, issued.distributions, [[] for _ in origins])
        found.append(score_portfolios(rows.portfolios, rows.weights, panel.history))
    return found


def main(nothing: int, others: int) -> None:
    print(f"{len(SYMBOLS)} simulated symbols; the portfolios that nobody chose.\n")
    print("| markets | what is there to find | origins | beats_baseline, CRPS | p below 0.05, FZ0 |")
    print("|---" * 5 + "|")
    for maker, count, judged, words in (
        (random_walk, nothing, NULL, "nothing"),
        (garch, others, OTHERS, "GARCH(1,1), constant correlations"),
        (changing, others, OTHERS, "correlations that change in 1,500 sessions"),
        (partial(changing, cycle=250), others, OTHERS, "in 250 sessions, half the window of the models"),
    ):
        if not count:
            continue
        began, counted = time.perf_counter(), Counter[tuple[int, str]]()
        for won in Parallel(n_jobs=-1)(delayed(wins)(maker, seed, judged) for seed in range(count)):
            counted.update(won)
        for origins in judged:
            shares = [f"{counted[origins, name] / count:.1%}" for name in ("CRPS", "FZ0")]
            print(f"| {count:,} | {words} | {origins} | {shares[0]} | {shares[1]} |")
        print(f"<!-- {words}: {time.perf_counter() - began:.0f} s -->", flush=True)


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]]
    main(*(numbers + [1000, 20][len(numbers) :]))
