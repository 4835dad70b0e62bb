"""What the mart has of portfolios: the newest forecast of the selected joint model, and what each symbol adds to it."""

from pathlib import Path

import pyarrow as pa

from market_pipeline.config.portfolios import RESERVED
from market_pipeline.errors import MarketPipelineError
from market_pipeline.mart.read import look_up, query
from market_pipeline.storage.tables.portfolios import CONSTANT

NEWEST = """
with champion as (
    select market, horizon, max_by(model, since) as model from champions where question = 'portfolio' group by all
),
tested as (
    select market, horizon, bool_or(p_value is not null) as tested from leaderboard where question = 'portfolio'
    group by all
),
capital as (
    select market, portfolio, origin, count(*) as positions, sum(abs(value)) as capital from portfolio_weights
    group by all
),
single as (
    select market, portfolio, origin, horizon, model, sum(single_es_025) as single_es_025 from portfolio_parts
    group by all
)
select p.*, s.single_es_025, w.positions, w.capital,
    coalesce(l.verdict, if(coalesce(t.tested, false), 'no_evidence', 'insufficient_data')) as verdict,
    'portfolio' as question
from portfolios p
left join champion c using (market, horizon)
left join tested t using (market, horizon)
left join leaderboard l on l.market = p.market and l.horizon = p.horizon and l.model = p.model
    and l.question = 'portfolio'
left join capital w on w.market = p.market and w.portfolio = p.portfolio and w.origin = p.origin
left join single s on s.market = p.market and s.portfolio = p.portfolio and s.origin = p.origin
    and s.horizon = p.horizon and s.model = p.model
where not starts_with(p.portfolio, $reserved) and p.model = coalesce(c.model, $baseline)
    and (p.market, p.portfolio, p.origin) in (
        select (market, portfolio, max(origin)) from portfolios group by market, portfolio
    )
"""
NAMES = "select distinct portfolio from portfolios where not starts_with(portfolio, $reserved) order by portfolio"
ALL = f"{NEWEST} order by p.market, p.portfolio, p.horizon"
ONE = f"{NEWEST} and upper(p.portfolio) = upper($portfolio) order by p.market, p.portfolio, p.horizon"
LARGEST = f"""
with newest as ({NEWEST})
select a.market, a.portfolio, a.horizon, a.symbol, w.weight, w.value, a.es_025 from portfolio_parts a
join newest using (market, portfolio, origin, horizon, model)
join portfolio_weights w using (market, portfolio, origin, symbol)
qualify row_number() over (partition by a.market, a.portfolio, a.horizon order by a.es_025, a.symbol) <= $count
order by a.market, a.portfolio, a.horizon, a.es_025, a.symbol
"""
PARTS = """
select a.market, a.portfolio, a.symbol, w.weight, w.value, a.origin, a.horizon, a.model, a.es_025, a.single_es_025
from portfolio_parts a
join portfolio_weights w using (market, portfolio, origin, symbol)
where upper(a.portfolio) = upper($portfolio) and (a.market, a.portfolio, a.origin) in (
    select (market, portfolio, max(origin)) from portfolios group by market, portfolio
)
order by a.market, a.horizon, a.model, a.es_025, a.symbol
"""


def read_portfolios(mart: Path, portfolio: str | None = None) -> pa.Table:
    """The newest forecasts of the configured portfolios, or of one: those of each horizon's selected joint model.

    The columns of `portfolios`, with `verdict` and its `question`, `positions`, `capital` (the sum of the sizes of all
    positions in quote currency, NULL where only weights are known) and `single_es_025`, the sum of the shortfalls of
    the positions alone.
    Raises MarketPipelineError for a portfolio that has none.
    """
    named = {"reserved": RESERVED, "baseline": CONSTANT}
    rows = look_up(mart, ALL, named) if portfolio is None else look_up(mart, ONE, named | {"portfolio": portfolio})
    if portfolio is not None and not rows.num_rows:
        known = (
            ", ".join(read_portfolio_names(mart)) or "none: name them in the markets file, below [market.portfolios]"
        )
        raise MarketPipelineError(f"The mart has no portfolio {portfolio!r}. It has {known}.")
    return rows


def read_largest_parts(mart: Path, count: int) -> pa.Table:
    """The symbols that add most to the shortfall of each row of `read_portfolios`, up to `count`, the largest first."""
    return query(mart, LARGEST, {"reserved": RESERVED, "baseline": CONSTANT, "count": count})


def read_parts(mart: Path, portfolio: str) -> pa.Table:
    """What each symbol adds to the shortfall of a portfolio at its newest origin, by horizon and joint model."""
    return look_up(mart, PARTS, {"portfolio": portfolio})


def read_portfolio_names(mart: Path) -> list[str]:
    """Every configured portfolio that has a forecast, in order; none in a mart that an earlier version published."""
    if not query(mart, "select 1 from duckdb_tables() where table_name = 'portfolios'").num_rows:
        return []
    names: list[str] = look_up(mart, NAMES, {"reserved": RESERVED})["portfolio"].to_pylist()
    return names
