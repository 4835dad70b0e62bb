"""Queries of the report on the mart: SQL text only. Each has `market` as a column and is split by it."""

from market_pipeline.storage.tables.forecasts import BASELINE, CHANCES, QUANTILES, RANGES
from market_pipeline.storage.tables.mart import AGE
from market_pipeline.storage.tables.scores import PIECES

PLOTTED_SESSIONS = 120
"""Newest sessions in the chart and the strip of coverage."""

COMPARED_SESSIONS = 60
"""Newest sessions whose close stands beside the range that was forecast for it."""

RECORDED_SESSIONS = 250
"""Newest target sessions that the record of one symbol counts."""

LISTED = 12
"""Rows of a list that names only the newest or the most probable."""

PLOTTED_QUANTILES = tuple(
    name for name in QUANTILES if name == "q50" or any(name in edges for edges in RANGES.values())
)
"""The edges of the central ranges and the median, lowest first."""

TAIL = ("var_025", "es_025")
"""Columns of tails in the page: where the worst 2.5 % of outcomes begin, and their mean."""

SIGNALS = f"""
with chosen as (
    select market, symbol, as_of as origin, horizon, model from signals
)
select s.*, f.origin, f.target_session, f.origin_price, {", ".join(f"f.{name}" for name in PLOTTED_QUANTILES)},
    e.expected_return as earlier_expected, e.low_80 as earlier_low, e.high_80 as earlier_high,
    f.origin_price / p.adj_close - 1 as moved, {", ".join(f"t.{name}" for name in TAIL)}
from signals s
left join (
    from forecast_prices semi join chosen using (market, symbol, origin, horizon, model)
) f on f.market = s.market and f.symbol = s.symbol and f.origin = s.as_of
    and f.horizon = s.horizon and f.model = s.model
left join earlier_signals e on e.market = s.market and e.symbol = s.symbol and e.horizon = s.horizon
left join prices p on p.market = e.market and p.symbol = e.symbol and p.session = e.as_of
left join (
    from tails semi join chosen using (market, symbol, origin, horizon, model)
) t on t.market = s.market and t.symbol = s.symbol and t.origin = s.as_of and t.horizon = s.horizon
    and t.model = s.model
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
_SELECTED = "select distinct market, horizon, model from signals"
_LOW, _HIGH = RANGES[80]
PAST = f"""
with targets as (
    select market, session as target_session from prices group by market, session
    qualify row_number() over (partition by market order by session desc) <= {COMPARED_SESSIONS}
), chosen as ({_SELECTED})
select f.market, f.symbol, horizon, target_session as session,
    o.adj_close * exp({_LOW}) / t.adj_close - 1 as low, o.adj_close * exp({_HIGH}) / t.adj_close - 1 as high
from forecasts f join chosen using (market, horizon, model) join targets using (market, target_session)
join prices o on o.market = f.market and o.symbol = f.symbol and o.session = f.origin
join prices t on t.market = f.market and t.symbol = f.symbol and t.session = f.target_session
"""
"""The 80 % range of the selected model for each of the newest sessions, beside the close that came: 0 is that close."""

_RECORDED = f"""
select market, min(session) as first from (
    select market, session from prices group by market, session
    qualify row_number() over (partition by market order by session desc) <= {RECORDED_SESSIONS}
) group by market
"""
RECORDS = f"""
with since as ({_RECORDED}), chosen as ({_SELECTED})
select market, symbol, horizon, count(*)::integer as scored, sum(s.covered_80::integer)::integer as held,
    1 - sum(s.crps) / nullif(sum(b.crps), 0) as skill
from scores s join chosen using (market, horizon, model) join since using (market)
join scores b using (market, symbol, origin, horizon)
where s.target_session >= first and b.target_session >= first and b.model = '{BASELINE}'
group by market, symbol, horizon
"""
"""How the selected models did on each symbol: forecasts scored, inside the 80 % range, skill on the range."""

WHERE_HELD = f"""
with since as ({_RECORDED}), chosen as ({_SELECTED}), newest as (
    select market, horizon, model, symbol, s.covered_80::integer as held,
        ntile(3) over (partition by market, horizon, model order by {_HIGH} - {_LOW}, symbol, s.origin) as third
    from scores s join chosen using (market, horizon, model) join since using (market)
    join forecasts using (market, symbol, origin, horizon, model) where s.target_session >= first
), thirds as (
    select market, horizon, model, count(*) as scored,
        [{", ".join(f"avg(held) filter (third = {place})" for place in (1, 2, 3))}] as by_width from newest group by all
), symbols as (
    select market, horizon, model, [min(share), max(share)] as by_symbol
    from (select market, horizon, model, symbol, avg(held) as share from newest group by all) group by all
), years as (
    select market, horizon, model, year(target_session) as year, sum(symbols * covered_80) / sum(symbols) as share
    from daily_scores join chosen using (market, horizon, model) group by all
)
select *, (
    select list([year, share] order by year) from years y
    where (y.market, y.horizon, y.model) = (t.market, t.horizon, t.model)
) as by_year
from thirds t join symbols using (market, horizon, model) order by market, horizon, model
"""
"""How often the 80 % ranges of the selected models held: by third of their width, by symbol, by year."""

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
    "symbols": "from symbols order by market, symbol",
    "signals": SIGNALS,
    "leaderboard": "from leaderboard order by market, horizon, question, model",
    "tests": "select market, horizon, model, question, test, value from tests order by all",
    "ranks": RANKS,
    "strategies": "from strategies order by market, horizon",
    "calibration": CALIBRATION,
    "where_held": WHERE_HELD,
    "coverage": COVERAGE,
    "recent_coverage": RECENT_COVERAGE,
    "gaps": GAPS,
    "quarantine": QUARANTINE,
    "quarantine_by_symbol": "select market, symbol, count(*) as bars, max(session) as newest, "
    "max_by(rule, session) as rule from quarantine group by all order by all",
    "restatements_by_symbol": "select market, symbol, count(*) as n, max(session) as newest, "
    "max_by(field, session) as field, max_by(cause, session) as cause from restatements group by all order by all",
    "records": RECORDS,
    "quarantine_by_rule": "select market, rule, count(*) as bars from quarantine group by all order by 1, 3 desc, 2",
    "restatements": RESTATEMENTS,
    "restatements_by_cause": "select market, cause, count(*) as n from restatements group by all order by 1, 3 desc, 2",
    "changes": "from changes order by all",
}
"""What the report reads of each market, but for CLOSES and PAST, which become grids."""
