"""Log returns of a session and over a horizon, and how often they were positive. The only place that shifts time.

A forward return at a session is known only after the horizon; `base_rate` counts those that were known by each session.
"""

import numpy as np

from market_pipeline.prices.adjustment import last_known
from market_pipeline.prices.history import History
from market_pipeline.storage.grids import Days, Grid


def session_returns(history: History) -> Grid:
    """Log return of each bar on the bar before it, across holes; (symbols, sessions), NaN without a bar."""
    level = np.log(history.close)
    returns: Grid = level - last_known(level, before=True)
    return returns


def forward_returns(history: History, horizon: int) -> Grid:
    """Log return from each session to the one `horizon` later; (symbols, sessions), NaN unless both have a bar."""
    level = np.log(history.close)
    forward = np.full_like(level, np.nan)
    forward[:, :-horizon] = level[:, horizon:] - level[:, :-horizon]
    return forward


def realised_returns(history: History, symbol: np.ndarray, origin: Days, target: Days) -> Grid:
    """Log returns (n,) of symbols (by position) between sessions; NaN unless both have a bar."""
    level = np.log(history.close)
    realised: Grid = level[symbol, history.position_of(target)] - level[symbol, history.position_of(origin)]
    return realised


def base_rate(history: History, horizon: int, positions: slice | np.ndarray = slice(None)) -> Grid:
    """Each symbol's chance of a rise over `horizon`, from the returns known at the sessions at `positions`.

    Its own share of rises, shrunk towards the market's: see `shrunk_rates`. (symbols, positions), NaN without a bar.
    """
    forward = forward_returns(history, horizon)
    # A return is known `horizon` sessions after its origin.
    counts = (np.cumsum(counted, axis=1, dtype=np.int32) for counted in (np.isfinite(forward), forward > 0))
    known, rises = (
        np.pad(count, ((0, 0), (horizon, 0)))[:, :-horizon][:, positions].astype(np.float64) for count in counts
    )
    return np.where(history.present[:, positions], shrunk_rates(rises, known, horizon), np.nan)


def shrunk_rates(rises: Grid, known: Grid, overlap: int) -> Grid:
    """Each symbol's share of rises, shrunk towards the share of all symbols; `rises`, `known` (symbols, sessions).

    A symbol's own share is partly chance, and the pooled share alone would forecast better. Empirical Bayes (Efron &
    Morris 1975, "Data analysis using Stein's estimator and its generalizations"): the true shares differ by the
    variance of DerSimonian & Laird (1986), 0 where chance explains all differences. A return over `overlap` sessions
    counts as 1 / `overlap`, because it shares most of its sessions with its neighbours. The share of all symbols starts
    at one half, by Laplace's rule of succession.
    """
    returns, risen = _total(known), _total(rises)
    share = (risen + 1) / (returns + 2)
    noise = share * (1 - share) * overlap  # sampling variance of a symbol's share, times its number of returns
    with np.errstate(divide="ignore", invalid="ignore"):
        square = _total(np.where(known > 0, rises * rises / known, 0.0)) - risen * risen / returns
        others = (known > 0).sum(axis=0) - 1
        spread = (square - others * noise) / (returns - _total(known * known) / returns)
    variance = np.where(np.isfinite(spread), np.maximum(spread, 0.0), 0.0)
    shrunk: Grid = share + variance * (rises - known * share) / (known * variance + noise)
    return shrunk


def _total(grid: Grid) -> Grid:
    """Over symbols, one after the other: numpy adds one session's values in another order than those of many."""
    total: Grid = np.add.accumulate(grid, axis=0)[-1]
    return total
