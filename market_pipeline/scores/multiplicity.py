"""Every setting that was ever judged: who tries many and keeps the best has tried many.

Knows models by name and settings; no loss, no verdict.
"""

from collections.abc import Iterable

import pyarrow as pa

from market_pipeline.models.forecasters.catalogue import FORECASTERS, claims_of
from market_pipeline.storage.tables.forecasts import HORIZONS


def settings_of(models: Iterable[str]) -> pa.Table:
    """Rows of `tried`: each of the models with its settings now, or its name where it has none."""
    spelt = {forecaster.name: repr(forecaster) for forecaster in FORECASTERS}
    rows = [{"model": model, "settings": spelt.get(model, model)} for model in sorted(models)]
    return pa.Table.from_pylist(rows, pa.schema([("model", pa.string()), ("settings", pa.string())]))


def retired_contests(tried: pa.Table, now: pa.Table) -> int:
    """Contests of settings that were judged once and are no more: one for each horizon and question of a claim."""
    gone = {tuple(row.values()) for row in tried.to_pylist()} - {tuple(row.values()) for row in now.to_pylist()}
    return sum(len(HORIZONS) * len(claims_of(model)) for model, _ in gone)
