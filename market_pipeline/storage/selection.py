"""Which warehouse the settings name: the only place that knows."""

from collections.abc import Mapping
from typing import Any

from market_pipeline.config.settings import Settings
from market_pipeline.storage.duckdb_file import DuckDBFile
from market_pipeline.storage.warehouse import Warehouse

PATIENCE = 60.0
"""Seconds to wait for another process that writes."""


def open_warehouse(
    settings: Settings, *, config: Mapping[str, Any] | None = None, patience: float = PATIENCE
) -> Warehouse:
    """The warehouse of these settings; `config` has settings of DuckDB."""
    return DuckDBFile(settings.warehouse_file, settings.source, config or {}, patience)
