"""The value of a data directory's forecasts, as the tables of docs/results.md: coverage, tails, skill, ranks, trading.

    python benchmarks/results.py DATA_DIRECTORY [market ...]

Reads the warehouse only. The selected model of an origin is the champion of a question (the range, where no other is
named) as the reviews up to that session had it, and the question's baseline before the first review.
"""

import sys
from pathlib import Path

import duckdb
import numpy as np
from arch.bootstrap import StationaryBootstrap

from market_pipeline.config.portfolios import RESERVED
from market_pipeline.models.joint.unchosen import LONG_SHORT, MINIMUM_VARIANCE
from market_pipeline.storage.tables.portfolios import CONSTANT

HISTORY = """
history as (
    select horizon, model, since,
        coalesce(lead(since) over (partition by horizon order by since), date '9999-01-01') as until
    from champions where market = $market and question = '{question}'
)
"""
SELECTED = f"""
with {HISTORY.format(question="range")}, selected as (
    select s.* from scores s left join history r on r.horizon = s.horizon and s.origin >= r.since and s.origin < r.until
    where s.market = $market and s.model = coalesce(r.model, 'random_walk')
)
select horizon, string_agg(distinct model, ', ' order by model) as models, count(*) as forecasts,
    count(distinct origin) as origins,
    avg(covered_50::int) as coverage_50, avg(covered_80::int) as coverage_80, avg(covered_95::int) as coverage_95
from selected group by horizon order by horizon
"""
COVERAGE = """
select horizon, model, count(*) as forecasts, avg(covered_50::int) as coverage_50, avg(covered_80::int) as coverage_80,
    avg(covered_95::int) as coverage_95 from scores where market = $market group by all order by all
"""
GROUPS = """
select horizon, coalesce(kind, 'in ' || year, 'all') as part, count(*) as forecasts,
    string_agg(distinct model, ', ' order by model), avg(covered_80::int), avg(exceeded_01::int),
    avg(exceeded_025::int), avg(exceeded_05::int), avg(crps)
from grouped group by grouping sets ((horizon), (horizon, kind), (horizon, year))
order by horizon, part <> 'all', part like 'in %', kind = 'wide', kind = 'middle', part
"""
SYMBOLS = f"""
with {HISTORY}, selected as (
    select s.*, f.q90 - f.q10 as width, year(s.origin) as year
    from scores s join forecasts f using (market, symbol, origin, horizon, model)
    left join history r on r.horizon = s.horizon and s.origin >= r.since and s.origin < r.until
    where s.market = $market and s.model = coalesce(r.model, 'random_walk')
), grouped as (
    select *, ['narrow', 'middle', 'wide'][ntile(3) over (partition by horizon order by width, symbol, origin)] as kind
    from selected
) {GROUPS}
"""
PORTFOLIOS = f"""
with {HISTORY.format(question="portfolio")}, grouped as (
    select s.*, s.realised < p.var_01 as exceeded_01, s.realised < p.var_025 as exceeded_025,
        s.realised < p.var_05 as exceeded_05, year(s.origin) as year,
        case when starts_with(s.portfolio, '{MINIMUM_VARIANCE}') then 'least variance'
            when s.portfolio in {LONG_SHORT} then 'long and short' else 'long' end as kind
    from portfolio_scores s join portfolios p using (market, portfolio, origin, horizon, model)
    left join history r on r.horizon = s.horizon and s.origin >= r.since and s.origin < r.until
    where s.market = $market and starts_with(s.portfolio, '{RESERVED}') and s.model = coalesce(r.model, '{CONSTANT}')
) {GROUPS}
"""
SKILL = """
select question, model, horizon, n_origins, skill, p_value, p_adjusted, verdict,
    (select value from tests t where t.market = l.market and t.horizon = l.horizon and t.model = l.model
        and t.question = l.question and t.test = 'effective_origins') as effective
from leaderboard l where market = $market order by all
"""
CHAMPIONS = "select horizon, question, since, model, reason from champions where market = $market order by all"
RANKS = """
select j.horizon, j.origin, j.rps, b.rps as base from rank_scores j
join rank_scores b using (market, origin, horizon)
where market = $market and j.model = 'joint' and b.model = 'random_walk'
order by j.horizon, j.origin
"""
STRATEGIES = "select * exclude (market) from strategies where market = $market order by horizon"
TESTS = """
select test, question, model, horizon, n_origins, value from tests
where market = $market and test <> 'effective_origins' order by all
"""
REPEATS = 2000


def table(head: str, rows: list[tuple[str, ...]]) -> None:
    names = [name.strip() for name in head.split("|")]
    print("| " + " | ".join(names) + " |\n|" + "---|" * len(names))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f} %"


