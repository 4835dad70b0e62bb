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
comment on column prices.source is 'yahoo, files or simulated';
comment on column prices.fetched_at is 'When the source was read, UTC';
comment on column prices.final is 'True once the session had closed and settled when it was read';

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

create table if not exists outcomes (
    market varchar not null,
    symbol varchar not null,
    first_session date not null,
    last_session date not null,
    status varchar not null,
    cause varchar not null,
    asked_at timestamp not null
);
comment on table outcomes is 'How each request to the source ended, per symbol: an append-only log.';
comment on column outcomes.status is 'ok, partial, closed, hole, unknown_symbol, rate_limited or unavailable';

create table if not exists coverage (
    market varchar not null,
    session date not null,
    expected integer not null,
    present integer not null,
    rejected integer not null,
    missing integer not null
);
comment on table coverage is 'For each session that was ever asked for: symbols expected, stored, quarantined, missing.';
