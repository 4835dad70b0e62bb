"""How bars are loaded, step by step: fetch, validate, refuse another scale, reconcile with stored bars, write, count.

What a step does is in the module that is named after it; this one holds their order and the SQL between them. Knows no
Dagster and no clock.
"""

import datetime as dt
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from market_pipeline.config.markets import Market
from market_pipeline.errors import SourceError
from market_pipeline.prices.coverage import COUNTED, count_symbols, coverage_rows
from market_pipeline.prices.restatements import Changes, reconcile, rescaled
from market_pipeline.prices.rules import LOOKBACK
from market_pipeline.prices.validation import Batch, validate
from market_pipeline.sources.protocol import BROUGHT, FAILED, Fetched, Outcome, Source, days_of, pieces_of
from market_pipeline.storage.grids import Days
from market_pipeline.storage.tables.prices import OUTCOMES, RESTATEMENTS
from market_pipeline.storage.transaction import Transaction
from market_pipeline.storage.warehouse import Warehouse

OVERLAP = 10
"""Sessions before the requested ones that are read again: vendors correct bars for about two weeks."""

AT_ONCE = 2_000_000
"""Bars whose coverage is counted at once."""

DAY = dt.timedelta(days=1)

COVERED = "select session, attempts from coverage where market = $market and session between $first and $last"
WITHIN = "select distinct symbol from prices where market = $market and session between $first and $last"
BEYOND = """
select distinct symbol from prices where market = $market and session not between $first and $last and final
"""
STORED = """
select * exclude (market) from prices
where market = $market and symbol in (select unnest($symbols)) and session between $first and $last
"""
FINAL = """
select symbol, session from prices
where market = $market and symbol in (select unnest($symbols)) and session between $first and $last and final
"""
QUARANTINED = """
select symbol, session from quarantine
where market = $market and symbol in (select unnest($symbols)) and session between $first and $last
"""
ATTEMPTS = """
select symbol, max(attempt) as attempt from outcomes
where market = $market and first_session = $first and last_session = $last group by symbol
"""


@dataclass(frozen=True)
class Run:
    """The sessions that a run loads, and what was stored of them when it began."""

    first: dt.date
    last: dt.date
    since: dt.date
    """The first session that is read again."""
    covered: Days
    """The sessions from `since` that were requested before."""
    sessions: Days
    """Those that may be written: the covered ones and those of the run, so that any order of runs ends the same."""
    compared_since: dt.date
    """The first session whose stored bars are compared."""
    within: tuple[str, ...]
    """Symbols with a bar from `since` to `last`."""
    beyond: tuple[str, ...]
    """Symbols with a final bar outside of these."""


@dataclass(frozen=True)
class Loaded:
    """What a run has written, but for the bars."""

    coverage: pa.Table
    """Rows of the run's sessions."""
    restatements: pa.Table
    outcomes: tuple[Outcome, ...]
    notes: tuple[str, ...]
    """What of the source could not be read."""

    @property
    def failed(self) -> dict[str, str]:
        """Symbol to cause, for those whose stored bars stay as they are."""
        return {one.symbol: f"{one.status}: {one.cause}" for one in self.outcomes if one.status in FAILED}


def load_prices(
    warehouse: Warehouse, source: Source, market: Market, symbols: Sequence[str], first: dt.date, last: dt.date,
    now: dt.datetime, log: logging.Logger,
) -> Loaded:  # fmt: skip
    """Load the bars of `symbols` from `first` to `last`, as the source has them at `now` (UTC).

    Every piece of the answer is compared with what was stored when the run began, whatever earlier pieces wrote. How
    far it is, and what of the source could not be read, goes to `log`. Raises SourceError where nothing arrived: the
    sessions do not count as loaded then, so that the next run asks for them again.
    """
    outcomes, notes, restatements = list[Outcome](), list[str](), [RESTATEMENTS.schema.empty_table()]
    run = begin(warehouse, market, first, last)
    for part, fetched in fetch(source, market, symbols, run):
        ended, restated = store(warehouse, market, validate(fetched, market, source.name, now), run, part, now)
        outcomes.extend(ended)
        restatements.append(restated)
        notes.extend(fetched.notes)
        for note in fetched.notes:
            log.warning("%s", note)
        log.info("%s: %d bars from %s to %s", market.name, len(fetched.bars), part.first, part.last)

    def loaded_with(coverage: pa.Table) -> Loaded:
        return Loaded(coverage, pa.concat_tables(restatements), tuple(outcomes), tuple(notes))

    return loaded_with(
        write_coverage(
            warehouse, market, run, now, lambda coverage: require_arrivals(loaded_with(coverage), market, source)
        )
    )


