"""B11: ten typical queries of a notebook, of a mart with many symbols, five years and ten models."""

import time
from pathlib import Path

from generated import many

FIVE_YEARS = 1260
MODELS = ("random_walk", "drift", "ewma", "garch", "har", "logistic", "linear", "boosting", "prophet", "ensemble")
TABLES = ("forecasts", "scores", "signals", "leaderboard", "prices")
QUERIES = (
    "from forecasts where symbol = 'S00003' and horizon = 5 and model = 'har' order by origin",
    "select model, horizon, avg(crps) from scores group by all order by all",
    "select model, avg(covered_80::int) from scores where horizon = 20 group by all order by all",
    "select symbol, avg(brier) b from scores where model = 'linear' and horizon = 1 group by all order by b limit 10",
    "from signals where trend = 'up' order by p_up desc limit 20",
    "select year(origin) y, avg(abs_error) from scores where model = 'ewma' and horizon = 1 group by all order by y",
    "select session, close from prices where symbol = 'S00001' order by session desc limit 250",
    "select model, quantile_cont(realised, 0.5) from scores where horizon = 5 group by all order by all",
    "select origin, count(*) from forecasts where model = 'har' and horizon = 1 group by all order by 1 desc limit 5",
    "from leaderboard where verdict = 'beats_baseline' order by skill desc",
)


def mart(folder: Path, size: float) -> None:
    """A mart of generated rows in the shape, order and format of a published one, and the same as Parquet."""
    import duckdb

    from market_pipeline.mart.publish import ATTACHED, order_of
    from market_pipeline.storage.schema import quoted
    from market_pipeline.storage.tables.forecasts import QUANTILES
    from market_pipeline.storage.tables.scores import SCORES

    models = ", ".join(f"'{name}'" for name in MODELS)
    quantiles = ", ".join(f"random() as {name}" for name in (*QUANTILES, "p_up"))
    with duckdb.connect() as connection:
        connection.execute(ATTACHED.format(quoted(f"{folder}/mart.duckdb")))
        connection.execute(f"""
            create temp table keys as
            select 'bench' as market, format('S{{:05d}}', s) as symbol, date '2019-01-02' + o::integer as origin,
                h::integer as horizon, date '2019-01-02' + (o + h)::integer as target_session,
                m as model
            from range({many(size)}) a(s), range({FIVE_YEARS}) b(o), unnest([1, 5, 20]) c(h),
                unnest([{models}]) d(m)""")
        connection.execute("use mart")
        connection.execute(f"""
            create table forecasts as select *, 0.0 as mean, {quantiles}, origin as trained_through,
                timestamp '2025-01-01' as made_at, 'replayed' as mode from keys order by all""")
        connection.execute(f"""
            create table scores as select *, random() as realised, random() as abs_error, random() as squared_error,
                random() as crps, random() as brier, random() < 0.5 as covered_50, random() < 0.8 as covered_80,
                random() < 0.95 as covered_95 from keys order by {order_of(SCORES)}""")
        connection.execute("""
            create table signals as select market, symbol, horizon,
                case when random() < 0.3 then 'up' else 'flat' end as trend,
                random() as p_up from keys where model = 'har' and origin = date '2019-01-02'""")
        connection.execute("""
            create table leaderboard as select horizon, model, 'range' as question, random() as skill,
                case when random() < 0.2 then 'beats_baseline' else 'no_evidence' end as verdict
            from keys group by all""")
        connection.execute("""
            create table prices as select market, symbol, origin as session, random() as close from keys
            where model = 'har' and horizon = 1 order by all""")
        connection.execute("create table meta as select 'bench' as market")  # by which a reader knows a mart
        for table in TABLES:
            connection.execute(f"copy {table} to '{folder / table}.parquet'")


def ours(folder: Path, size: float) -> dict[str, float]:
    """Each through the mart's reader, which opens the file and closes it again, into a data frame."""
    import pandas as pd  # noqa: F401  both sides have it loaded

    from market_pipeline.mart.read import query

    times = []
    for sql in QUERIES:
        began = time.perf_counter()
        query(folder / "mart.duckdb", sql).to_pandas()
        times.append(time.perf_counter() - began)
    return {"seconds": sum(times), "slowest": max(times)}


def parquet(folder: Path, size: float) -> dict[str, float]:
    """What a notebook does without a database: read the columns from the file, then filter and group."""
    import pandas as pd

    def read(table: str, *columns: str) -> pd.DataFrame:
        return pd.read_parquet(folder / f"{table}.parquet", columns=list(columns) or None)

    began = time.perf_counter()
    f = read("forecasts")
    f[(f["symbol"] == "S00003") & (f["horizon"] == 5) & (f["model"] == "har")].sort_values("origin")
    read("scores", "model", "horizon", "crps").groupby(["model", "horizon"])["crps"].mean()
    s = read("scores", "model", "horizon", "covered_80")
    s[s["horizon"] == 20].groupby("model")["covered_80"].mean()
    s = read("scores", "symbol", "model", "horizon", "brier")
    s[(s["model"] == "linear") & (s["horizon"] == 1)].groupby("symbol")["brier"].mean().nsmallest(10)
    g = read("signals")
    g[g["trend"] == "up"].nlargest(20, "p_up")
    s = read("scores", "origin", "model", "horizon", "abs_error")
    s = s[(s["model"] == "ewma") & (s["horizon"] == 1)]
    s.groupby(pd.to_datetime(s["origin"]).dt.year)["abs_error"].mean()
    p = read("prices", "symbol", "session", "close")
    p[p["symbol"] == "S00001"].sort_values("session", ascending=False).head(250)
    s = read("scores", "model", "horizon", "realised")
    s[s["horizon"] == 5].groupby("model")["realised"].median()
    f = read("forecasts", "origin", "model", "horizon")
    f[(f["model"] == "har") & (f["horizon"] == 1)].groupby("origin").size().tail(5)
    b = read("leaderboard")
    b[b["verdict"] == "beats_baseline"].sort_values("skill", ascending=False)
    return {"seconds": time.perf_counter() - began}
