"""Every symbol that a market has, and why it has no forecast: queries on the mart that is being written.

They read its `prices` and `signals`, and two relations beside it: `configured` (market, symbol), and `asked`, how the
newest request for each symbol ended.
"""

NEWEST_REQUESTS = """
select market, symbol, max_by(status, asked_at) as status, max_by(cause, asked_at) as cause
from outcomes group by market, symbol
"""
"""Rows of `asked`, from the warehouse."""

SYMBOL_ROWS = """
with days as (
    select market, session as oldest, row_number() over (partition by market order by session desc) as since
    from mart.prices group by market, session
), bars as (
    select market, symbol, count(*) as bars, min(session) as oldest, max(session) as newest_session
    from mart.prices group by market, symbol
), forecast as (
    select market, symbol, max(as_of) as origin from mart.signals group by market, symbol
), ends as (
    select market, max(newest_session) as newest, max(origin) as origin
    from bars left join forecast using (market, symbol) group by market
), listed as (
    select market, symbol, c.symbol is not null as configured, coalesce(bars, 0)::integer as bars,
        coalesce(since - bars, 0)::integer as missing, newest_session,
        coalesce(nullif(cause, ''), nullif(status, 'ok')) as answer, forecast.origin = newest as current
    from configured c full join bars using (market, symbol) left join days using (market, oldest)
    left join asked using (market, symbol) left join forecast using (market, symbol) left join ends using (market)
)
select market, symbol, configured, bars, missing, newest_session, case
    when current then null
    when not configured then format('It left the configuration; its bars end on {}.', newest_session)
    when bars = 0 and answer is null then 'The source has not been asked for it yet.'
    when bars = 0 then format('It has no bar. The source: {}.', answer)
    when newest_session < newest
        then format('Its bars end on {}.', newest_session) || coalesce(format(' The source: {}.', answer), '')
    when origin is null then 'No forecast of this market has been made yet.'
    when origin < newest then format('The newest forecasts of this market are of {}.', origin)
    else format('Its history of {} bars is too short.', bars)
end as no_forecast
from listed left join ends using (market) order by market, symbol
"""
"""Rows of `symbols`."""
