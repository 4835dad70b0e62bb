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
create table if not exists indicators (
    market varchar not null,
    symbol varchar not null,
    session date not null,
    gap_sma_20 double,
    gap_sma_50 double,
    gap_sma_200 double,
    gap_ema_12 double,
    gap_ema_26 double,
    macd_histogram double,
    adx_14 double,
    directional_14 double,
    aroon_25 double,
    slope_20 double,
    return_1 double,
    return_5 double,
    return_20 double,
    return_60 double,
    rsi_2 double,
    rsi_14 double,
    stochastic_k_14 double,
    stochastic_d_14 double,
    williams_14 double,
    cci_20 double,
    ultimate_28 double,
    autocorrelation_60 double,
    carry_60 double,
    natr_14 double,
    true_range_1 double,
    deviation_20 double,
    deviation_60 double,
    deviation_ratio double,
    bollinger_position_20 double,
    bollinger_width_20 double,
    drawdown_252 double,
    rise_252 double,
    mfi_14 double,
    obv_20 double,
    money_flow_20 double,
    volume_ratio_20 double,
    volume_deviation_20 double,
    volume_return_60 double
);
create table if not exists models (
    market varchar not null,
    model varchar not null,
    month date not null,
    trained_through date not null,
    path varchar not null,
    sha256 varchar not null,
    bytes bigint not null,
    seconds double not null,
    fitted_at timestamp not null
);
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

create table if not exists ledger (
    market varchar not null,
    origin date not null,
    mode varchar not null check (mode in ('live', 'replayed')),
    made_at timestamp not null,
    code varchar not null,
    models varchar not null,
    bars varchar not null
);
create table if not exists scores (
    market varchar not null,
    symbol varchar not null,
    origin date not null,
    horizon integer not null,
    target_session date not null,
    model varchar not null,
    realised double not null,
    abs_error double not null check (abs_error >= 0),
    squared_error double not null check (squared_error >= 0),
    crps double not null check (crps >= 0),
    brier double not null check (brier between 0 and 1),
    covered_50 boolean not null,
    covered_80 boolean not null,
    covered_95 boolean not null
);

create table if not exists rank_scores (
    market varchar not null,
    origin date not null,
    horizon integer not null,
    model varchar not null,
    rps double not null check (rps between 0 and 1)
);

create table if not exists pit (
    market varchar not null,
    target_session date not null,
    horizon integer not null,
    model varchar not null,
    below_q025 integer not null,
    below_q05 integer not null,
    below_q10 integer not null,
    below_q25 integer not null,
    below_q50 integer not null,
    below_q75 integer not null,
    below_q90 integer not null,
    below_q95 integer not null,
    below_q975 integer not null,
    above_q975 integer not null
);

create table if not exists leaderboard (
    market varchar not null,
    horizon integer not null,
    model varchar not null,
    question varchar not null check (question in ('return', 'direction', 'range', 'rank')),
    n_origins integer not null check (n_origins > 0),
    loss double not null,
    baseline_loss double not null,
    skill double,
    p_value double check (p_value between 0 and 1),
    p_adjusted double check (p_adjusted between 0 and 1),
    verdict varchar not null check (verdict in ('beats_baseline', 'no_evidence', 'worse', 'insufficient_data'))
);

create table if not exists champions (
    market varchar not null,
    horizon integer not null,
    question varchar not null check (question in ('return', 'direction', 'range', 'rank')),
    since date not null,
    model varchar not null,
    reason varchar not null
);

create table if not exists tests (
    market varchar not null,
    horizon integer not null,
    model varchar not null,
    question varchar not null,
    test varchar not null check (test in ('clark_west', 'pesaran_timmermann', 'model_confidence_set', 'e_value',
        'effective_origins')),
    n_origins integer not null,
    value double not null
);

create table if not exists tried (
    market varchar not null,
    model varchar not null,
    settings varchar not null
);

create table if not exists strategies (
    market varchar not null,
    horizon integer not null,
    sessions integer not null,
    net_return double not null,
    buy_and_hold double not null,
    sharpe double not null,
    deflated_sharpe double not null,
    max_drawdown double not null,
    turnover double not null,
    exposure double not null,
    cost_bps double not null,
    trials integer not null
);

create table if not exists signals (
    market varchar not null,
    symbol varchar not null,
    as_of date not null,
    horizon integer not null,
    trend varchar not null check (trend in ('up', 'flat', 'down')),
    p_up double not null,
    expected_return double not null,
    low_80 double not null,
    high_80 double not null,
    model varchar not null,
    verdict varchar not null
);

-- Decimals add up to the same in any order; the order of rows is an accident of how they were computed.
create or replace view scored_days as
select
    s.market, s.target_session, s.origin, s.horizon, s.model, count(*)::integer as symbols,
    avg(s.squared_error::decimal(38, 15)) as squared_error,
    avg(s.brier::decimal(38, 15)) as brier,
    avg(s.crps::decimal(38, 15)) as crps,
    avg(b.squared_error::decimal(38, 15)) as baseline_squared_error,
    avg(b.brier::decimal(38, 15)) as baseline_brier,
    avg(b.crps::decimal(38, 15)) as baseline_crps,
    avg(s.covered_50::integer) as covered_50,
    avg(s.covered_80::integer) as covered_80,
    avg(s.covered_95::integer) as covered_95,
    avg((s.realised > 0)::integer) as rose,
    avg(((s.realised > 0) = (s.brier < 0.25))::integer) as called_up,
    avg((s.realised > 0 and s.brier < 0.25)::integer) as called_up_and_rose,
    avg((2 * s.realised * f.mean)::decimal(38, 15)) filter (f.mean <> 0) as product
from scores s
join scores b on b.model = 'random_walk' and b.market = s.market and b.target_session = s.target_session
    and b.symbol = s.symbol and b.origin = s.origin and b.horizon = s.horizon
join forecasts f on f.market = s.market and f.target_session = s.target_session and f.symbol = s.symbol
    and f.origin = s.origin and f.horizon = s.horizon and f.model = s.model
group by all;

create table if not exists daily_scores (
    market varchar not null,
    target_session date not null,
    origin date not null,
    horizon integer not null,
    model varchar not null,
    symbols integer not null check (symbols > 0),
    squared_error double not null,
    brier double not null,
    crps double not null,
    baseline_squared_error double not null,
    baseline_brier double not null,
    baseline_crps double not null,
    covered_50 double not null check (covered_50 between 0 and 1),
    covered_80 double not null check (covered_80 between 0 and 1),
    covered_95 double not null check (covered_95 between 0 and 1),
    rose double not null,
    called_up double not null,
    called_up_and_rose double not null,
    product double
);

create or replace view daily_losses as
select market, horizon, model, 'return' as question, origin, squared_error as loss,
    baseline_squared_error as baseline_loss
from daily_scores where model <> 'random_walk'
union all
select market, horizon, model, 'direction', origin, brier, baseline_brier
from daily_scores where model <> 'random_walk'
union all
select market, horizon, model, 'range', origin, crps, baseline_crps
from daily_scores where model <> 'random_walk'
union all
select s.market, s.horizon, s.model, 'rank', s.origin, s.rps, b.rps
from rank_scores s
join rank_scores b on b.model = 'random_walk' and b.market = s.market and b.origin = s.origin and b.horizon = s.horizon
where s.model <> 'random_walk';
