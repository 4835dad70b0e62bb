"""What assets, checks, schedules and sensors receive: the database, the warehouse over it, the source, the settings."""

from pathlib import Path

import dagster as dg
from dagster_duckdb import DuckDBResource

from market_pipeline.config.settings import Settings
from market_pipeline.sources.selection import open_source
from market_pipeline.storage.warehouse import Warehouse

MEMORY_LIMIT = "2GB"
"""Of each process; without it DuckDB takes 80 % of the machine, which two runs and the web server share."""


def resources_of(settings: Settings) -> dict[str, object]:
    """The resources for these settings; the UI shows the file and the limits of the database."""
    limits = {"memory_limit": MEMORY_LIMIT, "temp_directory": str(settings.home / "spill")}

    def warehouse(context: dg.InitResourceContext) -> Warehouse:
        database: DuckDBResource = context.resources.database
        return Warehouse(Path(database.database), settings.source, dict(database.connection_config))

    return {
        "database": DuckDBResource(database=str(settings.warehouse), connection_config=limits),
        "warehouse": dg.ResourceDefinition(warehouse, required_resource_keys={"database"}),
        "source": dg.ResourceDefinition(lambda _: open_source(settings)),
        "settings": dg.ResourceDefinition.hardcoded_resource(settings),
    }
