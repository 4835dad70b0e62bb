"""The pins of a forecast: the code, the fitted models and the bars that it was made from, as digests.

With the same pins it can be made again to the last bit; with other ones it can be said which differs.
"""

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from market_pipeline import __version__
from market_pipeline.prices.history import History
from market_pipeline.storage.grids import Days

KEPT = 16
"""Hexadecimal digits of a digest: 64 bits tell any two states of one warehouse apart."""


def ledger_rows(
    known: History, origins: Days, models: Iterable[Mapping[str, str]], live: np.ndarray, now: dt.datetime
) -> pa.Table:
    """Rows of `ledger` for forecasts made `now` from `known` at `origins`, `live` (origins,) telling which are."""
    digests = data_digests(known)[known.position_of(origins)]
    count = len(origins)
    return pa.table(
        {
            "origin": pa.array(origins.astype("datetime64[D]"), pa.date32()),
            "mode": pa.array(np.where(live, "live", "replayed"), pa.string()),
            "made_at": pa.repeat(pa.scalar(now.replace(tzinfo=None), pa.timestamp("us")), count),
            "code": pa.repeat(code_version(), count),
            "models": pa.repeat(models_digest(models), count),
            "bars": pa.array(digests.tolist(), pa.string()),
        }
    )


@lru_cache(maxsize=1)
def code_version() -> str:
    """The version and a digest of every source file of the package."""
    found, root = hashlib.sha256(), Path(__file__).parents[1]
    for file in sorted(root.rglob("*.py")):
        found.update(f"{file.relative_to(root)}\n".encode() + file.read_bytes())
    return f"{__version__}+{found.hexdigest()[:KEPT]}"


def models_digest(registry: Iterable[Mapping[str, str]]) -> str:
    """Of the artifacts in registry rows, each of which has a model's name and its file's SHA-256."""
    named = sorted((row["model"], row["sha256"]) for row in registry)
    return hashlib.sha256(repr(named).encode()).hexdigest()[:KEPT]


def data_digests(history: History) -> np.ndarray:
    """For each session a digest of all bars up to it, as the models get them; (sessions,) of text.

    A chain: each session's digest is made of its bars and of the digest before, so all of them cost one pass.
    """
    grids = (history.open, history.high, history.low, history.close, history.volume)
    by_session = np.ascontiguousarray(np.stack(grids).transpose(2, 0, 1))
    by_session[np.isnan(by_session)] = np.nan  # one bit pattern for every missing value
    chain = hashlib.sha256(repr(history.symbols).encode())
    digests = []
    for bars in by_session:
        chain.update(bars.data)
        digests.append(chain.hexdigest()[:KEPT])
    return np.array(digests, dtype=f"<U{KEPT}")
