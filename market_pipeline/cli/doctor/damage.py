"""Files that are damaged or missing: models of the registry, and Dagster's databases."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from market_pipeline.cli.doctor.finding import Finding
from market_pipeline.config.settings import Settings
from market_pipeline.errors import MarketPipelineError
from market_pipeline.storage.artifacts import MODELS
from market_pipeline.storage.store import Store, open_store
from market_pipeline.storage.warehouse import Warehouse

REGISTERED = "select path, month, bytes, sha256 from models where market = $market order by month, path"


def model_files(settings: Settings, warehouse: Warehouse, market: str) -> Iterator[Finding]:
    """Models that are not as they were registered: by their sizes, and those of the newest month by their content."""
    rows = warehouse.read(REGISTERED, {"market": market}).to_pylist()
    newest = rows[-1]["month"] if rows else None
    store = open_store(settings)
    sizes = {stored.name: stored.size for stored in store.list(f"{MODELS}/{market}")} if rows else {}
    damaged = [row for row in rows if not _is_whole(store, sizes, row, by_content=row["month"] == newest)]
    if damaged:
        first, last = damaged[0]["month"], damaged[-1]["month"]
        message = f"{len(damaged)} are missing or damaged, such as {store.address(_name(damaged[0]))}. Train their "
        message += f"months again: market-pipeline backfill --market {market} --start {first} --end {last} "
        yield Finding(f"model files of {market}", False, f"{message}--assets models")


def dagster_files(settings: Settings) -> Iterator[Finding]:
    """Dagster's databases that cannot be read, or its configuration; nothing where it has no folder yet."""
    if not settings.dagster_home.exists():
        return
    from market_pipeline.orchestration.history_files import damaged_databases
    from market_pipeline.orchestration.instance import last_beat

    subject, damaged = "dagster", list(damaged_databases(settings.dagster_home))
    for path, reason in damaged:
        message = f"{path} cannot be read; it may be damaged. SQLite reports: {reason}. Move {settings.dagster_home} "
        message += "away: it holds only the history of runs, and the next command makes it again."
        yield Finding(subject, False, message)
    if not damaged:
        try:
            last_beat(settings)
        except (MarketPipelineError, OSError) as error:
            yield Finding(subject, False, str(error))


def _is_whole(store: Store, sizes: Mapping[str, int], row: Mapping[str, Any], *, by_content: bool) -> bool:
    if sizes.get(_name(row)) != row["bytes"]:
        return False
    return not by_content or hashlib.sha256(store.get(_name(row))).hexdigest() == row["sha256"]


def _name(row: Mapping[str, Any]) -> str:
    return f"{MODELS}/{row['path']}"
