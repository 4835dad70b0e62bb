"""A mart small enough to check by hand, with a symbol that is markup, and its report."""

from pathlib import Path

import duckdb

from market_pipeline.mart.publish import describe
from market_pipeline.mart.report.render import write_report
from market_pipeline.storage.catalog import MART

HOSTILE = "<b>X</b>"

TABLES = "".join(
    f"create table {table.name} ({', '.join(f'{one.name} {one.type}' for one in table.columns if one.published)});"
    for table in MART.values()
)
"""Without constraints, so that a test may leave out what it does not look at."""

PRICES = """
insert into prices select 'stocks', symbol, date '2024-03-06' - day::integer, c, c, c, c, 1e6, 0, 1, c, $source
from unnest($symbols) as s(symbol), range($sessions) as r(day), (select 100 + 10 * sin(r.day / 9) as c)
"""
FORECASTS = """
insert into forecasts select 'stocks', symbol, date '2024-03-06', h, date '2024-03-06' + h, model, 0.0125 * h,
    -0.06 * h, -0.05 * h, -0.031 * h, -0.02 * h, 0.01 * h, 0.03 * h, 0.047 * h, 0.05 * h, 0.08 * h, 0.61,
    date '2024-02-29', timestamp '2024-03-06 22:00:00', 'live'
from unnest($symbols) as s(symbol), unnest([1, 5]) as t(h), unnest(['linear', 'random_walk']) as m(model)
"""
OTHER_FORECASTS = """
update forecasts set q025 = 3 * q025, q10 = 3 * q10, q90 = 3 * q90, q975 = 3 * q975 where model = 'random_walk';
insert into forecasts select * replace (origin - 1 as origin, 2 * q10 as q10) from forecasts
"""
TAILS = """
insert into tails select market, symbol, origin, horizon, target_session, model, 1.5 * q025, 2 * q025, q025, 1.4 * q025,
    q05, 1.2 * q05 from forecasts
"""
SIGNALS = """
insert into signals
select market, symbol, origin, horizon, 'up', p_up, mean, q10, q90, model, 'beats_baseline', 'return'
from forecasts where model = 'linear' and origin = (select max(origin) from forecasts)
"""
LEADERBOARD = """
insert into leaderboard values
    ('stocks', 5, 'linear', 'return', 240, 0.0093, 0.0106, 0.123, 0.001, 0.004, 'beats_baseline'),
    ('stocks', 5, 'linear', 'range', 240, 0.0110, 0.0106, -0.034, 0.9, 0.9, 'worse'),
    ('stocks', 5, 'ewma', 'range', 240, 0.0105, 0.0106, 0.007, 0.3, 0.5, 'no_evidence'),
    ('stocks', 20, 'linear', 'rank', 3, null, null, null, null, null, 'insufficient_data'),
    ('stocks', 5, 'random_walk', 'return', 240, 0.0106, 0.0106, 0, null, null, 'no_evidence')
"""
SCORED = """
insert into scores by name select 'stocks' as market, 'AAA' as symbol, date '2024-01-01' + n::integer as origin,
    1 as horizon, date '2024-01-02' + n::integer as target_session, 'linear' as model, n < 48 as covered_50,
    n < 83 as covered_80, n < 97 as covered_95 from range(100) as r(n);
insert into daily_scores by name select market, target_session, origin, horizon, model, 1 as symbols, covered_50,
    covered_80, covered_95 from scores
"""
PIT = """
insert into pit values ('stocks', date '2024-01-02', 1, 'linear', 5, 5, 5, 10, 25, 25, 10, 5, 5, 5)
"""
DAILY = """
insert into daily_scores by name select market, target_session, origin, horizon, model, 1 as symbols,
    avg(covered_50::integer) as covered_50, avg(covered_80::integer) as covered_80,
    avg(covered_95::integer) as covered_95 from scores group by all
"""
COVERAGE = """
insert into coverage values ('stocks', '2023-12-29', 12, 12, 0, 0), ('stocks', '2024-03-05', 12, 9, 1, 2),
    ('stocks', '2024-03-06', 12, 12, 0, 0), ('empty', '2024-03-06', 3, 0, 0, 3)
"""
TESTS = """
insert into tests values ('stocks', 5, 'linear', 'return', 'clark_west', 240, 0.0123),
    ('stocks', 5, 'linear', 'return', 'e_value', 48, 1.26),
    ('stocks', 5, 'linear', 'return', 'effective_origins', 240, 61.4)
"""
RANKS = """
insert into ranks select 'stocks', 'S' || n, date '2024-03-06', 5, date '2024-03-13', model,
    0.10 + 0.01 * n, 0.2, 0.2, 0.2, 0.30 - 0.01 * n
from range(12) as r(n), unnest(['joint', 'random_walk']) as m(model);
insert into ranks select * replace (origin - 1 as origin, 0.9 as p_q5) from ranks;
"""
SYMMETRIC = "update ranks set p_q1 = p_q5"
STRATEGIES = """
insert into strategies values
    ('stocks', 1, 250, 0, 0.081, 0, 0, 0, 0, 0, 5, 24),
    ('stocks', 5, 250, 0.042, 0.081, 0.61, 0.31, 0.093, 12.3, 0.4, 5, 24)
"""
SUSPECT = """
insert into quarantine (market, symbol, session, rule, open, high, low, close, volume) values
    ('stocks', 'AAA', '2024-03-05', 'no price is above the high', 10, 11, 9, 12, 1e5),
    ('stocks', 'BBB', '2024-03-01', 'every price is a number', 'nan', 11, 9, null, 1e5);
insert into restatements (market, symbol, session, field, old, new, cause, known_at) values
    ('stocks', 'AAA', '2024-02-01', 'close', 101.5, 102.25, 'vendor fix', timestamp '2024-03-06 21:00:00')
"""
PORTFOLIOS = """
insert into portfolios by name select 'stocks' as market, n as portfolio, date '2024-03-06' as origin, h as horizon,
    date '2024-03-06' + h as target_session, model, 0 as mean, -0.02 * h as q10, 0.03 * h as q90, 0.55 as p_up,
    -0.06 * h as var_01, -0.08 * h as es_01, -0.04 * h as var_025, -0.05 * h as es_025, -0.03 * h as var_05,
    -0.04 * h as es_05
from unnest([$hostile, 'weights', 'test_equal']) as t(n), unnest([1, 5]) as u(h),
    unnest(['constant', 'shrunk']) as m(model);
insert into portfolio_weights by name select 'stocks' as market, n as portfolio, date '2024-03-06' as origin, symbol,
    0.75 * sign as weight, if(n = 'weights', null, 6000 * sign) as value
from unnest([$hostile, 'weights']) as t(n), (values ('AAA', 1), ($hostile, -1)) as s(symbol, sign);
insert into portfolio_parts by name select market, portfolio, origin, horizon, model, symbol, part * es_025 as es_025,
    0.8 * es_025 as single_es_025
from portfolios join portfolio_weights using (market, portfolio, origin)
join (values ('AAA', 1.25), ($hostile, -0.25)) as s(symbol, part) using (symbol);
insert into champions by name select 'stocks' as market, 5 as horizon, 'portfolio' as question,
    date '2024-02-29' as since, 'shrunk' as model;
insert into leaderboard by name select 'stocks' as market, 5 as horizon, 'shrunk' as model, 'portfolio' as question,
    500 as n_origins, 0.001 as loss, 0.0011 as baseline_loss, 0.09 as skill, 0.001 as p_value, 0.002 as p_adjusted,
    'beats_baseline' as verdict
""".replace("$hostile", f"'{HOSTILE}'")
CHANGES = """
insert into changes values
    ('stocks', 'session', null, '2024-03-05', null, null, null, null, null, null),
    ('stocks', 'session', null, '2024-03-06', null, null, null, null, null, null),
    ('stocks', 'champion', null, null, 5, 'return', null, null, 'random_walk', 'linear'),
    ('stocks', 'verdict', null, null, 5, 'return', 'linear', null, 'no_evidence', 'beats_baseline'),
    ('stocks', 'quarantine', 'AAA', '2024-03-05', null, null, null, null, null, 'no price is above the high'),
    ('stocks', 'restatement', 'AAA', '2024-02-01', null, null, null, 'close', '101.5', '102.25');
update meta set compared_with = timestamp '2024-03-05 22:10:00'
"""
FULL = (
    PRICES, FORECASTS, OTHER_FORECASTS, SIGNALS, LEADERBOARD, SCORED, PIT, COVERAGE, TESTS, RANKS, STRATEGIES, SUSPECT,
)  # fmt: skip


def report_of(
    folder: Path,
    *inserts: str,
    source: str = "files",
    symbols: tuple[str, ...] = ("AAA", HOSTILE),
    sessions: int = 130,
    afterwards: str = "",
) -> Path:
    """The report of a mart with these rows; `afterwards` runs once `meta` is there."""
    mart, report = folder / "mart.duckdb", folder / "report.html"
    mart.unlink(missing_ok=True)
    values = {"source": source, "symbols": list(symbols), "sessions": sessions}
    with duckdb.connect(str(mart)) as connection:
        connection.execute(TABLES)
        describe(connection)
        for insert in inserts:
            connection.execute(insert, {name: value for name, value in values.items() if f"${name}" in insert})
        connection.execute(
            "insert into meta by name select timestamp '2024-03-07 01:02:03' as published_at, $source as source, "
            "'9.8.7' as code_version, market, max(session) as newest_session, 'XNYS' as calendar, "
            "0 as sessions_behind, timestamp '2024-03-08 09:00:00' as current_until from prices group by market",
            {"source": source},
        )
        connection.execute(
            "insert into symbols select market, symbol, true, count(*), 0, max(session), null from prices group by all"
        )
        if afterwards:
            connection.execute(afterwards)
    write_report(mart, report)
    return report