def require_arrivals(loaded: Loaded, market: Market, source: Source) -> None:
    """Raise SourceError if no symbol arrived at all, or none brought a bar of sessions that should have one."""
    if all(one.status in FAILED for one in loaded.outcomes):
        raise SourceError(
            f"{market.name}: no symbol arrived from {source.name}; what was stored stays as it was. "
            + "; ".join(f"{symbol}: {cause}" for symbol, cause in list(loaded.failed.items())[:3])
        )
    brought = any(one.status in BROUGHT for one in loaded.outcomes)
    expected, present, rejected = (sum(loaded.coverage[name].to_pylist()) for name in COUNTED[:3])
    if expected and not (brought and present + rejected):
        sessions = loaded.coverage["session"]
        days = days_of(source, market)
        raise SourceError(
            f"{market.name}: no symbol has a bar from {sessions[0]} to {sessions[-1]} in {source.name}. "
            + (
                f"It has bars from {days[0]} to {days[1]}: load sessions of these days, or add newer bars to it."
                if days
                else "If the market was open, the vendor may have an outage: load them again later."
            )
        )


def begin(warehouse: Warehouse, market: Market, first: dt.date, last: dt.date) -> Run:
    """A run of the sessions from `first` to `last`, and what is stored."""
    since = sessions_before(market, first, OVERLAP)
    span = rows_of(market, since, last)
    with warehouse.snapshot():
        covered = warehouse.read(COVERED, span)["session"].to_numpy().astype("datetime64[D]")
        within, beyond = (tuple(warehouse.read(sql, span)["symbol"].to_pylist()) for sql in (WITHIN, BEYOND))
    sessions = np.union1d(covered, market.sessions_between(first, last))
    return Run(first, last, since, covered, sessions, since, within, beyond)


def fetch(source: Source, market: Market, symbols: Sequence[str], run: Run) -> Iterator[tuple[Run, Fetched]]:
    """The pieces of the source's answer, each with the part of the run that it is for.

    Every piece has the LOOKBACK sessions before its own, which the rules need.
    """
    past, notes = list[pd.DataFrame](), tuple[str, ...]()
    for fetched in pieces_of(source, market, symbols, sessions_before(market, run.since, LOOKBACK), run.last):
        if fetched.days is None:
            yield run, fetched
            continue
        ends = fetched.days[1]
        bars = pd.concat([*past, fetched.bars], ignore_index=True)
        notes += fetched.notes
        if ends < run.first:  # nobody requested these days on their own
            past = [bars]
            continue
        yield part_of(run, market, *fetched.days), replace(fetched, bars=bars, notes=notes)
        recent = sessions_before(market, ends + DAY, LOOKBACK)
        past, notes = [bars[bars["session"] >= pd.Timestamp(recent)]], ()


def part_of(run: Run, market: Market, begins: dt.date, ends: dt.date) -> Run:
    """The part of a run for some of its days; the one with its first session has the covered ones before it."""
    sessions = market.sessions_between(max(begins, run.first), min(ends, run.last))
    first, last = sessions[0].item(), sessions[-1].item()
    since = run.since if first == run.first else first
    # A short piece alone could not show that a symbol is on another scale: bars of earlier pieces are compared as well.
    compared_since = max(run.since, sessions_before(market, first, LOOKBACK))
    covered, writable = (
        days[(days >= np.datetime64(since)) & (days <= np.datetime64(last))] for days in (run.covered, run.sessions)
    )
    return Run(first, last, since, covered, writable, compared_since, run.within, run.beyond)


def store(
    warehouse: Warehouse, market: Market, batch: Batch, run: Run, part: Run, now: dt.datetime
) -> tuple[tuple[Outcome, ...], pa.Table]:
    """Refuse another scale, reconcile with the stored bars, write; returns the outcomes and what was restated.

    Bars are compared while nobody waits for the lock, and compared again if another process has changed them meanwhile.
    """
    compared = rows_of(market, part.compared_since, part.last, batch.symbols)
    while True:
        with warehouse.snapshot():
            stored, state = warehouse.read(STORED, compared), warehouse.digest(STORED, compared)
        accepted = batch.without(rescaled(stored, batch.bars, run.beyond))
        arriving = accepted.bars_of(part.sessions)
        changes = reconcile(stored.select(arriving.column_names), arriving, part.covered, run.first, run.within)
        put = partial(write, market=market, batch=accepted, changes=changes, part=part, now=now)
        if warehouse.write(market.name, unless_changed({STORED: compared}, [state], put)):
            return accepted.outcomes, changes.restatements


