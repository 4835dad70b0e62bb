"""The plan of a backfill as text or JSON: its runs, and what they need."""

from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console

from market_pipeline.cli.terminal import print_json
from market_pipeline.config.markets import Market
from market_pipeline.orchestration.backfill import PlannedRun
from market_pipeline.orchestration.sizing import size_of


def print_plan(
    console: Console, market: Market, planned: Sequence[PlannedRun], *, dry_run: bool, json_wanted: bool
) -> None:
    """Print what the runs need, and with `dry_run` each of them; JSON only then, because the runs follow otherwise."""
    needed = size_of(market, planned)
    if dry_run and json_wanted:
        print_json({"runs": [asdict(run) for run in planned]} | asdict(needed))
        return
    if dry_run:
        for run in planned:
            console.print(f"{run.title}, {run.first} to {run.last}", markup=False)
    console.print(f"[dim]About {needed}.{' Nothing was started.' if dry_run else ''}[/]", soft_wrap=True)
