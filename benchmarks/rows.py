"""The rows of the benchmark: what is measured, beside what, and what was hoped for."""

from dataclasses import dataclass

from dagster_runs import FOUR_YEARS
from factors import stocks
from generated import many, sixty, some


@dataclass(frozen=True)
class Row:
    """One line of the table. A side is MODULE:FUNCTION; one of the package `peers` runs in the other environment."""

    name: str
    work: str
    against: str
    target: str
    ours: str
    theirs: str
    needs: tuple[str, ...] = ()
    """What is made once before either side runs."""
    at_least: float | None = None
    """Theirs over ours is the ratio, and has to reach this."""
    at_most: float | None = None
    """Ours over theirs is the ratio, and has to stay within this."""
    floor: bool = False
    """Ours over theirs is the ratio, and is reported."""
    slowest: float | None = None
    """Seconds within which the slowest of our parts has to stay."""

    def ratio(self, ours: float, theirs: float) -> float:
        return ours / theirs if self.at_most or self.floor else theirs / ours

    def met(self, ratio: float, slowest: float) -> bool | None:
        """Whether the target was reached; None without one."""
        if self.slowest and slowest > self.slowest:
            return False
        if self.at_most:
            return ratio <= self.at_most
        return None if self.at_least is None else ratio >= self.at_least


def rows_of(size: float) -> tuple[Row, ...]:
    """All rows with two sides, at a size; the full workload is size 1."""
    n, symbols = f"{many(size):,} symbols", f"{some(size):,} symbols"
    return (
        Row("B1", f"Prophet walk-forward, {symbols} x 60 origins, 750 bars",
            "the prophet package in a loop on all cores; 8 fits, scaled", ">= 500 x",
            "prophets:ours", "prophets:package", at_least=500),
        Row("B2", f"14 factors of Alpha158, {stocks(size):,} stocks, daily 2007-2020, cold, one core",
            "pyqlib, without its caches", ">= 5 x",
            "factors:ours", "peers.qlib_factors:qlib", ("factors:data",), at_least=5),
        Row("B3", f"38 indicators, {n} x 10 years, from and to the warehouse",
            "bare TA-Lib calls, DuckDB's bare read and write", "<= 1.5 x",
            "indicator_rows:ours", "indicator_rows:floor", ("generated:bars",), at_most=1.5),
        Row("B4a", f"the same indicators, {n} x 10 years, computed",
            "pandas-ta-classic; 5 symbols, scaled", ">= 20 x",
            "indicator_rows:computed", "peers.indicator_packages:pandas_ta", ("generated:bars",), at_least=20),
        Row("B4b", f"the same indicators, {n} x 10 years, computed", "ta; 5 symbols, scaled", ">= 20 x",
            "indicator_rows:computed", "peers.indicator_packages:ta", ("generated:bars",), at_least=20),
        Row("B5a", f"walk-forward of boosting, expectations, {symbols} x 6 months, 750 sessions each",
            "mlforecast's cross_validation", "no slower",
            "walk_forward:ours", "peers.ml_forecast:cross_validation", ("walk_forward:data",), at_least=1),
        Row("B5b", "the published model: with ranks as features, and calibrated ranges",
            "mlforecast's cross_validation, which makes neither", "reported",
            "walk_forward:published", "peers.ml_forecast:cross_validation", ("walk_forward:data", "walk_forward:ours")),
        Row("B6", f"random walk, drift and EWMA, {n} x 21 origins", "statsforecast's AutoETS; 5 symbols, scaled",
            "reported", "baselines:ours", "peers.auto_ets:auto_ets", ("generated:bars",)),
        Row("B7a", f"backfill of prices and indicators, {n} x 10 years, through Dagster, files source",
            "the same definitions with empty bodies", "<= 1.3 x",
            "dagster_runs:backfill", "dagster_runs:empty_backfill", ("generated:bars",), at_most=1.3),
        Row("B7b", "the same", "the same, with the pipeline's event log under it, too", "reported",
            "dagster_runs:backfill", "dagster_runs:empty_backfill_in_batches", ("generated:bars",), floor=True),
        Row("B8", f"a daily run of {n} after {FOUR_YEARS} sessions, process start to mart published",
            "the bare functions and one import of the definitions", "<= 1.3 x",
            "dagster_runs:daily", "dagster_runs:bare_daily",
            ("generated:bars", "dagster_runs:trained_home"), at_most=1.3),
        Row("B9a", f"writing indicators of {n} x 250 sessions", "dagster-duckdb's pandas I/O manager", "faster",
            "writes:ours", "peers.io_manager:io_manager", ("generated:year_of_indicators",), at_least=1),
        Row("B9b", f"writing indicators of {n} x 250 sessions", "DuckDB's bare insert from Arrow", "<= 1.3 x",
            "writes:ours", "writes:floor", ("generated:year_of_indicators",), at_most=1.3),
        Row("B11", f"ten notebook queries, {n} x 5 years, ten models", "pandas on the same data as Parquet",
            "faster, each under 100 ms",
            "queries:ours", "queries:parquet", ("queries:mart",), at_least=1, slowest=0.1),
        Row("B16a", f"a month of boosting and ridge regression, {sixty(size)} stocks, ranges calibrated",
            "mlforecast's fit, without ranges", "reported",
            "monthly:pooled", "peers.monthly:ml_forecast", ("monthly:data",)),
        Row("B16b", f"a month of GARCH, ETS and Theta, {sixty(size)} stocks, ranges calibrated",
            "statsforecast's fits at one origin", "reported",
            "monthly:single", "peers.monthly:stats_forecast", ("monthly:data",)),
    )  # fmt: skip
