"""The provenance of forecasts: the code, the fitted models, the bars, the symbols, the libraries and the own models.

With the same provenance a forecast can be made again to the last bit; with another one, the ledger shows what differs.
"""

import datetime as dt
import hashlib
import platform
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa

from market_pipeline import __version__
from market_pipeline.models.forecasters.catalogue import PLUGINS
from market_pipeline.models.forecasters.plugins import source_digest
from market_pipeline.prices.history import ADJUSTED, History
from market_pipeline.storage.grids import Days
from market_pipeline.storage.tables.forecasts import LEDGER

DIGITS = 16
"""Hexadecimal digits of a digest: 64 bits are enough to distinguish the states of one warehouse."""

LIBRARIES = (
    "numpy", "scipy", "pandas", "pyarrow", "duckdb", "ta-lib", "exchange-calendars", "scikit-learn", "arch",
    "statsforecast", "coreforecast", "numba", "prophet",
)  # fmt: skip
"""Packages whose code is part of a forecast: it stores bars, dates them or computes with them."""

PACKAGE = Path(__file__).parents[1]

CODE = (".py", ".sql")
"""Suffixes of the files that compute."""

AT_ONCE = 64
"""Sessions whose bars are copied at once for a digest."""


def ledger_rows(
    known: History, origins: Days, registry: Iterable[Mapping[str, str]], live: np.ndarray, now: dt.datetime
) -> pa.Table:
    """Rows of `ledger` for forecasts made `now` from `known` and the models of `registry`; `live` is (origins,)."""
    count, registry = len(origins), tuple(registry)
    same = {
        "made_at": now.replace(tzinfo=None),
        "code": code_version(),
        "models": models_digest(registry),
        "symbols": list(known.symbols),
        "libraries": library_versions(),
        "plugins": plugin_digests(row["model"] for row in registry),
    }
    columns = {name: pa.repeat(pa.scalar(value, LEDGER.schema.field(name).type), count) for name, value in same.items()}
    columns |= {
        "origin": pa.array(origins.astype("datetime64[D]"), pa.date32()),
        "mode": pa.array(np.where(live, "live", "replayed"), pa.string()),
        "bars": pa.array(bars_digests(known)[known.position_of(origins)].tolist(), pa.string()),
    }
    return pa.table({name: columns[name] for name in LEDGER.schema.names})


@lru_cache(maxsize=1)
def code_version(root: Path = PACKAGE) -> str:
    """The version and a digest of every file of the package that computes."""
    return f"{__version__}+{source_digest(root, (file for file in root.rglob('*') if file.suffix in CODE))[:DIGITS]}"


def models_digest(registry: Iterable[Mapping[str, str]]) -> str:
    """A digest of the artifacts in registry rows, from each model's name and its file's SHA-256."""
    named = sorted((row["model"], row["sha256"]) for row in registry)
    return hashlib.sha256(repr(named).encode()).hexdigest()[:DIGITS]


@lru_cache(maxsize=1)
def library_versions() -> str:
    """Python, each of LIBRARIES and the processor, with their versions, separated by commas.

    Compiled code chooses its instructions by the processor, and with them the order in which it adds.
    """
    from threadpoolctl import threadpool_info

    kernel = {str(found.get("architecture")) for found in threadpool_info() if "numpy" in found["filepath"]}
    named = {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}
    named["processor"] = " ".join([platform.machine(), *sorted(kernel)])
    return ", ".join(f"{name} {value}" for name, value in named.items())


def plugin_digests(models: Iterable[str]) -> str:
    """Each own model among `models` with a digest of its source, separated by commas; '' if there is none."""
    fitted = {*models}
    return ", ".join(f"{one.name} {one.source[:DIGITS]}" for one in PLUGINS.usable if one.name in fitted)


def differences(then: str, now: str) -> Iterator[str]:
    """In words, what differs between two texts of names with versions or digests, as the functions above make them."""
    was, is_now = (dict(part.split(" ", 1) for part in text.split(", ") if part) for text in (then, now))
    for name in dict.fromkeys([*was, *is_now]):
        if was.get(name) != is_now.get(name):
            yield f"{name}: it was {was.get(name, 'not there')}, now it is {is_now.get(name, 'not there')}"


def bars_digests(history: History, *, by_name: bool = True) -> np.ndarray:
    """For each session a digest of all adjusted bars up to it; (sessions,) of text.

    The symbols are taken by name, so their order does not matter; before schema version 3 they were taken in the order
    of the configuration. Each digest continues the one before with the session's bars, so all of them together need
    one pass.
    """
    order = np.arange(len(history.symbols))
    if by_name:
        order = np.array(sorted(order, key=lambda place: history.symbols[place]))
    digest = hashlib.sha256(repr(tuple(history.symbols[place] for place in order)).encode())
    digests = []
    for first in range(0, len(history.sessions), AT_ONCE):
        some = slice(first, first + AT_ONCE)
        bars = np.stack([getattr(history, name)[order, some] for name in ADJUSTED])
        by_session = np.ascontiguousarray(bars.transpose(2, 0, 1))
        by_session[np.isnan(by_session)] = np.nan  # one bit pattern for every missing value
        for session in by_session:
            digest.update(session.data)
            digests.append(digest.hexdigest()[:DIGITS])
    return np.array(digests, dtype=f"<U{DIGITS}")
