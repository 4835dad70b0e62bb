"""Every table and view, in the order in which data flows: what the warehouse holds and what the mart publishes."""

from market_pipeline.storage.schema import Table, View
from market_pipeline.storage.tables.forecasts import FORECASTS, LEDGER, RANKS, TAILS
from market_pipeline.storage.tables.indicators import INDICATOR_VALUES
from market_pipeline.storage.tables.mart import (
    CHANGES,
    EARLIER_SIGNALS,
    FORECAST_PRICES,
    INDICATOR_LEVELS,
    META,
    PUBLISHED_PRICES,
    PUBLISHED_SIGNALS,
    SYMBOLS,
)
from market_pipeline.storage.tables.models import REGISTRY
from market_pipeline.storage.tables.portfolios import (
    PORTFOLIO_PARTS,
    PORTFOLIO_SCORES,
    PORTFOLIO_WEIGHTS,
    PORTFOLIOS,
)
from market_pipeline.storage.tables.prices import (
    BARS,
    COVERAGE,
    DISAGREEMENTS,
    OUTCOMES,
    PRICE_STEPS,
    PRICES_AS_OF,
    QUARANTINE,
    RESTATEMENTS,
)
from market_pipeline.storage.tables.scores import (
    CHAMPIONS,
    DAILY_SCORES,
    LEADERBOARD,
    PIT,
    RANK_SCORES,
    SCORES,
    SIGNALS,
    STRATEGIES,
    TESTS,
    TRIED,
)

WAREHOUSE: dict[str, Table] = {
    table.name: table
    for table in (
        BARS, QUARANTINE, RESTATEMENTS, OUTCOMES, COVERAGE, DISAGREEMENTS, INDICATOR_VALUES, REGISTRY, FORECASTS,
        TAILS, RANKS, PORTFOLIO_WEIGHTS, PORTFOLIOS, PORTFOLIO_PARTS, LEDGER, SCORES, DAILY_SCORES, PIT, RANK_SCORES,
        PORTFOLIO_SCORES, LEADERBOARD, CHAMPIONS, TESTS, TRIED, STRATEGIES, SIGNALS,
    )
}  # fmt: skip
"""The tables of the warehouse by name."""

WAREHOUSE_VIEWS: tuple[View, ...] = (PRICE_STEPS, PRICES_AS_OF)

PUBLISHED = (
    INDICATOR_VALUES, FORECASTS, TAILS, RANKS, PORTFOLIO_WEIGHTS, PORTFOLIOS, PORTFOLIO_PARTS, LEDGER, SCORES,
    PORTFOLIO_SCORES, DAILY_SCORES, RANK_SCORES, PIT, LEADERBOARD, CHAMPIONS,
    TESTS, STRATEGIES, COVERAGE, QUARANTINE, RESTATEMENTS,
)  # fmt: skip
"""Tables of the warehouse that the mart has as they are, less the columns that are not published."""

MART: dict[str, Table] = {
    table.name: table
    for table in (
        PUBLISHED_PRICES, *PUBLISHED, PUBLISHED_SIGNALS, EARLIER_SIGNALS, SYMBOLS, CHANGES, META,
    )
}  # fmt: skip
"""The tables of the mart by name."""

MART_VIEWS: tuple[View, ...] = (FORECAST_PRICES, INDICATOR_LEVELS)
