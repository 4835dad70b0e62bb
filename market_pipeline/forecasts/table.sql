create table if not exists forecasts (
    market varchar not null,
    symbol varchar not null,
    origin date not null,
    horizon integer not null,
    target_session date not null,
    model varchar not null,
    mean double not null,
    q025 double not null,
    q05 double not null,
    q10 double not null,
    q25 double not null,
    q50 double not null,
    q75 double not null,
    q90 double not null,
    q95 double not null,
    q975 double not null,
    p_up double not null check (p_up between 0 and 1),
    trained_through date not null,
    made_at timestamp not null,
    mode varchar not null check (mode in ('live', 'replayed')),
    check (target_session > origin),
    check (trained_through <= origin)
);
comment on table forecasts is 'The distribution of the log return from an origin''s adjusted close, by model, symbol and horizon.';
comment on column forecasts.origin is 'Session at whose close the forecast is made';
comment on column forecasts.horizon is 'Sessions ahead';
comment on column forecasts.target_session is 'Session the forecast is for';
comment on column forecasts.mean is 'Expected log return';
comment on column forecasts.q025 is 'Log return, quantile 0.025';
comment on column forecasts.q05 is 'Log return, quantile 0.05';
comment on column forecasts.q10 is 'Log return, quantile 0.10';
comment on column forecasts.q25 is 'Log return, quantile 0.25';
comment on column forecasts.q50 is 'Log return, median';
comment on column forecasts.q75 is 'Log return, quantile 0.75';
comment on column forecasts.q90 is 'Log return, quantile 0.90';
comment on column forecasts.q95 is 'Log return, quantile 0.95';
comment on column forecasts.q975 is 'Log return, quantile 0.975';
comment on column forecasts.p_up is 'Probability that the log return is above 0';
comment on column forecasts.trained_through is 'Newest session the model''s training saw';
comment on column forecasts.made_at is 'When the forecast was computed, UTC';
comment on column forecasts.mode is 'live: made before the next session closed; replayed: made later from what was known then';

create table if not exists ranks (
    market varchar not null,
    symbol varchar not null,
    origin date not null,
    horizon integer not null,
    target_session date not null,
    model varchar not null,
    p_q1 double not null,
    p_q2 double not null,
    p_q3 double not null,
    p_q4 double not null,
    p_q5 double not null
);
comment on table ranks is 'Probability of ending in each fifth of the market''s cross-section of returns.';
comment on column ranks.p_q1 is 'Probability of the lowest fifth of returns';
comment on column ranks.p_q2 is 'Probability of the second fifth';
comment on column ranks.p_q3 is 'Probability of the third fifth';
comment on column ranks.p_q4 is 'Probability of the fourth fifth';
comment on column ranks.p_q5 is 'Probability of the highest fifth of returns';

create table if not exists ledger (
    market varchar not null,
    origin date not null,
    mode varchar not null check (mode in ('live', 'replayed')),
    made_at timestamp not null,
    code varchar not null,
    models varchar not null,
    bars varchar not null
);
comment on table ledger is 'What the forecasts of each origin were made from: market-pipeline replay makes them again.';
comment on column ledger.code is 'Version of the code, with a digest of its files';
comment on column ledger.models is 'Digest of the fitted models of the month';
comment on column ledger.bars is 'Digest of all bars up to the origin, as they were known when the forecast was made';
