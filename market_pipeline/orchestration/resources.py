"""What assets, checks, schedules and sensors receive: the database, the warehouse over it, the source, the settings."""

import os
from pathlib import Path
from uuid import uuid4

import dagster as dg
from dagster_duckdb import DuckDBResource

from market_pipeline.config.settings import Settings
from market_pipeline.sources.selection import open_source
from market_pipeline.storage.selection import open_warehouse
from market_pipeline.storage.warehouse import MEMORY_LIMIT, Warehouse
from market_pipeline.storage.whole_files import SORTS

THIS_PROCESS = f"{os.getpid()}-{uuid4().hex[:8]}"
"""Its folder for sorting on disk: DuckDB processes that share one write the same files, and crash."""


def resources_of(settings: Settings) -> dict[str, object]:
    """The resources for these settings.

    None takes run configuration: someone who may launch a run could open any file with it, and Dagster's own fields of
    text can also name a variable of the environment, whose value then appears in an error.
    """
    limits = {"memory_limit": MEMORY_LIMIT, "temp_directory": str(settings.home / SORTS)}

    def database(_: dg.InitResourceContext) -> DuckDBResource:
        return DuckDBResource(database=str(settings.warehouse_file), connection_config=limits)

    def warehouse(context: dg.InitResourceContext) -> Warehouse:
        database: DuckDBResource = context.resources.database
        spill = Path(limits["temp_directory"])
        spill.mkdir(parents=True, exist_ok=True)
        config = dict(database.connection_config) | {"temp_directory": str(spill / THIS_PROCESS)}
        return open_warehouse(settings, config=config)

    return {
        "database": dg.ResourceDefinition(
            database, config_schema={}, description=f"{settings.warehouse_file}, {limits}"
        ),
        "warehouse": dg.ResourceDefinition(warehouse, config_schema={}, required_resource_keys={"database"}),
        "source": dg.ResourceDefinition(lambda _: open_source(settings), config_schema={}),
        "settings": dg.ResourceDefinition(lambda _: settings, config_schema={}),
        # No asset returns a value to store, and Dagster's default would create the folder that run configuration names.
        "io_manager": dg.IOManagerDefinition(dg.mem_io_manager.resource_fn, config_schema={}),
    }
