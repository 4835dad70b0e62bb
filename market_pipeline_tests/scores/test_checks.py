"""Ranges that hold on average and not by their width are found."""

import duckdb
import pytest

from market_pipeline.scores.checks import APART, RANGES_OFF

TABLES = """
create table signals as select 'stocks' as market, 5 as horizon, 'har' as model;
create table forecasts as select 'stocks' as market, 'S' || s as symbol, date '2020-01-01' + d::integer as origin,
    5 as horizon, 'har' as model, -s / 100 as q10, s / 100 as q90 from range(1, 4) as a(s), range($days) as b(d);
create table scores as select market, symbol, origin, horizon, model,
    (origin - date '2020-01-01') % 50 * 2 < case symbol when 'S1' then $narrow when 'S2' then 80 else 160 - $narrow end
    as covered_80 from forecasts
"""
DAYS = 5 * APART


@pytest.mark.parametrize(
    ("narrow", "days", "found"),
    [(80, DAYS, []), (66, DAYS, [("narrow", 0.66), ("wide", 0.94)]), (66, DAYS - 1, [])],
)
def test_each_third_of_the_width_holds_as_stated(narrow: int, days: int, found: list[tuple[str, float]]) -> None:
    database = duckdb.connect()
    database.execute(TABLES.replace("$days", str(days)).replace("$narrow", str(narrow)))
    rows = database.execute(RANGES_OFF, {"market": "stocks"}).fetchall()
    assert [(width, pytest.approx(share, abs=0.03)) for _, _, width, share in rows] == found
