"""The `prices` asset of a market: ask the source, judge the bars, store what is good and say what is not."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import dagster as dg
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from market_pipeline.config.markets import Market
from market_pipeline.errors import SourceError
from market_pipeline.orchestration.partitions import session_partitions, span_of
from market_pipeline.orchestration.ui_metadata import asset_tags, record_metadata, table_metadata
from market_pipeline.prices.intake import Intake, added, asked_again, coverage_rows, numbered, refused, sort_bars
from market_pipeline.prices.restatements import reconcile, rescaled, to_recompute
from market_pipeline.prices.rules import LOOKBACK
from market_pipeline.sources.protocol import Fetched, Source, pieces_of
from market_pipeline.storage.tables.prices import BARS
from market_pipeline.storage.warehouse import Transaction, Warehouse

OVERLAP = 10
"""Sessions before the asked ones that are read again: vendors settle volumes and mend bars for about two weeks."""

AT_ONCE = 2_000_000
"""Bars whose coverage is counted at once."""

COVERED = "select session, attempts from coverage where market = $market and session between $first and $last"
HELD = """
select * exclude (market) from prices
where market = $market and symbol in (select unnest($symbols)) and session between $first and $last
"""
WITHIN = "select distinct symbol from prices where market = $market and session between $first and $last"
BEYOND = """
select distinct symbol from prices where market = $market and session not between $first and $last and final
"""
ASKED = """
select symbol, first_session, last_session, max(attempt) as attempt from outcomes
where market = $market and symbol in (select unnest($symbols)) and last_session between $first and $last group by all
"""
STORED = """
select symbol, session from prices
where market = $market and symbol in (select unnest($symbols)) and session between $first and $last and final
"""
QUARANTINED = """
select symbol, session from quarantine
where market = $market and symbol in (select unnest($symbols)) and session between $first and $last
"""


class PricesConfig(dg.Config):
    """What the launch pad may change of a run."""

    symbols: list[str] = Field(default=[], description="The only symbols to ask for; all of the market when empty.")


@dataclass(frozen=True)
class Run:
    """The sessions that a run asks for, and what was there when it began: no piece is judged by an earlier one."""

    first: dt.date
    last: dt.date
    since: dt.date
    """The first session that is read again."""
    covered: np.ndarray
    """The sessions from `since` that were asked for before."""
    within: list[str]
    """Symbols with a bar from `since` to `last`."""
    beyond: list[str]
    """Symbols with a final bar outside of these."""


@dataclass(frozen=True)
class Stored:
    """What a piece of an answer came to, but for the bars."""

    restatements: pa.Table
    outcomes: pa.Table
    answered: tuple[str, ...]
    failed: dict[str, str]
    """Symbol to cause; those that were refused because of what was stored of them are among them."""


def prices_asset(market: Market) -> dg.AssetsDefinition:
    """The asset `<market>/prices`."""

    @dg.asset(
        key=[market.name, "prices"],
        group_name=market.name,
        partitions_def=session_partitions(market),
        backfill_policy=dg.BackfillPolicy.single_run(),
        freshness_policy=dg.FreshnessPolicy.time_window(fail_window=dt.timedelta(days=5)),
        kinds={"duckdb", "table"},
        owners=["team:data"],
        metadata=table_metadata(market.name, BARS),
        tags=asset_tags(market.name, "session"),
    )
    def prices(
        context: dg.AssetExecutionContext,
        config: PricesConfig,
        warehouse: dg.ResourceParam[Warehouse],
        source: dg.ResourceParam[Source],
    ) -> dg.MaterializeResult[None]:
        """One bar per symbol and session, as traded that day, with its dividend and split; bad bars in quarantine."""
        span = span_of(context)
        now = dt.datetime.now(dt.UTC)
        asked = [symbol for symbol in market.symbols if symbol in (config.symbols or market.symbols)]
        with warehouse.transaction(market.name) as transaction:
            run = begin(transaction, market, span.first, span.last)
        arriving = pieces_of(source, market, asked, lookback_start(market, run.since), run.last)
        pieces, notes = list[Stored](), list[str]()
        for fetched in with_lookback(arriving, market, run.first):
            first, last = sessions_in(market, fetched, run)
            intake = sort_bars(fetched, market, source.name, first, last, now)
            with warehouse.transaction(market.name) as transaction:
                pieces.append(store(transaction, market, intake, run, first, last))
            notes.extend(fetched.notes)
        with warehouse.transaction(market.name) as transaction:
            coverage = cover(transaction, market, span.first, span.last, now)
        for note in notes:
            context.log.warning("%s", note)
        failed = {symbol: cause for piece in pieces for symbol, cause in piece.failed.items()}
        if not any(piece.answered for piece in pieces):
            raise SourceError(
                f"{market.name}: no symbol arrived from {source.name}; what was stored stays as it was. "
                + "; ".join(f"{symbol}: {cause}" for symbol, cause in list(failed.items())[:3])
            )
        for symbol, cause in failed.items():
            context.log.warning("%s did not arrive: %s", symbol, cause)
        totals = {name: sum(coverage[name].to_pylist()) for name in ("expected", "present", "rejected", "missing")}
        restatements = pa.concat_tables(piece.restatements for piece in pieces)
        told = {
            "sessions of the run": coverage.num_rows,
            "coverage of the run": totals["present"] / max(totals["expected"], 1),
            **{f"bars {name}": count for name, count in totals.items()},
            "did not arrive": failed,
            "outcomes": dict(Counter(status for piece in pieces for status in piece.outcomes["status"].to_pylist())),
            "left out of the source": notes,
            "values restated": restatements.num_rows,
            "partitions to compute anew": to_recompute(restatements, span.last),
        }
        record_metadata(context, numbers_of(coverage), told)
        return dg.MaterializeResult()

    return prices


def numbers_of(coverage: pa.Table) -> dict[str, dict[str, float]]:
    """What the UI plots of each session."""
    return {
        row["session"].isoformat(): {
            "dagster/partition_row_count": row["present"],
            "bars in quarantine": row["rejected"],
            "bars that are missing": row["missing"],
            "coverage": row["present"] / max(row["expected"], 1),
        }
        for row in coverage.to_pylist()
    }


def reread_start(market: Market, first: dt.date) -> dt.date:
    """The session OVERLAP sessions before `first`: what vendors still change there is noticed."""
    return _sessions_before(market, first, OVERLAP)


def lookback_start(market: Market, first: dt.date) -> dt.date:
    """The session LOOKBACK sessions before `first`: faults judge a bar by what came before it."""
    return _sessions_before(market, first, LOOKBACK)


def _sessions_before(market: Market, first: dt.date, count: int) -> dt.date:
    before = market.sessions_between(market.start, first)
    start: dt.date = before[-min(count + 1, len(before))].item()
    return start


def sessions_in(market: Market, fetched: Fetched, run: Run) -> tuple[dt.date, dt.date]:
    """The first and the last of the run's sessions that a piece answers for."""
    begins, ends = fetched.days or (run.first, run.last)
    sessions = market.sessions_between(max(begins, run.first), min(ends, run.last))
    return sessions[0].item(), sessions[-1].item()


