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
comment on table scores is 'Forecasts that came due, against what happened.';
comment on column scores.market is 'Name of the market in the configuration';
comment on column scores.symbol is 'Symbol as the source spells it';
comment on column scores.origin is 'Session at whose close the forecast was made';
comment on column scores.horizon is 'Sessions from the origin to the target session';
comment on column scores.target_session is 'Session whose close the forecast was for';
comment on column scores.model is 'Forecaster that made it';
comment on column scores.realised is 'Log return from the origin to the target session, dividends reinvested';
comment on column scores.abs_error is 'Distance of the median from what happened, log return';
comment on column scores.squared_error is 'Squared distance of the mean from what happened, squared log return';
comment on column scores.crps is 'Continuous ranked probability score of the distribution, log return';
comment on column scores.brier is 'Squared distance of p_up from 1 if it rose, 0 if not';
comment on column scores.covered_50 is 'What happened lay between q25 and q75';
comment on column scores.covered_80 is 'What happened lay between q10 and q90';
comment on column scores.covered_95 is 'What happened lay between q025 and q975';

create table if not exists rank_scores (
    market varchar not null,
    origin date not null,
    horizon integer not null,
    model varchar not null,
    rps double not null check (rps between 0 and 1)
);
comment on table rank_scores is 'Ranked probability score of the rank forecasts of one origin; 0.16 for 0.2 in each fifth.';
comment on column rank_scores.market is 'Name of the market in the configuration';
comment on column rank_scores.origin is 'Session at whose close the ranks were forecast';
comment on column rank_scores.horizon is 'Sessions from the origin to the target session';
comment on column rank_scores.model is 'Forecaster that made them';
comment on column rank_scores.rps is 'Mean over symbols; 0 is perfect';

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
comment on table pit is 'How many outcomes fell between which quantiles of their forecasts: the counts of a PIT histogram.';
comment on column pit.target_session is 'Session whose close the forecasts were for';
comment on column pit.below_q025 is 'Outcomes at or below the lowest quantile; 2.5 % of them should be';
comment on column pit.above_q975 is 'Outcomes above the highest quantile; 2.5 % of them should be';

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
comment on table leaderboard is 'Each model against the random walk, by horizon and question; on the symbols of the configuration, so of survivors, which both are scored on.';
comment on column leaderboard.market is 'Name of the market in the configuration';
comment on column leaderboard.horizon is 'Sessions from the origin to the target session';
comment on column leaderboard.model is 'Forecaster that is judged';
comment on column leaderboard.question is 'return: squared error; direction: Brier; range: CRPS; rank: RPS';
comment on column leaderboard.n_origins is 'Origins scored for both model and baseline';
comment on column leaderboard.loss is 'Mean over origins of the cross-sectional mean loss';
comment on column leaderboard.baseline_loss is 'The same of the random walk, for the same symbols and origins';
comment on column leaderboard.skill is '1 - loss / baseline_loss';
comment on column leaderboard.p_value is 'One-sided Diebold-Mariano test that the loss is smaller; NULL without enough origins';
comment on column leaderboard.p_adjusted is 'Benjamini-Hochberg over all contests of the market';
comment on column leaderboard.verdict is 'beats_baseline, no_evidence, worse or insufficient_data';

create table if not exists champions (
    market varchar not null,
    horizon integer not null,
    question varchar not null check (question in ('return', 'direction', 'range', 'rank')),
    since date not null,
    model varchar not null,
    reason varchar not null
);
comment on table champions is 'Every change of the model that has earned a question, as the reviews at the ends of months made it with what was known then.';
comment on column champions.since is 'Session of the review that made it champion';
comment on column champions.model is 'Champion from then on: random_walk until something has beaten it';
comment on column champions.reason is 'Why it took over, or why the one before lost the title';

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
comment on table tests is 'What other tests say beside the verdicts.';
comment on column tests.test is 'clark_west: does it predict a return at all; pesaran_timmermann: do its calls and rises come together; model_confidence_set: may it be the best of its question; e_value: how strongly a champion has come to lose; effective_origins: how many that do not overlap they are worth';
comment on column tests.n_origins is 'Origins it rests on; for e_value those that do not overlap';
comment on column tests.value is 'P-value; for e_value the evidence, which passes 20 with a chance of at most 5 % while nothing is wrong; for effective_origins their number';

