create table if not exists disagreements (
    market varchar not null,
    symbol varchar not null,
    session date not null,
    close double not null,
    other_close double not null,
    difference double not null,
    exchange varchar not null,
    fetched_at timestamp not null
);
comment on table disagreements is 'Closes that a second source has otherwise, beyond the market''s tolerance; the stored ones stay.';
comment on column disagreements.close is 'The stored close, quote currency, as traded';
comment on column disagreements.other_close is 'The second source''s close, quote currency';
comment on column disagreements.difference is 'other_close / close - 1';
comment on column disagreements.exchange is 'The second source, as ccxt names it';
comment on column disagreements.fetched_at is 'When the second source was read, UTC';
