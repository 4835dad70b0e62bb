"""Tables that loading prices writes: bars, quarantine, restatements, outcomes, coverage, the second source."""

from dataclasses import replace

from market_pipeline.storage.schema import Column, Table, View
from market_pipeline.storage.tables.keys import MARKET, SESSION, SYMBOL

# fmt: off

PRICES = ("open", "high", "low", "close")
BAR_VALUES = (*PRICES, "volume", "dividend", "split_ratio")
"""What a bar consists of, as traded on its day."""

ADJUSTED_CLOSE = ("close", "dividend", "split_ratio")
"""What an adjusted close is computed from."""

BAR_RULES = {
    "every price is a number": " and ".join(f"abs({price}) <= 1.7976931348623157e308" for price in PRICES),
    "every price is positive": " and ".join(f"{price} > 0" for price in PRICES),
    "no price is above the high": " and ".join(f"{price} <= high * 1.000001" for price in PRICES),
    "no price is below the low": " and ".join(f"{price} >= low * 0.999999" for price in PRICES),
    "no volume is negative": "not (volume < 0)",
    "a split ratio is positive": "split_ratio > 0",
    "a dividend is not negative": "dividend >= 0",
}
"""What a possible bar is: each sentence with its condition, which means the same in SQL and in pandas' eval.

The first number is the largest double: neither infinity nor NaN is below it. The tolerance of a millionth is for
adjusted prices of vendors, which leave the day's range by rounding alone.
"""

CHECKED_RULES = (
    "every price is positive", "no volume is negative", "a split ratio is positive", "a dividend is not negative",
)
"""The rules that the table refuses a row by; DuckDB evaluates a condition with arithmetic for every row it inserts."""

_VALUES = (
    Column("open", "double", "First price of the session, quote currency, as traded"),
    Column("high", "double", "Highest price of the session, quote currency, as traded"),
    Column("low", "double", "Lowest price of the session, quote currency, as traded"),
    Column("close", "double", "Last price of the session, quote currency, as traded"),
    Column("volume", "double", "Shares or coins traded, as traded; NULL when unknown", nullable=True),
    Column("dividend", "double", "Cash paid to holders of one share, on its ex-session; 0 without"),
    Column("split_ratio", "double", "New shares for one old share, on the session it took effect; 1 without"),
)
_SOURCE = Column("source", "varchar", "Where the bar came from: yahoo, files, exchange or simulated")
_FETCHED_AT = Column("fetched_at", "timestamp", "When the source was read, UTC")

BARS = Table(
    "prices",
    "One bar per symbol and session, as traded on that day: no later split or dividend is in it.",
    (
        MARKET, SYMBOL, SESSION,
        *_VALUES,
        _SOURCE,
        replace(_FETCHED_AT, published=False),
        Column("known_at", "timestamp",
               "When this value became known, UTC: when it was read or, if that was more than a week after its "
               "session, when the session settled (an assumption)", published=False),
        Column("final", "boolean", "True once the session had closed and settled when it was read", published=False),
    ),
    key=("symbol", "session"),
    partition="session",
    checks=tuple(BAR_RULES[rule] for rule in CHECKED_RULES),
)

QUARANTINE = Table(
    "quarantine",
    "Bars that broke a rule, with the rule and the values; a later good bar takes their place.",
    (
        MARKET, SYMBOL, SESSION,
        Column("rule", "varchar", "The sentence that is false for the bar"),
        *(replace(column, nullable=True) for column in _VALUES),
        _SOURCE,
        _FETCHED_AT,
    ),
    partition="session",
)

RESTATEMENTS = Table(
    "restatements",
    "Values that a vendor changed after they were final: an append-only log; older vintages are read through it.",
    (
        MARKET, SYMBOL, SESSION,
        Column("field", "varchar", "Column of prices whose value changed; bar for one that came late"),
        Column("old", "double", "Value until then, in the column's unit; NULL when it was unknown", nullable=True),
        Column("new", "double", "Value since then", nullable=True),
        Column("cause", "varchar", "split, dividend, volume settling, vendor fix or late"),
        Column("old_known_at", "timestamp", "When the old value became known, UTC"),
        Column("known_at", "timestamp", "When the new value was read, UTC"),
        Column("recompute", "boolean",
               "True when the change matters and lies before the sessions of the run that found it: what depends on "
               "it is computed again"),
    ),
)

