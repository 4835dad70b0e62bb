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
