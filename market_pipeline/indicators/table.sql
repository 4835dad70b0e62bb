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
comment on table indicators is 'Indicators of every bar, scale-free or bounded: a later split or dividend changes none. NULL during lookbacks.';
comment on column indicators.gap_sma_20 is 'Close over its 20-session simple average, less 1';
comment on column indicators.gap_sma_50 is 'Close over its 50-session simple average, less 1';
comment on column indicators.gap_sma_200 is 'Close over its 200-session simple average, less 1';
comment on column indicators.gap_ema_12 is 'Close over its 12-session exponential average, less 1';
comment on column indicators.gap_ema_26 is 'Close over its 26-session exponential average, less 1';
comment on column indicators.macd_histogram is 'MACD (12, 26) less its 9-session signal, as a fraction of the close';
comment on column indicators.adx_14 is 'Average directional index (Wilder), 0 to 1: strength of a trend of either direction';
comment on column indicators.directional_14 is 'Plus less minus directional indicator (Wilder), -1 to 1';
comment on column indicators.aroon_25 is 'Aroon oscillator over 25 sessions, -1 to 1: above 0 when the highest high is newer than the lowest low';
comment on column indicators.slope_20 is 'Slope of the regression line through 20 log closes, log return per session';
comment on column indicators.return_1 is 'Log return over 1 session';
comment on column indicators.return_5 is 'Log return over 5 sessions';
comment on column indicators.return_20 is 'Log return over 20 sessions';
comment on column indicators.return_60 is 'Log return over 60 sessions';
comment on column indicators.rsi_2 is 'Relative strength index (Wilder) over 2 sessions, 0 to 1; NULL until the close first changes';
comment on column indicators.rsi_14 is 'Relative strength index (Wilder) over 14 sessions, 0 to 1; NULL until the close first changes';
comment on column indicators.stochastic_k_14 is 'Slow stochastic %K: mean of 3 places of the close in its 14-session range, 0 to 1; NULL without one';
comment on column indicators.stochastic_d_14 is 'Slow stochastic %D: 3-session mean of %K, 0 to 1; NULL without a range';
comment on column indicators.williams_14 is 'Williams %R over 14 sessions, -1 to 0; NULL without a range';
comment on column indicators.cci_20 is 'Commodity channel index over 20 sessions, hundredths';
comment on column indicators.ultimate_28 is 'Ultimate oscillator over 7, 14 and 28 sessions, 0 to 1; NULL when nothing moved for 7';
comment on column indicators.autocorrelation_60 is 'Correlation of each return with the one before over 60 sessions, -1 to 1; 0 when nothing moved';
comment on column indicators.carry_60 is 'Last return in units of its 20-session deviation, times autocorrelation_60; NULL when nothing moved';
comment on column indicators.natr_14 is 'Average true range over 14 sessions, fraction of the close';
comment on column indicators.true_range_1 is 'True range of the session, fraction of the close';
comment on column indicators.deviation_20 is 'Standard deviation of 20 log returns';
comment on column indicators.deviation_60 is 'Standard deviation of 60 log returns';
comment on column indicators.deviation_ratio is 'deviation_20 over deviation_60; NULL when nothing moved for 60 sessions';
comment on column indicators.bollinger_position_20 is 'Close within its Bollinger band (20 sessions, 2 deviations): -1 lower, 1 upper; NULL without a band';
comment on column indicators.bollinger_width_20 is 'Width of the Bollinger band, fraction of its middle';
comment on column indicators.drawdown_252 is 'Close over its highest close of 252 sessions, less 1';
comment on column indicators.rise_252 is 'Close over its lowest close of 252 sessions, less 1';
comment on column indicators.mfi_14 is 'Money flow index over 14 sessions, 0 to 1; NULL when no money moved';
comment on column indicators.obv_20 is 'Change of on-balance volume over 20 sessions, fraction of the volume, -1 to 1';
comment on column indicators.money_flow_20 is 'Change of Chaikin''s accumulation line over 20 sessions, fraction of the volume, -1 to 1';
comment on column indicators.volume_ratio_20 is 'Volume over its 20-session mean, 0 to 20';
comment on column indicators.volume_deviation_20 is 'Standard deviation of volume over its mean, 20 sessions';
comment on column indicators.volume_return_60 is 'Correlation of return and volume over 60 sessions, -1 to 1; 0 when either stood still';
