create view forecast_prices as
select
    f.market, f.symbol, f.origin, f.horizon, f.target_session, f.model,
    p.adj_close as origin_price,
    p.adj_close * exp(f.mean) as mean,
    p.adj_close * exp(f.q025) as q025,
    p.adj_close * exp(f.q05) as q05,
    p.adj_close * exp(f.q10) as q10,
    p.adj_close * exp(f.q25) as q25,
    p.adj_close * exp(f.q50) as q50,
    p.adj_close * exp(f.q75) as q75,
    p.adj_close * exp(f.q90) as q90,
    p.adj_close * exp(f.q95) as q95,
    p.adj_close * exp(f.q975) as q975,
    f.p_up, f.trained_through, f.made_at, f.mode
from forecasts f
join prices p on p.market = f.market and p.symbol = f.symbol and p.session = f.origin;
comment on view forecast_prices is 'Forecasts in price units: the origin''s adjusted close times the exponential of the log return.';
comment on column forecast_prices.origin_price is 'Adjusted close at the origin, quote currency';
comment on column prices.adj_close is 'Close adjusted for all splits and dividends up to the newest session, quote currency';
comment on table meta is 'When this file was published, from what, by which version.';

comment on column meta.compared_with is 'When the publication that `changes` compares with was made, UTC; NULL without one';
comment on table changes is 'What this publication has that the one before had not, or had otherwise.';
comment on column changes.kind is 'session: a new one; champion, verdict: another than before; quarantine, restatement: a bar newly so';
comment on column changes.field is 'Column of prices that was restated; bar for one that came late';
comment on column changes.before is 'Champion, verdict or value until then; NULL for none';
comment on column changes.after is 'Champion, verdict or value since then; the rule that a quarantined bar broke';
