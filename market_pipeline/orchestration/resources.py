"""What assets, checks, schedules and sensors receive: the warehouse, the source and the settings."""

import dagster as dg

from market_pipeline.config.settings import Settings
from market_pipeline.sources.selection import open_source
from market_pipeline.storage.warehouse import Warehouse

MEMORY_LIMIT = "2GB"
"""Of each process; without it DuckDB takes 80 % of the machine, which two runs and the web server share."""


def resources_of(settings: Settings) -> dict[str, object]:
    """The resources for these settings."""
    limits = {"memory_limit": MEMORY_LIMIT, "temp_directory": str(settings.home / "spill")}
    return {
        "warehouse": dg.ResourceDefinition(lambda _: Warehouse(settings.warehouse, settings.source, limits)),
        "source": dg.ResourceDefinition(lambda _: open_source(settings)),
        "settings": dg.ResourceDefinition.hardcoded_resource(settings),
    }
