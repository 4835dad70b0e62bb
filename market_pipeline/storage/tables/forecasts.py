"""Tables that forecasting writes: distributions, ranks, and the ledger of their provenance."""

from market_pipeline.storage.schema import Column, Table
from market_pipeline.storage.tables.keys import HORIZON, MADE_AT, MARKET, MODEL, ORIGIN, SYMBOL, TARGET_SESSION

# fmt: off


BASELINE = "random_walk"
"""The model that every verdict compares with."""

HORIZONS = (1, 5, 20)
"""Sessions ahead."""

QUANTILES = {
    "q025": 0.025, "q05": 0.05, "q10": 0.10, "q25": 0.25, "q50": 0.50, "q75": 0.75, "q90": 0.90, "q95": 0.95,
    "q975": 0.975,
}  # fmt: skip
"""Column and level of each quantile that a forecast carries, lowest first."""

LEVELS = tuple(QUANTILES.values())

RANGES = {50: ("q25", "q75"), 80: ("q10", "q90"), 95: ("q025", "q975")}
"""The central ranges by the per cent of outcomes that they should contain."""

TAILS_AT = {"01": 0.01, "025": 0.025, "05": 0.05}
"""How columns name the levels of value at risk and expected shortfall, with the levels, lowest first."""

TAIL_LEVELS = tuple(TAILS_AT.values())

CHANCES = ("p_q1", "p_q2", "p_q3", "p_q4", "p_q5")
"""Probability of each quintile of a market's cross-section of returns, lowest first."""

_ORDINALS = ("lowest", "second", "third", "fourth", "highest")

MODE = Column("mode", "varchar",
       "live: made before the next session closed; replayed: made later from what was known then",
       check="in ('live', 'replayed')")

FORECASTS = Table(
    "forecasts",
    "The distribution of the log return from an origin's adjusted close, by model, symbol and horizon.",
    (
        MARKET, SYMBOL, ORIGIN, HORIZON, TARGET_SESSION, MODEL,
        Column("mean", "double", "Expected log return"),
        *(
            Column(name, "double", "Log return, median" if level == 0.5 else f"Log return, quantile {level:g}")
            for name, level in QUANTILES.items()
        ),
        Column("p_up", "double", "Probability that the log return is above 0", check="between 0 and 1"),
        Column("trained_through", "date", "Newest session the model's training used"),
        MADE_AT,
        MODE,
    ),
    key=("symbol", "origin", "horizon", "model"),
    partition="origin",
    checks=("target_session > origin", "trained_through <= origin"),
)

TAILS = Table(
    "tails",
    "What may be lost, by the models of the range: value at risk and expected shortfall of the log return from an "
    "origin's adjusted close. Losses are negative. NULL where too few past errors lie beyond a level.",
    (
        MARKET, SYMBOL, ORIGIN, HORIZON, TARGET_SESSION, MODEL,
        *(
            column
            for name, level in TAILS_AT.items()
            for column in (
                Column(f"var_{name}", "double",
                       f"Value at risk: the log return that is fallen short of with a chance of {level:g}",
                       nullable=True, check="< 0"),
                Column(f"es_{name}", "double",
                       f"Expected shortfall: the mean log return of the worst {level:g} of outcomes", nullable=True),
            )
        ),
    ),
    key=("symbol", "origin", "horizon", "model"),
    partition="origin",
    checks=tuple(f"es_{name} <= var_{name}" for name in TAILS_AT),
)

RANKS = Table(
    "ranks",
    "Probability of ending in each quintile of the market's cross-section of returns.",
    (
        MARKET, SYMBOL, ORIGIN, HORIZON, TARGET_SESSION, MODEL,
        *(
            Column(name, "double", f"Probability of the {place} quintile of returns")
            for name, place in zip(CHANCES, _ORDINALS, strict=True)
        ),
    ),
    key=("symbol", "origin", "horizon", "model"),
    partition="origin",
)

NOT_RECORDED = "NULL before schema version 3"

LEDGER = Table(
    "ledger",
    "What the forecasts of an origin were made from, with a row for each run that stored some: market-pipeline replay "
    "makes them again.",
    (
        MARKET, ORIGIN, MODE, MADE_AT,
        Column("code", "varchar", "Version of the code, with a digest of its files"),
        Column("models", "varchar", "Digest of the fitted models of the month"),
        Column("bars", "varchar",
               "Digest of the cross-section's bars up to the origin, as they were known when the forecast was made"),
        Column("symbols", "varchar[]", f"The cross-section: all symbols that were forecast together; {NOT_RECORDED}",
               nullable=True, published=False),
        Column("libraries", "varchar",
               f"Versions of Python and the libraries that compute, and the processor; {NOT_RECORDED}", nullable=True),
        Column("plugins", "varchar", f"Own models, each with a digest of its source; {NOT_RECORDED}", nullable=True),
    ),
    key=("origin", "made_at"),
    partition="origin",
)