def begin(transaction: Transaction, market: Market, first: dt.date, last: dt.date) -> Run:
    """A run of the sessions from `first` to `last`."""
    since = reread_start(market, first)
    span = {"market": market.name, "first": since, "last": last}
    covered = transaction.read(COVERED, span)["session"].to_numpy().astype("datetime64[D]")
    within, beyond = (transaction.read(sql, span)["symbol"].to_pylist() for sql in (WITHIN, BEYOND))
    return Run(first, last, since, covered, within, beyond)


def with_lookback(pieces: Iterable[Fetched], market: Market, first: dt.date) -> Iterator[Fetched]:
    """The pieces of an answer; those of later days with the LOOKBACK sessions before them.

    What ends before `first`, which nobody asked for on its own, comes with the next piece.
    """
    past, notes = list[pd.DataFrame](), tuple[str, ...]()
    for fetched in pieces:
        if fetched.days is None:
            yield fetched
            continue
        ends = fetched.days[1]
        bars = pd.concat([*past, fetched.bars], ignore_index=True)
        notes += fetched.notes
        if ends < first:
            past = [bars]
            continue
        yield replace(fetched, bars=bars, notes=notes)
        recent = lookback_start(market, ends + dt.timedelta(days=1))
        past, notes = [bars[bars["session"] >= pd.Timestamp(recent)]], ()


