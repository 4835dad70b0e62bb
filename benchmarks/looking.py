"""What looking every day does to wrong verdicts: markets without anything to find, judged after every session.

    python benchmarks/looking.py [markets, 200] [origins, 500]

The markets of `verdicts.py`, with models that are fitted again every REFIT sessions. A market counts if a model that
claims a question had the verdict beats_baseline at one look or more, or was champion at one review or more.
"""

import sys
import time
from collections import Counter

import numpy as np
from joblib import Parallel, delayed
from verdicts import HISTORY, MARKET, comparisons_in, random_walk

from market_pipeline.models.forecasters.catalogue import claims_of
from market_pipeline.scores.champions import champions
from market_pipeline.scores.verdicts import BEATS_BASELINE, leaderboard
from market_pipeline.storage.tables.scores import BASELINES

REFIT = 125
SCHEDULES = {"once, at the end": 0, "at the end of each month": 30, "at the end of each week": 7, "every day": 1}
"""Sessions between two looks; 0 for a single one. The calendar has every day."""
QUESTIONS = ("return", "direction", "range", "tail")


def looks(seed: int, origins: int) -> tuple[dict[str, np.ndarray], set[str]]:
    """For each question, whether a wrong verdict stood after each session (sessions,); and who ever was champion."""
    comparisons = comparisons_in(random_walk, seed, origins, REFIT)
    sessions = MARKET.sessions[: HISTORY + origins + 21]
    wrong = {question: np.zeros(len(sessions), bool) for question in QUESTIONS}
    for session in range(HISTORY, len(sessions)):
        known = [one.known_at(session) for one in comparisons]
        for row in leaderboard([one for one in known if len(one.loss)]).to_pylist():
            if row["verdict"] == BEATS_BASELINE and row["question"] in claims_of(row["model"]):
                wrong[row["question"]][session] = True
    changes = champions(comparisons, sessions).to_pylist()
    return wrong, {row["question"] for row in changes if row["model"] != BASELINES[row["question"]]}


def main(markets: int, origins: int) -> None:
    began = time.perf_counter()
    found = Parallel(n_jobs=-1)(delayed(looks)(seed, origins) for seed in range(markets))
    print(f"{markets} markets, {origins} origins; shares of markets with a wrong verdict.\n")
    print("| looked at | " + " | ".join(QUESTIONS) + " | any |")
    print("|---" * (len(QUESTIONS) + 2) + "|")
    for words, step in SCHEDULES.items():
        counted = Counter[str]()
        for wrong, _ in found:
            seen = {name for name, stood in wrong.items() if stood[::-1][:: step or len(stood)].any()}
            counted.update(seen | ({"any"} if seen else set()))
        print_row(words, counted, markets)
    chosen = Counter[str]()
    for _, names in found:
        chosen.update(names | ({"any"} if names else set()))
    print_row("a champion at some month's end", chosen, markets)
    stood = np.mean([np.any(list(wrong.values()), axis=0)[HISTORY:].mean() for wrong, _ in found])
    print(f"\nOn an average day, {stood:.1%} of the markets had a wrong verdict.")
    print(f"<!-- {time.perf_counter() - began:.0f} s -->")


def print_row(words: str, counted: Counter[str], markets: int) -> None:
    print(f"| {words} | " + " | ".join(f"{counted[name] / markets:.1%}" for name in (*QUESTIONS, "any")) + " |")


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]]
    main(*(numbers + [200, 500][len(numbers) :]))
