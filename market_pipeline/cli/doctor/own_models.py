"""Own models: whether each that is named can be loaded."""

from collections.abc import Iterator, Mapping

from market_pipeline.cli.doctor.finding import Finding


def own_models(environment: Mapping[str, str]) -> Iterator[Finding]:
    """A finding for each own model that cannot be loaded, and one for all others; none where none is named."""
    from market_pipeline.models.forecasters.catalogue import TAKEN
    from market_pipeline.models.forecasters.plugins import load_plugins

    plugins = load_plugins(TAKEN, environment)
    yield from (Finding("own models", False, f"{fault} The other models are not affected.") for fault in plugins.broken)
    if plugins.usable:
        yield Finding("own models", True, ", ".join(f"{one.name} ({one.file})" for one in plugins.usable))
