"""Completion for shells: the script that a shell asks for, and the names it is offered while somebody types."""

import click
from click.shell_completion import CompletionItem, get_completion_class

from market_pipeline.errors import MarketPipelineError


def market_names(_context: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Markets of the configuration that begin as typed; none while it cannot be read, as no error can be shown here."""
    from market_pipeline.cli.terminal import markets_of
    from market_pipeline.config.settings import Settings

    try:
        names = [market.name for market in markets_of(Settings.from_environment())]
    except MarketPipelineError:
        return []
    return [CompletionItem(name) for name in names if name.startswith(typed)]


def symbol_names(_context: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Symbols of the mart that begin as typed, in either case; none before there is a mart."""
    from market_pipeline.config.settings import home_of, mart_of
    from market_pipeline.mart.read import SYMBOLS, query

    try:
        names = query(mart_of(home_of()), SYMBOLS)["symbol"].to_pylist()
    except MarketPipelineError:
        return []
    return [CompletionItem(name) for name in names if name.upper().startswith(typed.upper())]


@click.command(
    epilog="""\b
Examples:
  bash:  echo 'eval "$(market-pipeline completion bash)"' >> ~/.bashrc
  zsh:   echo 'eval "$(market-pipeline completion zsh)"' >> ~/.zshrc
  fish:  market-pipeline completion fish > ~/.config/fish/completions/market-pipeline.fish"""
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that lets a shell complete commands, options, markets and symbols."""
    kind = get_completion_class(shell)
    assert kind is not None
    root = context.find_root().command
    click.echo(kind(root, {}, "market-pipeline", "_MARKET_PIPELINE_COMPLETE").source())
