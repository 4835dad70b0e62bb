"""Completion in shells: the script that a shell loads, and the markets and symbols it offers."""

from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem, get_completion_class

from market_pipeline.cli.terminal import command
from market_pipeline.errors import ConfigurationError, MarketPipelineError


def market_names(_context: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Configured markets that begin as typed; none if the configuration cannot be read: no error can be shown here."""
    from market_pipeline.config.markets_file import packaged_config, read_tables
    from market_pipeline.config.settings import Settings

    try:
        settings = Settings.from_environment()
        return _items(read_tables(settings.config or packaged_config(settings.source)), typed)
    except MarketPipelineError:
        return []


def symbol_names(_context: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Symbols of the mart that begin as typed, in either case; none before there is a mart."""
    from market_pipeline.mart.read import read_symbols
    from market_pipeline.storage.publication import published

    try:
        return _items(read_symbols(published().newest()), typed)
    except MarketPipelineError:
        return []


def table_names(_context: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Tables and views of the mart that begin as typed."""
    from market_pipeline.mart.export import TABLES

    return _items(TABLES, typed)


def _items(names: Iterable[str], typed: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.upper().startswith(typed.upper())]


@command(
    """bash:  echo 'eval "$(market-pipeline completion bash)"' >> ~/.bashrc""",
    """zsh:   echo 'eval "$(market-pipeline completion zsh)"' >> ~/.zshrc""",
    "fish:  market-pipeline completion fish > ~/.config/fish/completions/market-pipeline.fish",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that lets a shell complete commands, options, markets and symbols."""
    kind = get_completion_class(shell)
    if kind is None:
        raise ConfigurationError(f"The installed click cannot complete commands in {shell}. Update click.")
    root = click.get_current_context().find_root().command
    click.echo(kind(root, {}, "market-pipeline", "_MARKET_PIPELINE_COMPLETE").source())
