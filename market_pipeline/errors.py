"""The errors a user can cause or meet. Each message states what happened, where, and how to fix it."""


class MarketPipelineError(Exception):
    """A problem that a person can fix; the command line prints it as one paragraph."""


class ConfigurationError(MarketPipelineError):
    """A setting or a value of the markets file is impossible."""


class SourceError(MarketPipelineError):
    """A source cannot be read at all; one bad symbol is an outcome, not an error."""


class WarehouseError(MarketPipelineError):
    """The warehouse is busy, belongs to another source, or was given rows that it cannot hold."""


class StoreError(MarketPipelineError):
    """The object store cannot be reached, or refuses."""


class HistoryError(MarketPipelineError):
    """The past of the requested sessions has not been loaded yet."""


class PluginError(MarketPipelineError):
    """An own model cannot be loaded, or failed; the other models are not affected."""


class ServerError(MarketPipelineError):
    """A process of the server cannot be kept running."""


class ComputeError(MarketPipelineError):
    """The cluster that computes cannot be reached, has no worker, or lost a piece of work for good."""
