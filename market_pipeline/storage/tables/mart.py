"""Tables and views that only the mart has: adjusted closes, prices and indicators in price units, changes, meta."""

from dataclasses import replace

from market_pipeline.storage.schema import Column, Table, View
from market_pipeline.storage.tables.forecasts import FORECASTS, QUANTILES
from market_pipeline.storage.tables.keys import HORIZON, MARKET, MODEL, SESSION, SYMBOL
from market_pipeline.storage.tables.prices import BARS
from market_pipeline.storage.tables.scores import SIGNALS

# fmt: off

ADJ_CLOSE = Column("adj_close", "double",
       "Close adjusted for all splits and dividends up to the newest session, quote currency",
       sources=("prices.close", "prices.dividend", "prices.split_ratio"))

PUBLISHED_PRICES = Table(
    "prices",
    BARS.description,
    (*(column for column in BARS.columns if column.published and column.name != "source"), ADJ_CLOSE, *(
        column for column in BARS.columns if column.name == "source"
    )),
    key=BARS.key,
)  # fmt: skip

META = Table(
    "meta",
    "When this file was published, from what, by which version.",
    (
        Column("published_at", "timestamp", "When the file was published, UTC"),
        Column("compared_with", "timestamp",
               "When the publication that `changes` compares with was made, UTC; NULL without one", nullable=True),
        Column("source", "varchar", "Where prices come from"),
        Column("code_version", "varchar", "Version of the program that published it"),
        Column("schema_version", "integer", "Version of the tables of this file"),
        MARKET,
        Column("newest_session", "date", "Newest session with a final bar"),
        Column("calendar", "varchar",
               "Calendar of exchange_calendars; NULL for a market that left the configuration", nullable=True),
        Column("sessions_behind", "integer",
               "Sessions after the newest one that were due at publication, by the calendar", nullable=True),
        Column("current_until", "timestamp",
               "When the session after the newest one is due, UTC: from then on the forecasts are old", nullable=True),
        Column("last_write", "varchar",
               "The newest transaction of the market in the warehouse: what follows it is in the next publication",
               nullable=True),
        Column("appended_rows", "bigint",
               "Rows of all tables that are not in their place, as they were appended to the publication before"),
    ),
)

AGE = ("calendar", "sessions_behind", "current_until")
"""Columns of `meta` by which readers find how old it is."""

PUBLISHED_SIGNALS = replace(
    SIGNALS,
    columns=(
        *SIGNALS.columns,
        Column("question", "varchar",
               "What the verdict is about: return, direction, range, or several; NULL for the random walk, which is "
               "selected when no model has evidence on any", nullable=True, sources=("leaderboard.question",)),
    ),
)

CHANGES = Table(
    "changes",
    "What is new or different in this publication beside the one before.",
    (
        MARKET,
        Column("kind", "varchar",
               "session: a new one; champion, verdict: another than before; quarantine, restatement: a bar newly so"),
        Column("symbol", "varchar", SYMBOL.description, nullable=True),
        Column("session", "date", SESSION.description, nullable=True),
        Column("horizon", "integer", HORIZON.description, nullable=True),
        Column("question", "varchar", "Question of the leaderboard", nullable=True),
        Column("model", "varchar", MODEL.description, nullable=True),
        Column("field", "varchar", "Column of prices that was restated; bar for one that came late", nullable=True),
        Column("before", "varchar", "Champion, verdict or value until then; NULL for none", nullable=True),
        Column("after", "varchar",
               "Champion, verdict or value since then; the rule that a quarantined bar broke", nullable=True),
    ),
)

SYMBOLS = Table(
    "symbols",
    "Every symbol that is configured or has bars, and why it has no forecast.",
    (
        MARKET, SYMBOL,
        Column("configured", "boolean", "Whether the configuration has it; what was published of it before stays"),
        Column("bars", "integer", "Sessions with a final bar", sources=("prices.session",)),
        Column("missing", "integer", "Sessions of the market since its first bar without one",
               sources=("prices.session",)),
        Column("newest_session", "date", "Newest session with a final bar; NULL without any", nullable=True,
               sources=("prices.session",)),
        Column("no_forecast", "varchar", "Why `signals` has no row of the newest session; NULL when it has",
               nullable=True, sources=("prices.session", "outcomes.cause", "signals.as_of")),
    ),
    key=("symbol",),
)

EARLIER_SIGNALS = Table(
    "earlier_signals",
    "The signals of the publication before this one, as they were: what changed since then.",
    tuple(column for column in SIGNALS.columns if column.name not in ("trend", "verdict")),
    key=SIGNALS.key,
)

_UNITS = "quote currency"

FORECAST_PRICES = View(
    "forecast_prices",
    f"""
select
    f.market, f.symbol, f.origin, f.horizon, f.target_session, f.model, p.adj_close as origin_price,
    {", ".join(f"p.adj_close * exp(f.{name}) as {name}" for name in ("mean", *QUANTILES))},
    f.p_up, f.trained_through, f.made_at, f.mode
from forecasts f join prices p on p.market = f.market and p.symbol = f.symbol and p.session = f.origin
""",
    "Forecasts in price units: the origin's adjusted close times the exponential of the log return.",
    (
        *FORECASTS.columns[:6],
        Column("origin_price", "double", f"Adjusted close at the origin, {_UNITS}"),
        Column("mean", "double", f"Price at the expected log return, {_UNITS}"),
        *(
            replace(column, description=f"{column.description.replace('Log return', 'Price')}, {_UNITS}")
            if column.name in QUANTILES
            else column
            for column in FORECASTS.columns[7:]
        ),
    ),
)

LEVEL_VALUES = (
    ("sma_20", "p.adj_close / (1 + gap_sma_20)", "20-session simple average of closes"),
    ("sma_50", "p.adj_close / (1 + gap_sma_50)", "50-session simple average of closes"),
    ("sma_200", "p.adj_close / (1 + gap_sma_200)", "200-session simple average of closes"),
    ("ema_12", "p.adj_close / (1 + gap_ema_12)", "12-session exponential average of closes"),
    ("ema_26", "p.adj_close / (1 + gap_ema_26)", "26-session exponential average of closes"),
    ("bollinger_upper", "p.adj_close / (1 + gap_sma_20) * (1 + bollinger_width_20 / 2)",
     "sma_20 plus 2 standard deviations of 20 closes"),
    ("bollinger_lower", "p.adj_close / (1 + gap_sma_20) * (1 - bollinger_width_20 / 2)",
     "sma_20 less 2 standard deviations of 20 closes"),
    ("atr_14", "p.adj_close * natr_14", "Average true range over 14 sessions (Wilder)"),
    ("highest_252", "p.adj_close / (1 + drawdown_252)", "Highest close of 252 sessions"),
    ("lowest_252", "p.adj_close / (1 + rise_252)", "Lowest close of 252 sessions"),
)  # fmt: skip

INDICATOR_LEVELS = View(
    "indicator_levels",
    f"""
select market, symbol, session, p.adj_close, {", ".join(f"{value} as {name}" for name, value, _ in LEVEL_VALUES)}
from indicators join prices p using (market, symbol, session)
""",
    "Indicators in price units, for charts, on the scale of adj_close.",
    (
        MARKET, SYMBOL, SESSION, ADJ_CLOSE,
        *(Column(name, "double", f"{meaning}, {_UNITS}") for name, _, meaning in LEVEL_VALUES),
    ),
)
