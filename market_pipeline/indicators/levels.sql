create view indicator_levels as
select
    market, symbol, session, p.adj_close,
    p.adj_close / (1 + gap_sma_20) as sma_20,
    p.adj_close / (1 + gap_sma_50) as sma_50,
    p.adj_close / (1 + gap_sma_200) as sma_200,
    p.adj_close / (1 + gap_ema_12) as ema_12,
    p.adj_close / (1 + gap_ema_26) as ema_26,
    p.adj_close / (1 + gap_sma_20) * (1 + bollinger_width_20 / 2) as bollinger_upper,
    p.adj_close / (1 + gap_sma_20) * (1 - bollinger_width_20 / 2) as bollinger_lower,
    p.adj_close * natr_14 as atr_14,
    p.adj_close / (1 + drawdown_252) as highest_252,
    p.adj_close / (1 + rise_252) as lowest_252
from indicators join prices p using (market, symbol, session);
comment on view indicator_levels is 'Indicators in price units, for charts, on the scale of adj_close.';
comment on column indicator_levels.adj_close is 'Close adjusted for all splits and dividends up to the newest session, quote currency';
comment on column indicator_levels.sma_20 is '20-session simple average of closes, quote currency';
comment on column indicator_levels.sma_50 is '50-session simple average of closes, quote currency';
comment on column indicator_levels.sma_200 is '200-session simple average of closes, quote currency';
comment on column indicator_levels.ema_12 is '12-session exponential average of closes, quote currency';
comment on column indicator_levels.ema_26 is '26-session exponential average of closes, quote currency';
comment on column indicator_levels.bollinger_upper is 'sma_20 plus 2 standard deviations of 20 closes, quote currency';
comment on column indicator_levels.bollinger_lower is 'sma_20 less 2 standard deviations of 20 closes, quote currency';
comment on column indicator_levels.atr_14 is 'Average true range over 14 sessions (Wilder), quote currency';
comment on column indicator_levels.highest_252 is 'Highest close of 252 sessions, quote currency';
comment on column indicator_levels.lowest_252 is 'Lowest close of 252 sessions, quote currency';
