"""What assets are handed: the warehouse and the source, as Dagster resources."""

from pathlib import Path

import dagster as dg
from dagster._config.pythonic_config import ConfigurableResourceFactory
from dagster_duckdb import DuckDBResource

from market_pipeline.config.settings import Settings
from market_pipeline.sources.selection import open_source
from market_pipeline.storage.warehouse import Warehouse

MEMORY_LIMIT = "2GB"
"""DuckDB would take 80 % of the machine for each process; two runs and the server share it here."""


class WarehouseResource(ConfigurableResourceFactory[Warehouse]):
    """The warehouse over a dagster-duckdb database, with connections that wait politely and always close."""

    duckdb: DuckDBResource
    source: str
    patience: float = 60.0

    def create_resource(self, context: dg.InitResourceContext) -> Warehouse:  # noqa: ARG002  Dagster's signature
        return Warehouse(Path(self.duckdb.database), self.source, dict(self.duckdb.connection_config), self.patience)


def resources_of(settings: Settings) -> dict[str, object]:
    """The resources of every asset, as the settings say."""
    database = DuckDBResource(
        database=str(settings.warehouse),
        connection_config={"memory_limit": MEMORY_LIMIT, "temp_directory": str(settings.home / "spill")},
    )
    return {
        "warehouse": WarehouseResource(duckdb=database, source=settings.source),
        "source": dg.ResourceDefinition(lambda _: open_source(settings)),
        "settings": dg.ResourceDefinition.hardcoded_resource(settings),
    }
