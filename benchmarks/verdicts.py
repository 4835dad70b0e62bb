"""How often a verdict is wrong where there is nothing to find, and how often it is given where there is something.

    python benchmarks/verdicts.py [markets of random walks, 1000] [markets with something to find, 40]

Every market is simulated: eight correlated symbols, two years of history, then origins with the models fitted again
every REFIT sessions, through the pipeline's own functions from indicators to leaderboard. Prophet, exponential
smoothing and Theta are left out: they cost more than all the others, and the latter two forecast once a month, too
seldom for a verdict.
"""

import datetime as dt
import sys
import time
from collections import Counter
from collections.abc import Callable

import numpy as np
import pyarrow as pa
from joblib import Parallel, delayed

import market_pipeline.config.process  # noqa: F401
from market_pipeline.config.markets import Market
from market_pipeline.forecasts.issue import issue
from market_pipeline.indicators.compute import compute_indicators
from market_pipeline.models.features.panel import Panel
from market_pipeline.models.forecasters.catalogue import FORECASTERS, REFITTED, claims_of
from market_pipeline.prices.history import History
from market_pipeline.scores.daily_means import daily_means, losses_by_question
from market_pipeline.scores.losses import score
from market_pipeline.scores.outcomes import with_outcomes
from market_pipeline.scores.verdicts import BEATS_BASELINE, Comparison, comparisons_of, leaderboard
from market_pipeline.storage.grids import Grid
from market_pipeline.storage.tables.scores import RANK_SCORES

SYMBOLS = tuple(f"S{number}" for number in range(8))
HISTORY = 500
FEW, MANY = 125, 1000
"""Origins of the markets with nothing to find, and of the others: short series are where luck looks most like skill."""
REFIT = {FEW: 125, MANY: 250}
MARKET = Market("simulated", "24/7", dt.date(2018, 1, 1), SYMBOLS)
MODELS = tuple(forecaster for forecaster in FORECASTERS if forecaster.name not in REFITTED)
SHARE = 0.5
"""Of each symbol's variance that all symbols share."""


def random_walk(draw: np.random.Generator, sessions: int) -> Grid:
    """Returns without memory, with the tails of Student's t of 5 degrees."""
    common, own = draw.standard_t(5, sessions), draw.standard_t(5, (len(SYMBOLS), sessions))
    return 0.01 * (np.sqrt(SHARE) * common + np.sqrt(1 - SHARE) * own)


def autoregressive(draw: np.random.Generator, sessions: int) -> Grid:
    """AR(1) with phi = 0.2 in each symbol."""
    shocks = random_walk(draw, sessions)
    for session in range(1, sessions):
        shocks[:, session] += 0.2 * shocks[:, session - 1]
    return shocks


def garch(draw: np.random.Generator, sessions: int) -> Grid:
    """GARCH(1,1) with alpha 0.1 and beta 0.88: nothing to find in return or direction, much in range."""
    shocks = random_walk(draw, sessions) / 0.01 / np.sqrt(5 / 3)
    variance = np.ones(len(SYMBOLS))
    for session in range(sessions):
        shocks[:, session] *= np.sqrt(variance)
        variance = 0.02 + 0.1 * shocks[:, session] ** 2 + 0.88 * variance
    return 0.01 * shocks


def panel_of(returns: Grid, draw: np.random.Generator) -> Panel:
    """Bars around the closes that returns make: opens at the last close, highs and lows of a walk within the day."""
    close = 100 * np.exp(np.cumsum(returns, axis=1))
    opened = np.concatenate([np.full((len(close), 1), 100.0), close[:, :-1]], axis=1)
    size = np.abs(returns) + 0.3 * np.abs(returns).mean(axis=1, keepdims=True)
    high = np.maximum(opened, close) * np.exp(size * draw.exponential(0.4, close.shape))
    low = np.minimum(opened, close) * np.exp(-size * draw.exponential(0.4, close.shape))
    sessions = MARKET.sessions[: close.shape[1]]
    history = History(SYMBOLS, sessions, opened, high, low, close, draw.lognormal(13, 0.3, close.shape))
    grids = compute_indicators(history)
    return Panel(history, np.stack(list(grids.values())).astype(np.float32), tuple(grids))


def verdicts(
    returns_of: Callable[[np.random.Generator, int], Grid], seed: int, origins_in_all: int
) -> list[tuple[int, str, str, str]]:
    """Horizon, model, question and verdict of every comparison of one market."""
    board = leaderboard(comparisons_in(returns_of, seed, origins_in_all, REFIT[origins_in_all]))
    return [(row["horizon"], row["model"], row["question"], row["verdict"]) for row in board.to_pylist()]


def comparisons_in(
    returns_of: Callable[[np.random.Generator, int], Grid], seed: int, origins_in_all: int, refit: int
) -> list[Comparison]:
    """Every comparison of one market, whose models are fitted again every `refit` sessions."""
    draw = np.random.default_rng([seed, 20261124])
    panel = panel_of(returns_of(draw, HISTORY + origins_in_all + 21), draw)
    sessions, daily = panel.history.sessions, []
    for start in range(HISTORY, HISTORY + origins_in_all, refit):
        past = panel.until(sessions[start - 1])
        fitted = {forecaster.name: forecaster.fit(past) for forecaster in MODELS}
        origins = sessions[start : min(start + refit, HISTORY + origins_in_all)]
        known = panel.until(origins[-1])
        rows = issue(known, MARKET, origins, fitted, sessions[start - 1], dt.datetime.now(dt.UTC), MODELS).with_tails
        forecasts = with_outcomes(rows, panel.history)
        daily.append(daily_means(forecasts, score(forecasts)))
    losses = losses_by_question(pa.concat_tables(daily), RANK_SCORES.schema.empty_table())
    return comparisons_of(losses, sessions)


def main(walks: int, others: int) -> None:
    print(
        f"{len(SYMBOLS)} symbols, models fitted every {REFIT[FEW]} and {REFIT[MANY]} sessions; markets are simulated.\n"
    )
    print("| markets | origins | what is there to find | question | markets with a verdict beats_baseline | share |")
    print("|---|---|---|---|---|---|")
    for maker, count, origins, words in (
        (random_walk, walks, FEW, "nothing"),
        (autoregressive, others, MANY, "AR(1), phi 0.2"),
        (garch, others, MANY, "GARCH(1,1), 0.1 and 0.88"),
    ):
        if not count:
            continue
        began = time.perf_counter()
        found = Parallel(n_jobs=-1)(delayed(verdicts)(maker, seed, origins) for seed in range(count))
        passed = Counter[str]()
        for market in found:
            won = {q for _, model, q, verdict in market if verdict == BEATS_BASELINE and q in claims_of(model)}
            passed.update(dict.fromkeys(won, 1) | ({"return or direction": 1} if won & {"return", "direction"} else {}))
        for question in ("return or direction", "return", "direction", "range", "tail"):
            share = passed[question] / count
            print(f"| {count:,} | {origins} | {words} | {question} | {passed[question]} | {share:.1%} |")
        print(f"<!-- {words}: {time.perf_counter() - began:.0f} s -->", flush=True)


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]]
    main(*(numbers + [1000, 40][len(numbers) :]))
