"""How often a tail that is too narrow has a p-value below 0.05 against the right one, in markets without a change.

    python benchmarks/tail_size.py [--markets 600]

The returns of a session are Student-t with one common factor and a tail that all symbols share, so that falls come
together. The baseline knows the true value at risk and expected shortfall at 2.5 %; the other forecast has them too
small by a constant, so it is worse, and any p-value below 0.05 is an error of the test. Nothing is adjusted.
"""

import argparse

import numpy as np

from market_pipeline.scores.losses import fissler_ziegel
from market_pipeline.scores.significance import diebold_mariano

LEVEL = 0.025
DEGREES = 5
COMMON = 0.55
"""Correlation of each symbol with the factor."""

CASES = (
    (125, 1, 20), (250, 1, 20), (500, 1, 20), (500, 1, 3), (500, 5, 20), (1250, 5, 20), (1250, 5, 3), (500, 20, 20),
    (500, 20, 3), (5000, 20, 3),
)  # fmt: skip
"""Origins, sessions to the target, symbols."""

TOO_SMALL = (0.9, 0.95, 0.97)


def returns(draw: np.random.Generator, origins: int, horizon: int, symbols: int) -> np.ndarray:
    """Sums over `horizon` sessions at each of the origins; (origins, symbols)."""
    sessions = origins + horizon
    single = draw.standard_normal((sessions, symbols)) * np.sqrt(1 - COMMON**2)
    of_session = COMMON * draw.standard_normal((sessions, 1)) + single
    of_session *= np.sqrt(DEGREES / draw.chisquare(DEGREES, (sessions, 1)))
    total = np.vstack([np.zeros((1, symbols)), np.cumsum(of_session, axis=0)])
    summed: np.ndarray = total[horizon : horizon + origins] - total[:origins]
    return summed


def rejected(markets: int, origins: int, horizon: int, symbols: int, factor: float) -> float:
    """The share of the markets with a p-value below 0.05."""
    draw = np.random.default_rng([origins, horizon, symbols])
    known = np.sort(returns(draw, 2_000_000 // symbols, horizon, symbols), axis=None)
    beyond = int(LEVEL * len(known))
    tail = np.array([known[beyond], known[:beyond].mean()])
    found = 0
    for _ in range(markets):
        realised = returns(draw, origins, horizon, symbols)
        right, narrow = (
            fissler_ziegel(np.full(realised.shape, var), np.full(realised.shape, shortfall), realised, LEVEL).mean(
                axis=1
            )
            for var, shortfall in (tail, factor * tail)
        )
        found += diebold_mariano(narrow - right, horizon - 1) < 0.05
    return found / markets


def main() -> None:
    parser = argparse.ArgumentParser(description="The error rate of the test of tails.")
    parser.add_argument("--markets", type=int, default=600)
    asked = parser.parse_args()
    print("| origins | sessions | symbols |" + "".join(f" {100 * (1 - factor):.0f} % |" for factor in TOO_SMALL))
    print("|---|---|---|" + "---|" * len(TOO_SMALL))
    for case in CASES:
        shares = (f" {100 * rejected(asked.markets, *case, factor):.1f} % |" for factor in TOO_SMALL)
        print("".join(f"| {number:,} " for number in case) + "|" + "".join(shares), flush=True)


if __name__ == "__main__":
    main()
