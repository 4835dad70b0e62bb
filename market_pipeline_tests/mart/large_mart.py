"""A mart of 500 symbols of two markets, made by arithmetic alone, and its report."""

from pathlib import Path

from market_pipeline_tests.mart.small_mart import DAILY, LEADERBOARD, PIT, report_of

STOCKS = tuple(f"S{number:03}" for number in range(480))
COINS = tuple(f"C{number:02}-USD" for number in range(20))
SYMBOLS = (*STOCKS, *COINS)
WITHOUT = {
    "S477": "Its bars end on 2024-02-01. The source: rate limited.",
    "S478": "It has no bar. The source: no such ticker.",
    "S479": "Its history of 130 bars is too short.",
}
"""Symbols without a forecast, each with its reason."""

_MARKET = "case when symbol like 'C%' then 'crypto' else 'stocks' end"
_NUMBER = "substring(symbol, 2, 3 - (symbol like 'C%')::integer)::integer"

PRICES = f"""
insert into prices select {_MARKET}, symbol, date '2024-03-06' - day::integer, c, c, c, c, 1e6, 0, 1, c, $source
from unnest($symbols) as s(symbol), range($sessions) as r(day),
    (select (10 + 7 * {_NUMBER}) * exp(0.1 * sin(day / 9 + {_NUMBER}) + 0.004 * sin(day * (11 + {_NUMBER} % 7))) as c)
where symbol <> 'S478' and (symbol <> 'S477' or day > 34)
"""
FORECASTS = f"""
insert into forecasts
select {_MARKET}, symbol, origin, h, origin + h, model, 0.0004 * h, -1.96 * s, -1.64 * s, -1.28 * s, -0.67 * s, 0,
    0.67 * s, 1.28 * s, 1.64 * s, 1.96 * s, 0.5 + ({_NUMBER} * 13 % 41 - 20) / 200, date '2024-02-29',
    timestamp '2024-03-06 22:00:00', 'live'
from unnest($symbols) as u(symbol), range(81) as r(day), unnest([1, 5, 20]) as t(h),
    unnest(['har', 'random_walk']) as m(model), (select date '2024-03-06' - day::integer as origin,
    sqrt(h) * (0.004 + 0.0003 * ({_NUMBER} * 37 % 101)) * (1 + day % 5 / 50) as s)
where symbol not in {tuple(WITHOUT)}
"""
SIGNALS = """
insert into signals
select market, symbol, origin, horizon, case when p_up > 0.55 then 'up' else 'flat' end, p_up, mean, q10, q90, model,
    'beats_baseline', 'range'
from forecasts where model = 'har' and origin = (select max(origin) from forecasts)
"""
SCORES = """
insert into scores by name select market, symbol, origin, horizon, target_session, model, 0 as realised,
    case model when 'har' then 0.009 else 0.01 end as crps, true as covered_50, day(origin) % 5 > 0 as covered_80,
    true as covered_95
from forecasts where target_session <= date '2024-03-06'
"""
EARLIER = """
insert into earlier_signals select market, symbol, origin, horizon, p_up, mean, q10, q90, model
from forecasts where model = 'har' and origin = date '2024-03-05' and symbol <> 'S000'
"""
TAILS = """
insert into tails by name select market, symbol, origin, horizon, target_session, model, q025 as var_025,
    1.2 * q025 as es_025 from forecasts where model = 'har' and origin = date '2024-03-06'
"""
LISTED = "".join(
    f"delete from symbols where symbol = '{symbol}';"
    f"insert into symbols values ('stocks', '{symbol}', true, 0, 0, null, '{reason}');"
    for symbol, reason in WITHOUT.items()
)


def large_report(folder: Path) -> Path:
    """The report of the mart, which lies beside it."""
    rows = (PRICES, FORECASTS, SIGNALS, SCORES, EARLIER, TAILS, LEADERBOARD, DAILY, PIT)
    return report_of(folder, *rows, source="simulated", symbols=SYMBOLS, afterwards=LISTED)
