"""Queries of the report on the mart: SQL text only. Each has `market` as a column and is split by it."""

from market_pipeline.storage.tables.forecasts import BASELINE, CHANCES, QUANTILES, RANGES
from market_pipeline.storage.tables.mart import AGE
from market_pipeline.storage.tables.scores import PIECES

PLOTTED_SESSIONS = 120
"""Newest sessions in the chart and the strip of coverage."""

LISTED = 12
"""Rows of a list that names only the newest or the most probable."""

PLOTTED_QUANTILES = tuple(
    name for name in QUANTILES if name == "q50" or any(name in edges for edges in RANGES.values())
)
"""The edges of the central ranges and the median, lowest first."""

SIGNALS = f"""
select s.*, f.origin, f.target_session, f.origin_price, {", ".join(f"f.{name}" for name in PLOTTED_QUANTILES)}
from signals s
left join forecast_prices f on f.market = s.market and f.symbol = s.symbol and f.origin = s.as_of
    and f.horizon = s.horizon and f.model = s.model
order by s.market, s.horizon, s.symbol
"""
RANKS = f"""
select market, symbol, origin, horizon, model, [{", ".join(CHANCES)}] as chances from ranks where model <> '{BASELINE}'
qualify origin = max(origin) over (partition by market, horizon, model) order by all
"""
CALIBRATION = f"""
with coverage as (
    select market, horizon, model, sum(symbols)::bigint as scored,
        [{", ".join(f"sum(symbols * covered_{percent}) / scored" for percent in RANGES)}] as covered
    from daily_scores group by all
), pit as (
    select market, horizon, model, ({" + ".join(f"sum({name})" for name in PIECES)})::double as outcomes,
        [{", ".join(f"sum({name}) / outcomes" for name in PIECES)}] as pieces
    from pit group by all
)
from coverage left join pit using (market, horizon, model) order by market, horizon, model
"""
CLOSES = f"""
with recent as (
    select market, session from prices group by market, session
    qualify row_number() over (partition by market order by session desc) <= {PLOTTED_SESSIONS}
)
select market, symbol, session, adj_close from prices join recent using (market, session)
where adj_close is not null order by all
"""
COVERAGE = """
select market, year(session) as year, count(*) as sessions, sum(expected)::bigint as expected,
    sum(present)::bigint as present, sum(rejected)::bigint as rejected, sum(missing)::bigint as missing
from coverage group by rollup (market, year(session)) having market is not null order by market, year nulls last
"""
RECENT_COVERAGE = f"""
select market, session, present / greatest(expected, 1) as share from coverage
qualify row_number() over (partition by market order by session desc) <= {PLOTTED_SESSIONS} order by market, session
"""
GAPS = f"""
select market, session, rejected, missing from coverage where rejected + missing > 0
qualify row_number() over (partition by market order by session desc) <= {LISTED} order by market, session desc
"""
QUARANTINE = f"""
from quarantine qualify row_number() over (partition by market order by session desc, symbol) <= {LISTED}
order by market, session desc, symbol
"""
RESTATEMENTS = f"""
from restatements
qualify row_number() over (partition by market order by known_at desc, session desc, symbol, field) <= {LISTED}
order by market, known_at desc, session desc, symbol, field
"""

QUERIES = {
    "age": f"select market, newest_session, {', '.join(AGE)} from meta",
    "symbols": "select market, symbol, max(session) as newest from prices group by all order by all",
    "signals": SIGNALS,
    "leaderboard": "from leaderboard order by market, horizon, question, model",
    "tests": "select market, horizon, model, question, test, value from tests order by all",
    "ranks": RANKS,
    "strategies": "from strategies order by market, horizon",
    "calibration": CALIBRATION,
    "coverage": COVERAGE,
    "recent_coverage": RECENT_COVERAGE,
    "gaps": GAPS,
    "quarantine": QUARANTINE,
    "quarantine_by_rule": "select market, rule, count(*) as bars from quarantine group by all order by 1, 3 desc, 2",
    "restatements": RESTATEMENTS,
    "restatements_by_cause": "select market, cause, count(*) as n from restatements group by all order by 1, 3 desc, 2",
    "changes": "from changes order by all",
}
"""What the report reads of each market, but for its closes, which the chart takes as a grid."""
