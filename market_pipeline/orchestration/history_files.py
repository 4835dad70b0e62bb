"""Dagster's files of a data directory: what is wrong with them, as one paragraph with the fix.

They hold the history of runs and schedules, and no price, model or forecast.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import dagster as dg
import sqlalchemy.exc
import yaml
from dagster._check import CheckError  # no public name

from market_pipeline.errors import ConfigurationError, WarehouseError

DATABASES = ("history/runs.db", "history/runs/index.db", "schedules/schedules.db")
"""Below the folder of the instance; each run has another one for its log."""

FULL = ("disk is full", "disk I/O error")
DENIED = ("readonly database", "unable to open database file")


@contextmanager
def usable_history(folder: Path) -> Iterator[None]:
    """Raise one of this project's errors where Dagster cannot use its files in `folder`."""
    try:
        yield
    except (sqlalchemy.exc.DBAPIError, sqlite3.Error) as error:
        _refuse(folder, " ".join(str(getattr(error, "orig", error)).split()), error)
    except (yaml.YAMLError, UnicodeDecodeError, dg.DagsterInvalidConfigError, CheckError) as error:
        if isinstance(error, CheckError) and "YAML" not in str(error):  # of something else that Dagster expects
            raise
        raise ConfigurationError(
            f"{folder / 'dagster.yaml'} is no configuration of Dagster: {' '.join(str(error).split())[:500]}. Correct "
            "it, or delete it: the next command writes it again."
        ) from error


def damaged_databases(folder: Path) -> Iterator[tuple[Path, str]]:
    """The databases of the instance that cannot be read, with what SQLite reports. Changes nothing."""
    for path in (folder / name for name in DATABASES):
        if not path.exists():
            continue
        try:
            with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
                [found] = connection.execute("pragma quick_check(1)").fetchone()
        except sqlite3.Error as error:
            found = str(error)
        if found != "ok":
            yield path, found


def _refuse(folder: Path, reason: str, error: Exception) -> None:
    """Raise the WarehouseError of a history that cannot be used."""
    if any(words in reason for words in FULL):
        raise WarehouseError(
            f"Dagster's history in {folder} cannot be written: the disk is full, or it fails. SQLite reports: "
            f"{reason}. Free some space, then run the command again; what was stored is whole."
        ) from error
    if any(words in reason for words in DENIED):
        raise WarehouseError(
            f"Dagster's history in {folder} cannot be written by this user: {reason}. Change the owner (chown), or set "
            "MARKET_PIPELINE_HOME to another directory."
        ) from error
    raise WarehouseError(
        f"Dagster's history in {folder} cannot be read; it may be damaged. SQLite reports: {reason}. Move the folder "
        "away: it holds only the history of runs, and the next command makes it again."
    ) from error