OUTCOMES = Table(
    "outcomes",
    "How each request to the source ended, per symbol: an append-only log.",
    (
        MARKET, SYMBOL,
        Column("first_session", "date", "First session that was requested"),
        Column("last_session", "date", "Last session that was requested"),
        Column("status", "varchar", "ok, partial, closed, hole, unknown_symbol, rate_limited, unavailable or rejected"),
        Column("cause", "varchar", "Why, in a few words; empty for ok"),
        Column("attempt", "integer", "How many times these sessions of the symbol were requested, this time included"),
        Column("asked_at", "timestamp", "When the source was asked, UTC"),
    ),
)

COVERAGE = Table(
    "coverage",
    "For each session that was ever requested: symbols expected, stored, quarantined, missing.",
    (
        MARKET, SESSION,
        Column("expected", "integer", "Symbols that should have a bar"),
        Column("present", "integer", "Symbols that have a final bar"),
        Column("rejected", "integer", "Symbols whose bar is in quarantine"),
        Column("missing", "integer", "Symbols without a bar"),
        Column("attempts", "integer", "How many fetches asked for the session", published=False),
        Column("asked_at", "timestamp", "When the last of them did, UTC", published=False),
    ),
    key=("session",),
    partition="session",
)

DISAGREEMENTS = Table(
    "disagreements",
    "Closes that differ in a second source by more than the market's tolerance; the stored ones stay.",
    (
        MARKET.of("prices"),
        SYMBOL.of("prices"),
        SESSION.of("prices"),
        Column("close", "double", "The stored close, quote currency, as traded", sources=("prices.close",)),
        Column("other_close", "double", "The second source's close, quote currency"),
        Column("difference", "double", "other_close / close - 1"),
        Column("exchange", "varchar", "The second source, as ccxt names it"),
        replace(_FETCHED_AT, description="When the second source was read, UTC"),
    ),
    key=("symbol", "session"),
    partition="session",
)

PRICE_STEPS = View(
    "price_steps",
    """
with bars as (
    select market, symbol, session, open, close, split_ratio from prices where final and session >= since
    union all by name
    select market, symbol, max(session) as session, arg_max(close, session) as close
    from prices where final and session < since group by all
)
select market, symbol, session, split_ratio, close, lag(close) over past as before,
    ln(open / lag(close) over past) as step
from bars window past as (partition by market, symbol order by session)
""",
    "The overnight step of each bar as traded from a session on: logarithm of its open over the close before.",
    parameters=("since",),
)

_THEN = ", ".join(
    f"{'arg_min_null' if name == 'volume' else 'min_by'}(old, known_at) "
    f"filter (field = '{name}' and known_at > moment) as {name}"
    for name in BAR_VALUES
)
_AS_OF = ", ".join(
    "case when e.volume_changed then e.volume else p.volume end as volume"
    if name == "volume"
    else f"coalesce(e.{name}, p.{name}) as {name}"
    for name in BAR_VALUES
)
PRICES_AS_OF = View(
    "prices_as_of",
    f"""
with earlier as (
    select market, symbol, session, min(old_known_at) as first_known,
        coalesce(bool_or(field = 'volume' and known_at > moment), false) as volume_changed, {_THEN}
    from restatements group by market, symbol, session
)
select p.market, p.symbol, p.session, {_AS_OF}, p.source, p.final
from prices p left join earlier e using (market, symbol, session)
where coalesce(e.first_known, p.known_at) <= moment
""",
    "What was known at a moment: each value before the first restatement after it, and no bar that was not there.",
    parameters=("moment",),
)
