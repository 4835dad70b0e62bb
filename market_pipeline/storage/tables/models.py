"""The table `models`: the registry of fitted models."""

from market_pipeline.storage.schema import Column, Table
from market_pipeline.storage.tables.keys import MARKET, MODEL

REGISTRY = Table(
    "models",
    "Registry: one fitted model per market, model and month, trained only on sessions before the month.",
    (
        MARKET,
        MODEL,
        Column("month", "date", "First day of the month the model forecasts in"),
        Column("trained_through", "date", "Newest session the training used: the last one before the month"),
        Column("path", "varchar", "Artifact, relative to the folder of models"),
        Column("sha256", "varchar", "Digest of the artifact's bytes; a file that differs is refused"),
        Column("bytes", "bigint", "Size of the artifact"),
        Column("seconds", "double", "Wall time of the training, s"),
        Column("fitted_at", "timestamp", "When it was trained, UTC"),
    ),
    key=("model", "month"),
    partition="month",
)
