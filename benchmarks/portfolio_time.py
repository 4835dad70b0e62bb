"""What portfolios of a month of origins cost beside the ranks of the same origins.

    OMP_NUM_THREADS=1 python benchmarks/portfolio_time.py [--symbols 500] [--held 20] [--only portfolios]

Seconds of CPU for each of the two, and what each needs of memory at its peak; with `--only`, of one of them. The market
is a random walk. `--held` portfolios hold every symbol; the portfolios that nobody chose are there in any case.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.sparse.linalg  # noqa: F401  both are loaded before the clock runs
import sklearn.covariance  # noqa: F401
from generated import history_of, market_of

from market_pipeline.forecasts.holdings import Holding
from market_pipeline.forecasts.portfolios import portfolio_rows
from market_pipeline.forecasts.ranks import rank_rows
from market_pipeline.models.features.panel import Panel
from market_pipeline.models.forecasters.har import HAR
from market_pipeline.models.forecasters.protocol import Origins
from market_pipeline.models.forecasters.random_walk import RANDOM_WALK
from market_pipeline.storage.tables.forecasts import HORIZONS


def held_by(symbols: tuple[str, ...], count: int) -> list[Holding]:
    """Portfolios of all symbols, long and short, with other weights each."""
    draw = np.random.default_rng(3)
    weights = draw.dirichlet(np.ones(len(symbols)), count) * draw.choice([-1, 1, 1], (count, len(symbols)))
    return [Holding(f"P{n}", dict(zip(symbols, row.tolist(), strict=True)), {}) for n, row in enumerate(weights)]


def timed(name: str, work: Callable[[], object]) -> float:
    """Seconds of CPU of `work`, printed with what it needs at its peak beside what was in memory before."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts again
    before, start = memory("VmRSS"), time.process_time()
    work()
    seconds = time.process_time() - start
    print(f"{name}: {seconds:.2f} s, {memory('VmHWM') - before:,.0f} MB", flush=True)
    return seconds


def memory(name: str) -> float:
    """A line of the kernel's account of this process, in MB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description="The cost of portfolios beside that of ranks.")
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--held", type=int, default=20)
    parser.add_argument("--sessions", type=int, default=2520)
    parser.add_argument("--only", choices=("ranks", "portfolios"))
    asked = parser.parse_args()
    market, history = market_of(asked.symbols), history_of(asked.symbols, asked.sessions)
    months = history.sessions.astype("datetime64[M]")
    positions = np.flatnonzero(months == months[-30])
    origins = history.sessions[positions]
    panel = Panel(history, np.zeros((1, *history.close.shape), np.float32), ("none",))
    past = panel.until(history.sessions[positions[0] - 1])
    none = dict.fromkeys(HORIZONS, history.sessions[:0])
    ranges = {
        one.name: one.forecast(one.fit(past), panel, Origins(positions, none)) for one in (RANDOM_WALK, HAR)
    }  # fmt: skip
    held = [held_by(market.symbols, asked.held)] * len(origins)
    seconds = {}
    if asked.only != "portfolios":
        seconds["ranks"] = timed("ranks", lambda: rank_rows(history, market, origins))
    if asked.only != "ranks":
        seconds["portfolios"] = timed("portfolios", lambda: portfolio_rows(history, market, origins, ranges, held))
    if len(seconds) > 1:
        print(f"{len(origins)} origins; portfolios / ranks: {seconds['portfolios'] / seconds['ranks']:.2f}")


if __name__ == "__main__":
    main()