create table if not exists tried (
    market varchar not null,
    model varchar not null,
    settings varchar not null
);
comment on table tried is 'Every setting of every model that was ever judged: each counts when p-values are adjusted for their number.';
comment on column tried.settings is 'The model as code spells it, with all its settings';

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
comment on table strategies is 'What following the signals would have earned: the trend of whoever was champion then, taken at the next close, after costs; on symbols that survived.';
comment on column strategies.sessions is 'Sessions from the first origin to the newest close';
comment on column strategies.net_return is 'Compound growth in a year, after costs';
comment on column strategies.buy_and_hold is 'The same of holding all symbols in equal parts, before costs';
comment on column strategies.sharpe is 'Mean over standard deviation of daily net returns, for a year';
comment on column strategies.deflated_sharpe is 'Probability that the true Sharpe ratio is above 0, given how many models were tried';
comment on column strategies.max_drawdown is 'Largest fall from a peak, as a share of it';
comment on column strategies.turnover is 'Share of the capital traded in a year';
comment on column strategies.exposure is 'Mean share of the capital that is invested';
comment on column strategies.cost_bps is 'Cost of trading in basis points of the value traded';
comment on column strategies.trials is 'Models and horizons that were tried on return or direction';

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
comment on table signals is 'The newest forecast of the champion of each horizon.';
comment on column signals.as_of is 'Origin of the forecast';
comment on column signals.trend is 'up or down when mean and probability agree, else flat';
comment on column signals.expected_return is 'Mean log return';
comment on column signals.low_80 is 'Log return, quantile 0.10';
comment on column signals.high_80 is 'Log return, quantile 0.90';
comment on column signals.model is 'Champion of the horizon: random_walk unless something has beaten it';
comment on column signals.verdict is 'Verdict that stands behind the champion';

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
comment on table daily_scores is 'The scores of one origin, horizon and model: means over the symbols of the market, beside those of the random walk for the same symbols. Averages over days and models read this, not every score.';
comment on column daily_scores.market is 'Name of the market in the configuration';
comment on column daily_scores.target_session is 'Session whose close the forecasts were for';
comment on column daily_scores.origin is 'Session at whose close the forecasts were made';
comment on column daily_scores.horizon is 'Sessions from the origin to the target session';
comment on column daily_scores.model is 'Forecaster that made them';
comment on column daily_scores.symbols is 'Symbols they are means over: both this model and the walk were scored on each';
comment on column daily_scores.squared_error is 'Mean squared distance of the mean from what happened, squared log return';
comment on column daily_scores.brier is 'Mean squared distance of p_up from 1 if it rose, 0 if not';
comment on column daily_scores.crps is 'Mean continuous ranked probability score, log return';
comment on column daily_scores.baseline_squared_error is 'squared_error of the random walk, for the same symbols';
comment on column daily_scores.baseline_brier is 'brier of the random walk, for the same symbols';
comment on column daily_scores.baseline_crps is 'crps of the random walk, for the same symbols';
comment on column daily_scores.covered_50 is 'Share of what happened that lay between q25 and q75';
comment on column daily_scores.covered_80 is 'Share of what happened that lay between q10 and q90';
comment on column daily_scores.covered_95 is 'Share of what happened that lay between q025 and q975';
comment on column daily_scores.rose is 'Share of the symbols that rose';
comment on column daily_scores.called_up is 'Share of the symbols whose p_up was above one half';
comment on column daily_scores.called_up_and_rose is 'Share of the symbols whose p_up was above one half and that rose';
comment on column daily_scores.product is 'Mean of twice the return times its forecast, over forecasts that are not zero: what the test of Clark & West needs; NULL where all are';

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
