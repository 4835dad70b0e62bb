"""One request per symbol to a vendor on the network: its answers and failures as bars and outcomes."""

import datetime as dt
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from market_pipeline.config.markets import Market
from market_pipeline.sources.protocol import BAR_COLUMNS, Fetched, Outcome, Status, outcome_of
from market_pipeline.sources.retry import RetryPolicy

TRANSIENT: tuple[Status, ...] = ("rate_limited", "unavailable")
"""What a later request may be answered well after."""


def fetch_each(
    market: Market,
    symbols: Sequence[str],
    first: dt.date,
    last: dt.date,
    bars_of: Callable[[str], pd.DataFrame],
    status_of: Callable[[BaseException], tuple[Status, str]],
    retry_policy: RetryPolicy,
) -> Fetched:
    """What `bars_of` gives for each symbol: the bars from `first` to `last` in BAR_COLUMNS.

    What it raises is an outcome, with the status and the cause that `status_of` finds.
    """
    answers = retry_policy.request_all(symbols, bars_of, lambda error: status_of(error)[0] in TRANSIENT)
    frames, outcomes = [pd.DataFrame(columns=list(BAR_COLUMNS))], list[Outcome]()
    for symbol, answer in answers.items():
        if isinstance(answer, Exception):
            outcomes.append(Outcome(symbol, *status_of(answer)))
            continue
        frames.append(answer)
        found = np.unique(answer["session"].to_numpy().astype("datetime64[D]"))
        outcomes.append(outcome_of(market, symbol, found, first, last))
    arrived = [frame for frame in frames if len(frame)] or frames[-1:]
    return Fetched(pd.concat(arrived, ignore_index=True), tuple(outcomes))
