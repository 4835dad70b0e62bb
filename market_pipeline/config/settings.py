"""Where things lie and where prices come from, as the environment says it.

Knows nothing of markets, Dagster or DuckDB.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from market_pipeline.errors import ConfigurationError

SOURCES = ("yahoo", "files", "simulated", "exchange")


@dataclass(frozen=True)
class Settings:
    """The four settings of the contract, and where alerts go, resolved.

    `source` is what MARKET_PIPELINE_SOURCE says; unset, what the home was made with; else `yahoo`.
    """

    home: Path
    source: str
    files: Path | None = None
    config: Path | None = None
    alerts: tuple[str, ...] = ()
    """Addresses of MARKET_PIPELINE_ALERTS, which is no part of any error or log: they hold passwords."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read the MARKET_PIPELINE_* variables; an empty variable counts as unset."""
        home = home_of(environment)
        source = environment.get("MARKET_PIPELINE_SOURCE") or remembered_source(home) or "yahoo"
        if source not in SOURCES:
            raise ConfigurationError(
                f"MARKET_PIPELINE_SOURCE is {source!r}, but the sources are {', '.join(SOURCES)}. "
                "Set it to one of them."
            )
        files = environment.get("MARKET_PIPELINE_FILES")
        if source == "files" and not files:
            raise ConfigurationError(
                "MARKET_PIPELINE_SOURCE is 'files', but MARKET_PIPELINE_FILES does not say where they are. "
                "Set MARKET_PIPELINE_FILES to the folder that holds the CSV or Parquet files."
            )
        config = environment.get("MARKET_PIPELINE_CONFIG")
        return cls(
            home=home,
            source=source,
            files=Path(files).absolute() if files else None,
            config=Path(config).absolute() if config else None,
            alerts=tuple((environment.get("MARKET_PIPELINE_ALERTS") or "").split()),
        )

    @property
    def warehouse(self) -> Path:
        return self.home / "warehouse.duckdb"

    @property
    def mart(self) -> Path:
        return mart_of(self.home)

    @property
    def models(self) -> Path:
        return self.home / "models"

    @property
    def report(self) -> Path:
        return self.home / "report.html"

    @property
    def dagster_home(self) -> Path:
        return self.home / "dagster"


def home_of(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder of MARKET_PIPELINE_HOME, or `data` below the working directory."""
    return Path(environment.get("MARKET_PIPELINE_HOME") or "data").absolute()


def mart_of(home: Path) -> Path:
    """What is published to readers of a home; they need no other setting."""
    return home / "mart.duckdb"


def remembered_source(home: Path) -> str | None:
    """The source a home was made with, or None for a new home."""
    note = home / "source"
    return note.read_text(encoding="utf-8").strip() if note.is_file() else None


def remember_source(home: Path, source: str) -> None:
    """Note the source beside the warehouse, so that later commands need no variable."""
    home.mkdir(parents=True, exist_ok=True)
    if remembered_source(home) is None:
        (home / "source").write_text(f"{source}\n", encoding="utf-8")
