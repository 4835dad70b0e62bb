"""The chain of assets, declared once, in the order in which data flows.

Jobs, sensors, the runs of a backfill, the decorators of assets, their checks of keys and the command line's list of
assets are derived from it. Knows the tables; imports neither Dagster nor an asset.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from market_pipeline.config.markets import Market
from market_pipeline.storage.schema import Table
from market_pipeline.storage.tables import forecasts, indicators, models, portfolios, prices, scores

Partition: TypeAlias = Literal["session", "month", "none"]
Job: TypeAlias = Literal["daily", "prices", "downstream", "monthly"]


@dataclass(frozen=True)
class Asset:
    """One asset of a market."""

    name: str
    partition: Partition
    jobs: tuple[Job, ...]
    tables: tuple[Table, ...] = ()
    """The tables that it fills; the UI shows the columns of the first one."""
    optional: bool = False
    """Whether only a market that names a second source has it."""
    shared: bool = False
    """Whether all markets have it together."""
    logs_months: bool = False
    """Whether its log has one line for each month, by which progress is counted."""
    at_most: int = 0
    """Partitions of one run where several hosts execute runs, so that ranges of it are computed at once; 0: a range is
    one run, and excludes the market's other runs."""

    def key(self, market: str) -> list[str]:
        """The path of its asset key."""
        return [self.name] if self.shared else [market, self.name]


CHAIN = (
    Asset(
        "prices", "session", ("daily", "prices"),
        (prices.BARS, prices.QUARANTINE, prices.RESTATEMENTS, prices.OUTCOMES, prices.COVERAGE),
    ),
    Asset("cross_check", "session", ("daily", "downstream"), (prices.DISAGREEMENTS,), optional=True),
    Asset("indicators", "session", ("daily", "prices", "downstream"), (indicators.INDICATOR_VALUES,)),
    Asset("models", "month", ("monthly",), (models.REGISTRY,), logs_months=True, at_most=12),
    Asset(
        "forecasts", "session", ("daily", "downstream"),
        (
            forecasts.FORECASTS, forecasts.TAILS, forecasts.RANKS, portfolios.PORTFOLIOS, portfolios.PORTFOLIO_PARTS,
            portfolios.PORTFOLIO_WEIGHTS, forecasts.LEDGER,
        ),
        logs_months=True, at_most=66,
    ),
    Asset(
        "scores", "session", ("daily", "downstream"),
        (scores.SCORES, scores.DAILY_SCORES, scores.PIT, scores.RANK_SCORES, portfolios.PORTFOLIO_SCORES), at_most=264,
    ),
    Asset(
        "leaderboard", "none", ("daily", "downstream"),
        (scores.LEADERBOARD, scores.CHAMPIONS, scores.TESTS, scores.TRIED),
    ),
    Asset("signals", "none", ("daily", "downstream"), (scores.SIGNALS, scores.STRATEGIES)),
    Asset("mart", "none", ("daily", "downstream"), shared=True),
)  # fmt: skip

ASSETS = {asset.name: asset for asset in CHAIN}
"""The same by name, in order."""


def chain_of(market: Market) -> tuple[Asset, ...]:
    """The assets that a market has, the shared ones included."""
    return tuple(asset for asset in CHAIN if not asset.optional or market.cross_check)


def job_name(market: Market, job: Job) -> str:
    """The name of a market's job."""
    return f"{market.name}_{job}"
