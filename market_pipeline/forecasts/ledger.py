"""The provenance of forecasts: digests of the code, the fitted models and the bars that they were made from.

With the same provenance a forecast can be made again to the last bit; with another one, the ledger shows what differs.
"""

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from market_pipeline import __version__
from market_pipeline.prices.history import ADJUSTED, History
from market_pipeline.storage.grids import Days

DIGITS = 16
"""Hexadecimal digits of a digest: 64 bits are enough to distinguish the states of one warehouse."""


def ledger_rows(
    known: History, origins: Days, registry: Iterable[Mapping[str, str]], live: np.ndarray, now: dt.datetime
) -> pa.Table:
    """Rows of `ledger` for forecasts made `now` from `known` and the models of `registry`; `live` is (origins,)."""
    count = len(origins)
    return pa.table(
        {
            "origin": pa.array(origins.astype("datetime64[D]"), pa.date32()),
            "mode": pa.array(np.where(live, "live", "replayed"), pa.string()),
            "made_at": pa.repeat(pa.scalar(now.replace(tzinfo=None), pa.timestamp("us")), count),
            "code": pa.repeat(code_version(), count),
            "models": pa.repeat(models_digest(registry), count),
            "bars": pa.array(bars_digests(known)[known.position_of(origins)].tolist(), pa.string()),
        }
    )


@lru_cache(maxsize=1)
def code_version() -> str:
    """The version and a digest of every source file of the package."""
    digest, root = hashlib.sha256(), Path(__file__).parents[1]
    for file in sorted(root.rglob("*.py")):
        digest.update(f"{file.relative_to(root)}\n".encode() + file.read_bytes())
    return f"{__version__}+{digest.hexdigest()[:DIGITS]}"


def models_digest(registry: Iterable[Mapping[str, str]]) -> str:
    """A digest of the artifacts in registry rows, from each model's name and its file's SHA-256."""
    named = sorted((row["model"], row["sha256"]) for row in registry)
    return hashlib.sha256(repr(named).encode()).hexdigest()[:DIGITS]


def bars_digests(history: History) -> np.ndarray:
    """For each session a digest of all adjusted bars up to it; (sessions,) of text.

    Each digest continues the one before with the session's bars, so all of them together need one pass.
    """
    by_session = np.ascontiguousarray(np.stack([getattr(history, name) for name in ADJUSTED]).transpose(2, 0, 1))
    by_session[np.isnan(by_session)] = np.nan  # one bit pattern for every missing value
    digest = hashlib.sha256(repr(history.symbols).encode())
    digests = []
    for bars in by_session:
        digest.update(bars.data)
        digests.append(digest.hexdigest()[:DIGITS])
    return np.array(digests, dtype=f"<U{DIGITS}")
