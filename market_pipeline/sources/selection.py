"""Which source the settings name. The clients themselves load only when they are wanted."""

from market_pipeline.config.settings import Settings
from market_pipeline.errors import ConfigurationError
from market_pipeline.sources.protocol import Source


def open_source(settings: Settings) -> Source:
    """The configured source, ready to be asked."""
    if settings.source == "simulated":
        from market_pipeline.sources.simulated import SimulatedSource

        return SimulatedSource()
    if settings.source == "files":
        from market_pipeline.sources.files import FilesSource

        if settings.files is None:
            raise ConfigurationError(
                "The source is 'files', but no folder is named. Set MARKET_PIPELINE_FILES to the folder of your files."
            )
        return FilesSource(settings.files)
    if settings.source == "exchange":
        from market_pipeline.sources.exchange import ExchangeSource

        return ExchangeSource()
    from market_pipeline.sources.yahoo import YahooSource

    return YahooSource()
