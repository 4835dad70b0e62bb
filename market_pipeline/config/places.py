"""Where data is stored and published, by the environment: all that a reader of the mart needs of the settings.

Loads nothing but the standard library, so that a command which reads answers at once. Knows nothing of markets.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from market_pipeline.errors import ConfigurationError

PREFIX = "MARKET_PIPELINE_"
SOURCES = ("yahoo", "files", "simulated", "exchange")
MART = "mart.duckdb"
REPORT = "report.html"

BUCKET = re.compile(r"s3://[\w.-]+(/[^?#]*)?", re.ASCII)
"""The address of an object store, which is printed and stored: without a user, and without what follows a `?`, which
DuckDB takes for settings, keys among them."""


def data_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder of MARKET_PIPELINE_HOME, or `data` below the working directory."""
    return Path(environment.get("MARKET_PIPELINE_HOME") or "data").absolute()


def store_of(environment: Mapping[str, str]) -> str | None:
    """MARKET_PIPELINE_STORE, a folder as an absolute path; raises ConfigurationError for another kind of address.

    Errors do not show the address, as it may hold a key.

    >>> store_of({"MARKET_PIPELINE_STORE": "s3://bucket/prefix"})
    's3://bucket/prefix'
    """
    store = environment.get("MARKET_PIPELINE_STORE") or None
    if store is None or BUCKET.fullmatch(store):
        return store
    if "://" in store:
        raise ConfigurationError(
            "MARKET_PIPELINE_STORE is neither s3://bucket/prefix nor a folder (its value is not shown, as it may hold "
            "a key). Set it to one of them, without user, key or parameters: credentials come from AWS_ACCESS_KEY_ID "
            "and AWS_SECRET_ACCESS_KEY, or from the role of the machine; the address of another store than Amazon's "
            "comes from AWS_ENDPOINT_URL."
        )
    return str(Path(store).absolute())


def only_reads(environment: Mapping[str, str]) -> bool:
    """Whether this machine is set up to read the mart of a store, and for nothing else."""
    return bool(environment.get("MARKET_PIPELINE_STORE")) and not environment.get("MARKET_PIPELINE_WAREHOUSE")


def source_marker(home: Path) -> Path:
    """The file of a data directory that names the source of its data."""
    return home / "source"


def remembered_source(home: Path) -> str | None:
    """The source a data directory was made with, None for a new one; raises ConfigurationError for a damaged note."""
    marker = source_marker(home)
    try:
        content = marker.read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        return None
    except (IsADirectoryError, PermissionError) as error:
        raise ConfigurationError(
            f"{marker} cannot be read: {error.strerror}. Move it away if it is a folder, else change its owner "
            f"(chown). It is a file that names the source of the data directory: {', '.join(SOURCES)}."
        ) from error
    if content and content not in SOURCES:
        raise ConfigurationError(
            f"{marker} is damaged: it names the source {content[:40]!r}, but the sources are {', '.join(SOURCES)}. "
            "Write the one into it that the data directory was made with."
        )
    return content or None
