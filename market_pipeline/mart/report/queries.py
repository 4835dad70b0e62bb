"""What the report asks the mart: text only.

Every query has `market` as a column and is read by market; those of NEWEST list at most `$listed` rows of each.
"""

from market_pipeline.storage.tables.scores import PIECES

SIGNALS = """
select s.market, s.symbol, s.as_of, s.horizon, s.trend, s.p_up, s.expected_return, s.low_80, s.high_80,
    s.model, s.verdict, f.origin, f.target_session, f.origin_price,
    f.q025, f.q10, f.q25, f.q50, f.q75, f.q90, f.q975
from signals s
left join forecast_prices f on f.market = s.market and f.symbol = s.symbol and f.origin = s.as_of
    and f.horizon = s.horizon and f.model = s.model
order by s.market, s.horizon, s.symbol
"""
SYMBOLS = "select market, symbol, max(session) as newest from prices group by all order by all"
CLOSES = """
with recent as (
    select market, session from prices group by market, session
    qualify row_number() over (partition by market order by session desc) <= $sessions
)
select market, symbol, session, adj_close from prices join recent using (market, session)
where adj_close is not null order by all
"""
RANKS = """
select market, symbol, origin, horizon, model, p_q1, p_q2, p_q3, p_q4, p_q5 from ranks where model <> 'random_walk'
qualify origin = max(origin) over (partition by market, horizon, model) order by all
"""
_COUNTED = ", ".join(f"sum({name})" for name in PIECES)
CALIBRATION = f"""
with held as (
    select market, horizon, model, sum(symbols)::bigint as due,
        sum(symbols * covered_50) / due as held_50, sum(symbols * covered_80) / due as held_80,
        sum(symbols * covered_95) / due as held_95
    from daily_scores group by all
), fell as (
    select market, horizon, model, [{_COUNTED}]::double[] as pieces
    from pit group by all
)
from held left join fell using (market, horizon, model) order by market, horizon, model
"""  # noqa: S608  the names are those of PIECES
COVERAGE = """
select market, year(session) as year, count(*) as sessions, sum(expected)::bigint as expected,
    sum(present)::bigint as present, sum(rejected)::bigint as rejected, sum(missing)::bigint as missing
from coverage group by rollup (market, year(session)) having market is not null order by market, year nulls last
"""
STRIP = """
select market, session, present / greatest(expected, 1) as share from coverage
qualify row_number() over (partition by market order by session desc) <= $sessions order by market, session
"""
GAPS = """
select market, session, rejected, missing from coverage where rejected + missing > 0
qualify row_number() over (partition by market order by session desc) <= $listed order by market, session desc
"""
QUARANTINE = """
from quarantine qualify row_number() over (partition by market order by session desc, symbol) <= $listed
order by market, session desc, symbol
"""
RESTATEMENTS = """
from restatements
qualify row_number() over (partition by market order by known_at desc, session desc, symbol, field) <= $listed
order by market, known_at desc, session desc, symbol, field
"""

TESTS = """
select market, horizon, model, question, test, value from tests order by all
"""

WHOLE = {
    "signals": SIGNALS,
    "symbols": SYMBOLS,
    "ranks": RANKS,
    "tests": TESTS,
    "strategies": "from strategies order by market, horizon",
    "calibration": CALIBRATION,
    "coverage": COVERAGE,
    "quarantine_by_rule": "select market, rule, count(*) as bars from quarantine group by all order by 1, 3 desc, 2",
    "restatements_by_cause": "select market, cause, count(*) as n from restatements group by all order by 1, 3 desc, 2",
    "changes": "from changes order by all",
}
NEWEST = {"gaps": GAPS, "quarantine": QUARANTINE, "restatements": RESTATEMENTS}
