create table if not exists prices (
    market varchar not null,
    symbol varchar not null,
    session date not null,
    open double not null check (open > 0),
    high double not null check (high > 0),
    low double not null check (low > 0),
    close double not null check (close > 0),
    volume double,
    dividend double not null check (dividend >= 0),
    split_ratio double not null check (split_ratio > 0),
    source varchar not null,
    fetched_at timestamp not null,
    known_at timestamp not null,
    final boolean not null
);
comment on table prices is 'One bar per symbol and session, as traded on that day: no later split or dividend is in it.';
comment on column prices.market is 'Name of the market in the configuration';
comment on column prices.symbol is 'Symbol as the source spells it';
comment on column prices.session is 'Trading day of the market''s calendar';
comment on column prices.open is 'First price of the session, quote currency, as traded';
comment on column prices.high is 'Highest price of the session, quote currency, as traded';
comment on column prices.low is 'Lowest price of the session, quote currency, as traded';
comment on column prices.close is 'Last price of the session, quote currency, as traded';
comment on column prices.volume is 'Shares or coins traded, as traded; NULL when unknown';
comment on column prices.dividend is 'Cash paid to holders of one share, on its ex-session; 0 without';
comment on column prices.split_ratio is 'New shares for one old share, on the session it took effect; 1 without';
comment on column prices.source is 'yahoo, files, exchange or simulated';
comment on column prices.fetched_at is 'When the source was read, UTC';
comment on column prices.known_at is 'When this value became known, UTC: when it was read, or, read more than a week after its session, assumed to be when the session settled';
comment on column prices.final is 'True once the session had closed and settled when it was read';

-- The overnight step of each bar as traded from a session on: logarithm of its open over the close before.
create or replace macro price_steps(since) as table
with bars as (
    select market, symbol, session, open, close, split_ratio from prices where final and session >= since
    union all by name
    select market, symbol, max(session) as session, arg_max(close, session) as close
    from prices where final and session < since group by all
)
select market, symbol, session, split_ratio, close, lag(close) over past as before, ln(open / lag(close) over past) as step
from bars window past as (partition by market, symbol order by session);

create table if not exists quarantine (
    market varchar not null,
    symbol varchar not null,
    session date not null,
    rule varchar not null,
    open double,
    high double,
    low double,
    close double,
    volume double,
    dividend double,
    split_ratio double,
    source varchar not null,
    fetched_at timestamp not null
);
comment on table quarantine is 'Bars that broke a rule, with the rule and the values; a later good bar takes their place.';
comment on column quarantine.rule is 'The sentence the bar made false';

create table if not exists restatements (
    market varchar not null,
    symbol varchar not null,
    session date not null,
    field varchar not null,
    old double,
    new double,
    cause varchar not null,
    old_known_at timestamp not null,
    known_at timestamp not null,
    recompute boolean not null
);
comment on table restatements is 'Values that a vendor changed after they were final: an append-only log; older vintages are read through it.';
comment on column restatements.field is 'Column of prices whose value changed; bar for one that came late';
comment on column restatements.old is 'Value until then, in the column''s unit; NULL when it was unknown';
comment on column restatements.new is 'Value since then';
comment on column restatements.cause is 'split, dividend, volume settling, vendor fix or late';
comment on column restatements.old_known_at is 'When the old value became known, UTC';
comment on column restatements.recompute is 'True when it matters and lies before the sessions of the run that found it: what rests on it is computed anew';
comment on column restatements.known_at is 'When the new value was read, UTC';

-- What was known at a moment: each value before the first restatement that came after it, and no bar that was not there.
create or replace macro prices_as_of(moment) as table
with earlier as (
    select market, symbol, session, min(old_known_at) as first_known,
        min_by(old, known_at) filter (field = 'open' and known_at > moment) as open,
        min_by(old, known_at) filter (field = 'high' and known_at > moment) as high,
        min_by(old, known_at) filter (field = 'low' and known_at > moment) as low,
        min_by(old, known_at) filter (field = 'close' and known_at > moment) as close,
        coalesce(bool_or(field = 'volume' and known_at > moment), false) as volume_changed,
        arg_min_null(old, known_at) filter (field = 'volume' and known_at > moment) as volume,
        min_by(old, known_at) filter (field = 'dividend' and known_at > moment) as dividend,
        min_by(old, known_at) filter (field = 'split_ratio' and known_at > moment) as split_ratio
    from restatements group by market, symbol, session
)
select p.market, p.symbol, p.session,
    coalesce(e.open, p.open) as open, coalesce(e.high, p.high) as high,
    coalesce(e.low, p.low) as low, coalesce(e.close, p.close) as close,
    case when e.volume_changed then e.volume else p.volume end as volume,
    coalesce(e.dividend, p.dividend) as dividend, coalesce(e.split_ratio, p.split_ratio) as split_ratio,
    p.source, p.final
from prices p left join earlier e using (market, symbol, session)
where coalesce(e.first_known, p.known_at) <= moment;

create table if not exists outcomes (
    market varchar not null,
    symbol varchar not null,
    first_session date not null,
    last_session date not null,
    status varchar not null,
    cause varchar not null,
    attempt integer not null,
    asked_at timestamp not null
);
comment on table outcomes is 'How each request to the source ended, per symbol: an append-only log.';
comment on column outcomes.status is 'ok, partial, closed, hole, unknown_symbol, rate_limited, unavailable or rejected';
comment on column outcomes.attempt is 'How many times these sessions of the symbol were asked for, this time included';

create table if not exists coverage (
    market varchar not null,
    session date not null,
    expected integer not null,
    present integer not null,
    rejected integer not null,
    missing integer not null,
    attempts integer not null,
    asked_at timestamp not null
);
comment on column coverage.attempts is 'How many fetches asked for the session';
comment on column coverage.asked_at is 'When the last of them did, UTC';
comment on table coverage is 'For each session that was ever asked for: symbols expected, stored, quarantined, missing.';
