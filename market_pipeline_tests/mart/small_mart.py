"""A mart small enough to check by hand, with a symbol that is markup, and its report."""

from importlib.resources import files
from pathlib import Path

import duckdb

from market_pipeline.mart.report.render import write_report

HOSTILE = "<b>X</b>"

TABLES = """
create table prices (market varchar, symbol varchar, session date, open double, high double, low double, close double,
    volume double, dividend double, split_ratio double, adj_close double, source varchar);
create table forecasts (market varchar, symbol varchar, origin date, horizon integer, target_session date,
    model varchar, mean double, q025 double, q05 double, q10 double, q25 double, q50 double, q75 double, q90 double,
    q95 double, q975 double, p_up double, trained_through date, made_at timestamp, mode varchar);
create table scores (market varchar, symbol varchar, origin date, horizon integer, target_session date, model varchar,
    realised double, abs_error double, squared_error double, crps double, brier double, covered_50 boolean,
    covered_80 boolean, covered_95 boolean);
create table daily_scores (market varchar, target_session date, origin date, horizon integer, model varchar,
    symbols integer, covered_50 double, covered_80 double, covered_95 double);
create table pit (market varchar, target_session date, horizon integer, model varchar, below_q025 integer,
    below_q05 integer, below_q10 integer, below_q25 integer, below_q50 integer, below_q75 integer, below_q90 integer,
    below_q95 integer, below_q975 integer, above_q975 integer);
create table leaderboard (market varchar, horizon integer, model varchar, question varchar, n_origins integer,
    loss double, baseline_loss double, skill double, p_value double, p_adjusted double, verdict varchar);
create table signals (market varchar, symbol varchar, as_of date, horizon integer, trend varchar, p_up double,
    expected_return double, low_80 double, high_80 double, model varchar, verdict varchar);
create table coverage (market varchar, session date, expected integer, present integer, rejected integer,
    missing integer);
create table tests (market varchar, horizon integer, model varchar, question varchar, test varchar, n_origins integer,
    value double);
create table ranks (market varchar, symbol varchar, origin date, horizon integer, target_session date, model varchar,
    p_q1 double, p_q2 double, p_q3 double, p_q4 double, p_q5 double);
create table strategies (market varchar, horizon integer, sessions integer, net_return double, buy_and_hold double,
    sharpe double, deflated_sharpe double, max_drawdown double, turnover double, exposure double, cost_bps double,
    trials integer);
create table quarantine (market varchar, symbol varchar, session date, rule varchar, open double, high double,
    low double, close double, volume double);
create table restatements (market varchar, symbol varchar, session date, field varchar, old double, new double,
    cause varchar, known_at timestamp);
create table changes (market varchar, kind varchar, symbol varchar, session date, horizon integer, question varchar,
    model varchar, field varchar, before varchar, after varchar);
create table meta (published_at timestamp, compared_with timestamp, source varchar, code_version varchar,
    market varchar, newest_session date);
"""
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
OTHERS = """
update forecasts set q025 = 3 * q025, q10 = 3 * q10, q90 = 3 * q90, q975 = 3 * q975 where model = 'random_walk';
insert into forecasts select * replace (origin - 1 as origin, 2 * q10 as q10) from forecasts
"""
SIGNALS = """
insert into signals select market, symbol, origin, horizon, 'up', p_up, mean, q10, q90, model, 'beats_baseline'
from forecasts where model = 'linear' and origin = (select max(origin) from forecasts)
"""
JUDGED = """
insert into leaderboard values
    ('stocks', 5, 'linear', 'return', 240, 0.0093, 0.0106, 0.123, 0.001, 0.004, 'beats_baseline'),
    ('stocks', 5, 'linear', 'range', 240, 0.0110, 0.0106, -0.034, 0.9, 0.9, 'worse'),
    ('stocks', 5, 'ewma', 'range', 240, 0.0105, 0.0106, 0.007, 0.3, 0.5, 'no_evidence'),
    ('stocks', 20, 'linear', 'rank', 3, null, null, null, null, null, 'insufficient_data'),
    ('stocks', 5, 'random_walk', 'return', 240, 0.0106, 0.0106, 0, null, null, 'no_evidence')
"""
DUE = """
insert into scores select 'stocks', 'AAA', date '2024-01-01' + n::integer, 1, date '2024-01-02' + n::integer, 'linear',
    0, 0, 0, 0, 0, n < 48, n < 83, n < 97 from range(100) as r(n);
insert into daily_scores select market, target_session, origin, horizon, model, 1, covered_50, covered_80, covered_95
from scores
"""
FELL = """
insert into pit values ('stocks', date '2024-01-02', 1, 'linear', 5, 5, 5, 10, 25, 25, 10, 5, 5, 5)
"""
COVERED = """
insert into coverage values ('stocks', '2023-12-29', 12, 12, 0, 0), ('stocks', '2024-03-05', 12, 9, 1, 2),
    ('stocks', '2024-03-06', 12, 12, 0, 0), ('empty', '2024-03-06', 3, 0, 0, 3)
"""
TESTED = """
insert into tests values ('stocks', 5, 'linear', 'return', 'clark_west', 240, 0.0123),
    ('stocks', 5, 'linear', 'return', 'e_value', 48, 1.26),
    ('stocks', 5, 'linear', 'return', 'effective_origins', 240, 61.4)
"""
RANKED = """
insert into ranks select 'stocks', 'S' || n, date '2024-03-06', 5, date '2024-03-13', model,
    0.10 + 0.01 * n, 0.2, 0.2, 0.2, 0.30 - 0.01 * n
from range(12) as r(n), unnest(['joint', 'random_walk']) as m(model);
insert into ranks select * replace (origin - 1 as origin, 0.9 as p_q5) from ranks;
"""
SYMMETRIC = "update ranks set p_q1 = p_q5"
FOLLOWED = """
insert into strategies values
    ('stocks', 1, 250, 0, 0.081, 0, 0, 0, 0, 0, 5, 24),
    ('stocks', 5, 250, 0.042, 0.081, 0.61, 0.31, 0.093, 12.3, 0.4, 5, 24)
"""
DOUBTED = """
insert into quarantine values ('stocks', 'AAA', '2024-03-05', 'no price is above the high', 10, 11, 9, 12, 1e5),
    ('stocks', 'BBB', '2024-03-01', 'every price is a number', 'nan', 11, 9, null, 1e5);
insert into restatements values
    ('stocks', 'AAA', '2024-02-01', 'close', 101.5, 102.25, 'vendor fix', timestamp '2024-03-06 21:00:00')
"""
CHANGED = """
insert into changes values
    ('stocks', 'session', null, '2024-03-05', null, null, null, null, null, null),
    ('stocks', 'session', null, '2024-03-06', null, null, null, null, null, null),
    ('stocks', 'champion', null, null, 5, 'return', null, null, 'random_walk', 'linear'),
    ('stocks', 'verdict', null, null, 5, 'return', 'linear', null, 'no_evidence', 'beats_baseline'),
    ('stocks', 'quarantine', 'AAA', '2024-03-05', null, null, null, null, null, 'no price is above the high'),
    ('stocks', 'restatement', 'AAA', '2024-02-01', null, null, null, 'close', '101.5', '102.25');
update meta set compared_with = timestamp '2024-03-05 22:10:00'
"""
FULL = (PRICES, FORECASTS, OTHERS, SIGNALS, JUDGED, DUE, FELL, COVERED, TESTED, RANKED, FOLLOWED, DOUBTED)


def report_of(
    folder: Path,
    *inserts: str,
    source: str = "files",
    symbols: tuple[str, ...] = ("AAA", HOSTILE),
    sessions: int = 130,
    afterwards: str = "",
) -> Path:
    """The report of a mart that these inserts filled; `afterwards` runs once `meta` is there."""
    mart, report = folder / "mart.duckdb", folder / "report.html"
    mart.unlink(missing_ok=True)
    values = {"source": source, "symbols": list(symbols), "sessions": sessions}
    with duckdb.connect(str(mart)) as connection:
        connection.execute(TABLES)
        connection.execute((files("market_pipeline") / "mart" / "table.sql").read_text(encoding="utf-8"))
        for insert in inserts:
            connection.execute(insert, {name: value for name, value in values.items() if f"${name}" in insert})
        connection.execute(
            "insert into meta select timestamp '2024-03-07 01:02:03', null, $source, '9.8.7', market, max(session) "
            "from prices group by market",
            {"source": source},
        )
        if afterwards:
            connection.execute(afterwards)
    write_report(mart, report)
    return report