def unless_changed(
    read: Mapping[str, Mapping[str, Any]], state: Sequence[tuple[int, int]], put: Callable[[Transaction], object]
) -> Callable[[Transaction], bool]:
    """A transaction that calls `put` if the queries of `read` still have the digests of `state`; whether it did."""

    def do(transaction: Transaction) -> bool:
        unchanged = [transaction.digest(sql, values) for sql, values in read.items()] == list(state)
        if unchanged:
            put(transaction)
        return unchanged

    return do


def write(
    transaction: Transaction, market: Market, batch: Batch, changes: Changes, part: Run, now: dt.datetime
) -> None:
    """Write new and changed bars, what was restated, the quarantine and the outcomes of one piece."""
    transaction.upsert("prices", changes.bars)
    transaction.append("restatements", changes.restatements)
    # Rows on closed days belong to the session that follows them.
    belongs = market.session_after(batch.quarantine["session"].to_numpy().astype("datetime64[D]"), 0)
    quarantine = batch.quarantine.filter(pa.array(np.isin(belongs, part.sessions)))
    earlier = market.sessions_between(market.start, part.since - DAY)
    since = earlier[-1].item() + DAY if len(earlier) else market.start
    transaction.replace("quarantine", quarantine, since, part.last, symbols=batch.answered)
    counted = transaction.read(ATTEMPTS, rows_of(market, part.first, part.last)).to_pylist()
    attempts = {row["symbol"]: row["attempt"] for row in counted}
    requested = {"first_session": part.first, "last_session": part.last, "asked_at": now.replace(tzinfo=None)}
    rows = [vars(one) | requested | {"attempt": attempts.get(one.symbol, 0) + 1} for one in batch.outcomes]
    transaction.append("outcomes", pa.Table.from_pylist(rows, OUTCOMES.schema))


def write_coverage(
    warehouse: Warehouse, market: Market, run: Run, now: dt.datetime, require: Callable[[pa.Table], None]
) -> pa.Table:
    """Count the stored bars of the run's sessions and of the covered ones before it; returns rows of the run's.

    `require` gets these before anything is written, and may raise. As in `store`, they are counted again if another
    process has changed them meanwhile.
    """
    span = rows_of(market, run.since, run.last)
    rows = rows_of(market, run.since, run.last, market.symbols)
    counted = {FINAL: rows, QUARANTINED: rows, COVERED: span}
    while True:
        with warehouse.snapshot():
            state = [warehouse.digest(sql, values) for sql, values in counted.items()]
            before = warehouse.read(COVERED, span)
        coverage = count_coverage(warehouse, market, run, before, now)
        of_run = coverage.filter(pc.greater_equal(coverage["session"], pa.scalar(run.first)))
        require(of_run)
        put = partial(Transaction.replace, table="coverage", arriving=coverage, first=run.since, last=run.last)
        if warehouse.write(market.name, unless_changed(counted, state, put)):
            return of_run


def count_coverage(warehouse: Warehouse, market: Market, run: Run, before: pa.Table, now: dt.datetime) -> pa.Table:
    """Rows of `coverage` for the sessions of a run and for those of `before`, which were covered."""
    sessions = np.union1d(before["session"].to_numpy().astype("datetime64[D]"), run.sessions)
    counts = np.zeros((len(COUNTED), len(sessions)), np.int32)
    for symbols in np.array_split(market.symbols, 1 + len(market.symbols) * len(sessions) // AT_ONCE):
        rows = rows_of(market, run.since, run.last, symbols.tolist())
        final, quarantined = warehouse.read(FINAL, rows), warehouse.read(QUARANTINED, rows)
        counts += count_symbols(market, symbols.tolist(), sessions, final, quarantined)
    return coverage_rows(sessions, counts, before, now)


def rows_of(market: Market, first: dt.date, last: dt.date, symbols: Sequence[str] | None = None) -> dict[str, Any]:
    """The parameters of a query for rows of a market from `first` to `last`, of all or of some symbols."""
    rows: dict[str, Any] = {"market": market.name, "first": first, "last": last}
    return rows if symbols is None else rows | {"symbols": list(symbols)}


def sessions_before(market: Market, first: dt.date, count: int) -> dt.date:
    """The session `count` sessions before `first`, or the market's first one."""
    before = market.sessions_between(market.start, first)
    start: dt.date = before[-min(count + 1, len(before))].item()
    return start
