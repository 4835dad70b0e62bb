"""The errors a user can cause or meet. Each message says what happened, where, and how to mend it."""


class MarketPipelineError(Exception):
    """Anything that a person can mend; the command line prints it as one paragraph."""


class ConfigurationError(MarketPipelineError):
    """A setting or the markets file says something that cannot be."""


class SourceError(MarketPipelineError):
    """A source cannot be read at all (one bad symbol is an outcome, not an error)."""


class WarehouseError(MarketPipelineError):
    """The warehouse is busy, belongs to another source, or was given rows it cannot hold."""


class HistoryError(MarketPipelineError):
    """Something was asked of sessions whose past has not been loaded yet."""