def coverage(connection: duckdb.DuckDBPyConnection, market: str) -> None:
    print(f"### {market}: coverage of the ranges\n")
    selected = connection.execute(SELECTED, {"market": market}).fetchall()
    table(
        "horizon | selected models | forecasts | origins | coverage of 50 % | of 80 % | of 95 %",
        [(str(h), m, f"{n:,}", f"{o:,}", percent(a), percent(b), percent(c)) for h, m, n, o, a, b, c in selected],
    )
    found = connection.execute(COVERAGE, {"market": market}).fetchall()
    table(
        "horizon | model | forecasts | coverage of 50 % | of 80 % | of 95 %",
        [(str(h), m, f"{n:,}", percent(a), percent(b), percent(c)) for h, m, n, a, b, c in found],
    )


def parts(connection: duckdb.DuckDBPyConnection, market: str) -> None:
    """The selected models' ranges and tails by how wide the range is and by year; of portfolios, by their kind."""
    for title, query in (
        ("the selected ranges, by their width and by year", SYMBOLS.format(question="range")),
        ("the selected tails, by the width of the range and by year", SYMBOLS.format(question="tail")),
        ("the selected joint model, on portfolios that nobody chose", PORTFOLIOS),
    ):
        print(f"### {market}: {title}\n")
        rows = connection.execute(query, {"market": market}).fetchall()
        table(
            "horizon | part | forecasts | selected | coverage of 80 % | below the 1 % value at risk | 2.5 % | 5 % | "
            "CRPS",
            [
                (str(horizon), part, f"{count:,}", models, percent(covered),
                 *("" if share is None else percent(share, 2) for share in exceeded), f"{crps:.6f}")
                for horizon, part, count, models, covered, *exceeded, crps in rows
            ],
        )  # fmt: skip


def skill(connection: duckdb.DuckDBPyConnection, market: str) -> None:
    print(f"### {market}: skill against the random walk\n")
    rows = connection.execute(SKILL, {"market": market}).fetchall()
    table(
        "question | model | horizon | origins | effective origins | skill | p | p adjusted | verdict",
        [
            (
                q,
                m,
                str(h),
                f"{n:,}",
                f"{effective or 0:.0f}",
                f"{100 * s:+.2f} %",
                f"{p:.3f}",
                f"{a:.3f}",
                v.replace("_", " "),
            )
            if p is not None
            else (q, m, str(h), f"{n:,}", "", f"{100 * s:+.2f} %", "", "", v.replace("_", " "))
            for q, m, h, n, s, p, a, v, effective in rows
        ],
    )
    champions = connection.execute(CHAMPIONS, {"market": market}).fetchall()
    table("horizon | question | since | champion | reason", [tuple(map(str, row)) for row in champions])
    other = connection.execute(TESTS, {"market": market}).fetchall()
    table(
        "test | question | model | horizon | origins | value", [(*map(str, row[:5]), f"{row[5]:.3g}") for row in other]
    )


def ranks(connection: duckdb.DuckDBPyConnection, market: str) -> None:
    print(f"### {market}: ranks\n")
    rows = connection.execute(RANKS, {"market": market}).fetchnumpy()
    section = []
    for horizon in np.unique(rows["horizon"]):
        mine = rows["horizon"] == horizon
        years = rows["origin"][mine].astype("datetime64[Y]").astype(int) + 1970
        losses = np.column_stack([rows["rps"][mine], rows["base"][mine]])
        for year in [*np.unique(years), None]:
            part = losses if year is None else losses[years == year]
            low, high = interval(part, int(horizon))
            section.append(
                (str(horizon), "all" if year is None else str(year), f"{len(part):,}", f"{part[:, 0].mean():.5f}",
                 f"{part[:, 1].mean():.5f}", percent(skill_of(part), 2), f"{percent(low, 2)} to {percent(high, 2)}")
            )  # fmt: skip
    table("horizon | year | origins | RPS | RPS of 0.2 each | skill | 95 % interval", section)


def skill_of(losses: np.ndarray) -> float:
    return float(1 - losses[:, 0].mean() / losses[:, 1].mean())


def interval(losses: np.ndarray, horizon: int) -> tuple[float, float]:
    """Of the skill, by a stationary bootstrap (Politis & Romano 1994) with blocks of two horizons, ten at least."""
    draws = StationaryBootstrap(max(2 * horizon, 10), losses, seed=np.random.default_rng(19940101))
    found = draws.apply(skill_of, REPEATS)
    low, high = np.quantile(found, (0.025, 0.975))
    return float(low), float(high)


def trading(connection: duckdb.DuckDBPyConnection, market: str) -> None:
    print(f"### {market}: signal backtest, net of costs\n")
    found = connection.execute(STRATEGIES, {"market": market})
    names = [column[0] for column in found.description or []]
    table(" | ".join(names), [tuple(f"{value:.3g}" for value in row) for row in found.fetchall()])


def main(data_directory: Path, markets: list[str]) -> None:
    with duckdb.connect(str(data_directory / "warehouse.duckdb"), read_only=True) as connection:
        stored = [row[0] for row in connection.execute("select distinct market from scores order by all").fetchall()]
        for market in markets or stored:
            for section in (coverage, parts, skill, ranks, trading):
                section(connection, market)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
