"""Tables of portfolios: what each held at an origin, what it may gain and lose, what each symbol adds, and how it went.

Returns are simple, as a share of the capital that the weights refer to: they add up over symbols and scale with the
weights, which log returns do not.
"""

from market_pipeline.storage.schema import Column, Table
from market_pipeline.storage.tables.forecasts import QUANTILES, TAILS_AT
from market_pipeline.storage.tables.keys import HORIZON, MARKET, ORIGIN, SYMBOL, TARGET_SESSION
from market_pipeline.storage.tables.prices import ADJUSTED_CLOSE

# fmt: off

CONSTANT, HISTORY, WEIGHTED, SHRUNK, FACTORS = "constant", "history", "weighted", "shrunk", "factors"

JOINT_MODELS = (CONSTANT, HISTORY, WEIGHTED, SHRUNK, FACTORS)
"""The joint models. The first is the baseline: constant correlations over the whole past, ranges of the random walk."""

PORTFOLIO = Column("portfolio", "varchar",
       "Name in the configuration, or test_ and a name for one that is made from the market's symbols to judge models")

_MODEL = Column("model", "varchar",
       "How the symbols move together. constant: correlations of the whole past, with ranges of the random walk; "
       "weighted: recent ones count more; shrunk: recent ones, shrunk to none; factors: from few principal factors, "
       "these three with HAR's ranges; history: the portfolio's own past returns, at the weights of the origin")

_KEY = (MARKET, PORTFOLIO, ORIGIN, HORIZON, TARGET_SESSION, _MODEL)

PORTFOLIO_WEIGHTS = Table(
    "portfolio_weights",
    "What each portfolio held at an origin. A portfolio of which a symbol had no forecast has no row there.",
    (
        MARKET, PORTFOLIO, ORIGIN, SYMBOL,
        Column("weight", "double",
               "Share of the capital, below 0 for a short position; for holdings the capital is the sum of the sizes "
               "of all positions", check="<> 0"),
        Column("value", "double",
               "Quantity times the close as traded, in quote currency, below 0 for a short position; NULL where only "
               "weights are known", nullable=True),
    ),
    key=("portfolio", "origin", "symbol"),
    partition="origin",
)

PORTFOLIOS = Table(
    "portfolios",
    "The distribution of a portfolio's return from the close of an origin, by joint model and horizon. Simple returns, "
    "as a share of the capital. NULL where too few past errors lie beyond a level.",
    (
        *_KEY,
        Column("mean", "double", "Expected simple return"),
        *(Column(name, "double", f"Simple return, quantile {level:g}") for name, level in QUANTILES.items()),
        Column("p_up", "double", "Probability that the return is above 0", check="between 0 and 1"),
        *(
            column
            for name, level in TAILS_AT.items()
            for column in (
                Column(f"var_{name}", "double",
                       f"Value at risk: the simple return that is fallen short of with a chance of {level:g}",
                       nullable=True),
                Column(f"es_{name}", "double",
                       f"Expected shortfall: the mean simple return of the worst {level:g} of outcomes", nullable=True),
            )
        ),
    ),
    key=("portfolio", "origin", "horizon", "model"),
    partition="origin",
    checks=tuple(f"es_{name} <= var_{name}" for name in TAILS_AT),
)

PORTFOLIO_PARTS = Table(
    "portfolio_parts",
    "What each symbol of a configured portfolio adds to its expected shortfall at 2.5 %; the parts sum to the whole.",
    (
        *_KEY, SYMBOL,
        Column("es_025", "double",
               "Mean of weight times simple return of the symbol in the portfolio's worst 2.5 % of outcomes; above 0 "
               "for one that reduces the loss"),
        Column("single_es_025", "double",
               "The same in the worst 2.5 % of outcomes of this position alone. Their sum, less the portfolio's "
               "es_025, is what diversification saves"),
    ),
    key=("portfolio", "origin", "horizon", "model", "symbol"),
    partition="origin",
)


def _of(*names: str) -> tuple[str, ...]:
    return tuple(f"portfolios.{name}" for name in names)


_OUTCOME = ("portfolio_weights.weight", *(f"prices.{name}" for name in ADJUSTED_CLOSE))

PORTFOLIO_SCORES = Table(
    "portfolio_scores",
    "Portfolio forecasts whose target session has closed, against what happened to what was held at the origin.",
    (
        *(column.of("portfolios") for column in _KEY),
        Column("realised", "double",
               "Simple return of what was held from the origin to the target session, dividends reinvested",
               sources=_OUTCOME),
        Column("crps", "double",
               "Continuous ranked probability score of the distribution, simple return", check=">= 0",
               sources=(*_of(*QUANTILES), *_OUTCOME)),
        Column("fz_025", "double",
               "FZ0 loss of value at risk and expected shortfall at 2.5 %, smaller is better; NULL where neither is a "
               "loss", nullable=True, sources=(*_of("var_025", "es_025"), *_OUTCOME)),
        Column("covered_80", "boolean",
               "What happened lay between q10 and q90", sources=(*_of("q10", "q90"), *_OUTCOME)),
    ),
    key=("portfolio", "origin", "horizon", "model"),
    partition="target_session",
    order=("horizon", "model", "portfolio", "origin"),
)
