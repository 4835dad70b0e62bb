"""Which warehouse the settings name: the only place that knows."""

from collections.abc import Mapping
from typing import Any

from market_pipeline.config.settings import Settings
from market_pipeline.errors import ConfigurationError
from market_pipeline.storage.duckdb_file import DuckDBFile
from market_pipeline.storage.warehouse import Warehouse


def open_warehouse(
    settings: Settings, *, config: Mapping[str, Any] | None = None, patience: float | None = None
) -> Warehouse:
    """The warehouse of these settings; `config` has settings of DuckDB.

    `patience` is how long to wait for another process that writes, in seconds; each kind has its own.
    """
    waiting = {} if patience is None else {"patience": patience}
    if settings.warehouse is None or settings.store is None:
        return DuckDBFile(settings.warehouse_file, settings.source, config or {}, **waiting)
    try:
        from market_pipeline.storage.lake.catalogue import Catalogue
        from market_pipeline.storage.lake.warehouse import Lake
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"MARKET_PIPELINE_WAREHOUSE names a lake, and the package {error.name} is not installed. Install it: pip "
            "install 'market-pipeline[cluster]', or unset the variable to use the file in the data directory."
        ) from None
    if patience is not None:
        waiting["retried_for"] = patience
    catalogue = Catalogue.of(settings.warehouse)
    return Lake(catalogue, settings.store, settings.source, settings.home, config or {}, **waiting)
