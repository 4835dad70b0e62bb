"""Columns that tables share: the same name means the same everywhere."""

from market_pipeline.storage.schema import Column

MARKET = Column("market", "varchar", "Name of the market in the configuration")
SYMBOL = Column("symbol", "varchar", "Symbol as the source spells it")
SESSION = Column("session", "date", "Trading day of the market's calendar")
ORIGIN = Column("origin", "date", "Session at whose close the forecast is made")
HORIZON = Column("horizon", "integer", "Sessions from the origin to the target session")
TARGET_SESSION = Column("target_session", "date", "Session whose close the forecast is for")
MODEL = Column("model", "varchar", "Forecaster that made it")
MADE_AT = Column("made_at", "timestamp", "When the forecast was computed, UTC")