def store(transaction: Transaction, market: Market, intake: Intake, run: Run, first: dt.date, last: dt.date) -> Stored:
    """Write what is new or changed of a piece from `first` to `last`, its quarantine and outcomes.

    The piece with the run's first session has the covered ones before it as well. Sessions of the overlap that were
    never asked for stay untouched, so that any order of runs ends the same.
    """
    since = run.since if first == run.first else first
    # What an earlier piece left stored says whether a symbol is on its scale: a short piece alone could not tell.
    seen = max(run.since, lookback_start(market, first))
    names = intake.outcomes["symbol"].to_pylist()
    covered = run.covered[(run.covered >= np.datetime64(since)) & (run.covered <= np.datetime64(last))]
    mine = np.union1d(covered, market.sessions_between(first, last))
    held = transaction.read(HELD, {"market": market.name, "first": seen, "last": last, "symbols": names})
    intake = refused(intake, rescaled(held, intake.prices, run.beyond))
    arriving = _of(intake.prices, mine, pa.array(intake.answered, pa.string()))
    found = reconcile(held.select(arriving.column_names), arriving, covered, run.first, run.within)
    transaction.upsert("prices", found.bars)
    transaction.append("restatements", found.restatements)
    # Rows on closed days belong to the session that follows them.
    bad = intake.quarantine["session"].to_numpy().astype("datetime64[D]")
    belongs = market.session_after(bad, 0)
    kept = np.isin(belongs, mine) | (bad > mine[-1])
    quarantine = intake.quarantine.filter(pa.array(kept))
    transaction.replace("quarantine", quarantine, _after_previous_session(market, since), last, symbols=intake.answered)
    asked = transaction.read(ASKED, {"market": market.name, "first": since, "last": last, "symbols": names})
    transaction.append("outcomes", numbered(intake.outcomes, asked))
    return Stored(found.restatements, intake.outcomes, intake.answered, intake.failed)


def cover(transaction: Transaction, market: Market, first: dt.date, last: dt.date, now: dt.datetime) -> pa.Table:
    """Write the coverage of the range and of the covered sessions before it; returns that of the range."""
    since = reread_start(market, first)
    span = {"market": market.name, "first": since, "last": last}
    before = transaction.read(COVERED, span)
    mine = np.union1d(before["session"].to_numpy().astype("datetime64[D]"), market.sessions_between(first, last))
    counted = list[pa.Table]()
    for symbols in np.array_split(market.symbols, 1 + len(market.symbols) * len(mine) // AT_ONCE):
        of_these = span | {"symbols": symbols.tolist()}
        present, quarantined = transaction.read(STORED, of_these), transaction.read(QUARANTINED, of_these)
        counted.append(coverage_rows(market, present, quarantined, since, last, symbols.tolist()))
    coverage = added(counted)
    coverage = asked_again(coverage.filter(pc.is_in(coverage["session"], pa.array(mine))), before, now)
    transaction.replace("coverage", coverage, since, last)
    return coverage.filter(pc.greater_equal(coverage["session"], pa.scalar(first)))


def _of(rows: pa.Table, sessions: np.ndarray, symbols: pa.Array) -> pa.Table:
    return rows.filter(pc.and_(pc.is_in(rows["session"], pa.array(sessions)), pc.is_in(rows["symbol"], symbols)))


def _after_previous_session(market: Market, first: dt.date) -> dt.date:
    """The day after the session before `first`."""
    before = market.sessions_between(market.start, first - dt.timedelta(days=1))
    return before[-1].item() + dt.timedelta(days=1) if len(before) else market.start
