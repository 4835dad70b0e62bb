"""Every setting that was ever compared: one who tries many and keeps the best has tried many.

Knows models by name and settings; no loss, no verdict.
"""

from collections.abc import Iterable

import pyarrow as pa

from market_pipeline.models.forecasters.catalogue import FORECASTERS, claims_of
from market_pipeline.storage.tables.forecasts import HORIZONS
from market_pipeline.storage.tables.scores import TRIED


def settings_of(models: Iterable[str]) -> pa.Table:
    """Rows of `tried`: each of the models with its present settings, or its name where it has none."""
    settings = {forecaster.name: repr(forecaster) for forecaster in FORECASTERS}
    rows = [{"model": model, "settings": settings.get(model, model)} for model in sorted(models)]
    return pa.Table.from_pylist(rows, TRIED.schema)


def retired_comparisons(tried: pa.Table, now: pa.Table) -> int:
    """Comparisons of settings that are no longer used: one for each horizon and each question the model claims."""
    retired = {tuple(row.values()) for row in tried.to_pylist()} - {tuple(row.values()) for row in now.to_pylist()}
    return sum(len(HORIZONS) * len(claims_of(model)) for model, _ in retired)
