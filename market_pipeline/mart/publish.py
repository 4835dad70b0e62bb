"""Publish the mart: a new file, complete, then one rename. A reader of the old file keeps it.

A mart is of one moment: while the warehouse is read, no other process can write to it. One process publishes at a time,
and reads the warehouse when it is its turn, so no mart replaces one of a later moment.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from market_pipeline import __version__
from market_pipeline.config.markets import Market
from market_pipeline.mart.ages import ages_of
from market_pipeline.mart.changes import CHANGED, ROWS
from market_pipeline.mart.listing import NEWEST_REQUESTS, SYMBOL_ROWS
from market_pipeline.mart.renewal import PARTITIONED, Renewal, renew, renewal_of
from market_pipeline.prices.adjustment import backward_adjusted
from market_pipeline.prices.history import read_history
from market_pipeline.scores.verdicts import BEATS_BASELINE
from market_pipeline.storage.catalog import MART, MART_VIEWS, PUBLISHED
from market_pipeline.storage.grids import to_rows
from market_pipeline.storage.publication import copy_whole, note_digest
from market_pipeline.storage.schema import ARROW, Table, comments, quoted
from market_pipeline.storage.tables.forecasts import BASELINE
from market_pipeline.storage.tables.mart import AGE, EARLIER_SIGNALS, PUBLISHED_PRICES, PUBLISHED_SIGNALS
from market_pipeline.storage.tables.scores import SIGNAL_QUESTIONS
from market_pipeline.storage.unusable import usable
from market_pipeline.storage.upgrade import SCHEMA_VERSION
from market_pipeline.storage.warehouse import Warehouse
from market_pipeline.storage.whole_files import alone, beside, put_in_place
from market_pipeline.storage.writes import NEWEST

ATTACHED = "attach {} as mart (read_write, storage_version 'v1.2.0')"
"""The version is old enough for the DuckDB of a reader's notebook, whatever this process runs."""

PRICES = f"""
select {", ".join(PUBLISHED_PRICES.names)} from prices join adjusted using (market, symbol, session) where final
"""
SIGNAL_ROWS = f"""
with champion as (select market, horizon, question, max_by(model, since) as model from champions group by all),
judged as (
    select l.market, l.horizon, l.model, l.verdict,
        string_agg(l.question, ', ' order by list_position({list(SIGNAL_QUESTIONS)}, l.question)) as question
    from leaderboard l left join champion c using (market, horizon, question)
    where l.question in {SIGNAL_QUESTIONS} and l.model <> '{BASELINE}'
        and (l.verdict = '{BEATS_BASELINE}' or c.model = l.model)
    group by all
)
select {", ".join(PUBLISHED_SIGNALS.names)} from signals left join judged using (market, horizon, model, verdict)
"""
META_ROWS = f"""
select $now::timestamp as published_at, $before::timestamp as compared_with, $source as source,
    $version as code_version, $schema_version::integer as schema_version, market, newest_session, {", ".join(AGE)},
    last_write, $appended::bigint as appended_rows
from newest left join ages using (market) order by market
"""
NEWEST_SESSIONS = f"""
select market, max(session) as newest_session, any_value(last_write) as last_write
from prices left join ({NEWEST}) using (market) where final group by market
"""
ROWS_OF = {PUBLISHED_PRICES.name: PRICES, PUBLISHED_SIGNALS.name: SIGNAL_ROWS}
"""Queries of the tables that have columns beside those of the warehouse."""

EARLIER = (
    f"select {', '.join(EARLIER_SIGNALS.names)} from earlier.signals order by market, {', '.join(EARLIER_SIGNALS.key)}"
)
EARLIER_ROWS = pa.schema([(column.name, ARROW[column.type]) for column in EARLIER_SIGNALS.columns])

NEWEST_BARS = """
select symbol, max(session) as session, max_by(close, session) as close from prices
where market = $market and final and session in (select unnest($sessions)) group by symbol order by symbol
"""


def publish(
    warehouse: Warehouse,
    markets: Sequence[Market],
    path: Path,
    now: dt.datetime | None = None,
    meanwhile: Callable[[], None] | None = None,
) -> dict[str, int]:
    """Write everything readers get to a new file beside `path`, then put it in its place; rows by table.

    `now` (UTC) is the time of publication, and without it the time when the warehouse is read. `meanwhile` is called
    when the file is in its place, while another thread reads it once more for its digest. Raises WarehouseError when
    the warehouse stays locked, or another process publishes for long; the published file is then the one before.
    """
    new, log = beside(path, "new"), beside(path, "new.wal")
    with alone(path, "published"), usable(path, "Publish it again."):
        for left in (new, log):  # by a process that was killed
            left.unlink(missing_ok=True)
        try:
            with warehouse.snapshot() as connection:
                now = now or dt.datetime.now(dt.UTC)
                renewal = renewal_of(connection, path)
                with ThreadPoolExecutor(1) as pool:
                    copied = pool.submit(copy_whole, path, new) if renewal else None
                    adjusted = [adjusted_closes(warehouse, market, now.date()) for market in markets]
                    asked = connection.execute(NEWEST_REQUESTS).to_arrow_table()
                if copied and not copied.result():
                    renewal = None
                newest = copy_tables(connection, new, pa.concat_tables(adjusted), renewal)
            appended = renewal.appended if renewal else 0
            values = {"now": now.replace(tzinfo=None), "source": warehouse.source, "appended": appended}
            sessions = dict(zip(*newest.select(["market", "newest_session"]).to_pydict().values(), strict=True))
            ages = ages_of(markets, sessions, now)
            given = {"newest": newest, "ages": ages, "asked": asked, "configured": configured_symbols(markets)}
            with duckdb.connect(config=dict(warehouse.config)) as connection:
                counts = complete(connection, new, path, given, values)
            put_in_place(new, path)
            with ThreadPoolExecutor(1) as pool:
                noted = pool.submit(note_digest, path)
                if meanwhile:
                    meanwhile()
            noted.result()
        finally:
            for left in (new, log):
                left.unlink(missing_ok=True)
    return counts


def copy_tables(
    connection: duckdb.DuckDBPyConnection, new: Path, adjusted: pa.Table, renewal: Renewal | None
) -> pa.Table:
    """Copy what is published of a snapshot to the file `new`, in its transaction; `adjusted` has adj_close.

    With `renewal`, the file is a copy of the published mart, and what is unchanged stays. Returns each market with its
    newest session and its last transaction.
    """
    connection.register("adjusted", adjusted)
    connection.execute(ATTACHED.format(quoted(str(new))))
    try:
        for table in (PUBLISHED_PRICES, PUBLISHED_SIGNALS, *PUBLISHED):
            columns = ", ".join(column.name for column in table.columns if column.published)
            rows = ROWS_OF.get(table.name, f"select {columns} from {table.name}")
            if renewal and table in PARTITIONED:
                renew(connection, table, rows, order_of(table), renewal)
            else:
                connection.execute(f"create or replace table mart.{table.name} as {rows} order by {order_of(table)}")
        newest = connection.execute(NEWEST_SESSIONS).to_arrow_table()
        connection.execute("commit")
    except BaseException:
        with suppress(duckdb.Error):  # what a full disk has ended already
            connection.execute("rollback")
        raise
    finally:
        connection.execute("detach database if exists mart")
    return newest


def complete(
    connection: duckdb.DuckDBPyConnection, new: Path, path: Path, given: Mapping[str, pa.Table],
    values: Mapping[str, Any],
) -> dict[str, int]:  # fmt: skip
    """Add to the mart `new` what needs no warehouse: changes since the one at `path`, meta, descriptions, views.

    `given` has `newest` and `ages` with a row per market, and what SYMBOL_ROWS reads; `values` has `now`, `source` and
    `appended` for META_ROWS. Returns the rows by table.
    """
    connection.execute(ATTACHED.format(quoted(str(new))))
    before, earlier, found = changes_since(connection, path)
    for name, rows in {"earlier": earlier, "found": found, **given}.items():
        connection.register(name, rows)
    connection.execute("create or replace table mart.earlier_signals as from earlier")
    connection.execute("create or replace table mart.changes as from found")
    connection.execute(f"create or replace table mart.symbols as {SYMBOL_ROWS}")
    versions = {"before": before, "version": __version__, "schema_version": SCHEMA_VERSION}
    connection.execute(f"create or replace table mart.meta as {META_ROWS}", {**values, **versions})
    connection.execute("use mart")
    describe(connection)
    counts = {name: len(connection.table(name)) for name in MART if name != "meta"}
    connection.execute("checkpoint mart")
    return counts


def describe(connection: duckdb.DuckDBPyConnection) -> None:
    """Put the descriptions beside tables and columns, and make the views; in one transaction, which is faster."""
    connection.execute("begin")
    for table in MART.values():
        columns = tuple(column for column in table.columns if column.published)
        for statement in comments("table", table.name, table.description, columns):
            connection.execute(statement)
    for view in MART_VIEWS:
        for statement in view.ddl():
            connection.execute(statement)
    connection.execute("commit")


def order_of(table: Table) -> str:
    """The order of a table's rows in the mart. Sorting by a key is faster than by all columns, and unique as well."""
    key = table.order or table.key
    return ", ".join(("market", *key)) if key else "all"


def changes_since(connection: duckdb.DuckDBPyConnection, path: Path) -> tuple[dt.datetime | None, pa.Table, pa.Table]:
    """When the mart at `path` was published, its signals, and what is new since then in the attached `mart`.

    None and no rows where there is nothing to compare with: no mart, or one that is damaged, of another version or
    without prices. It is about to be replaced, and `meta.compared_with` shows that nothing was compared.
    """
    published, signals, changes = None, EARLIER_ROWS.empty_table(), ROWS.empty_table()
    if path.exists():
        with suppress(duckdb.Error):
            connection.execute(f"attach {quoted(str(path))} as earlier (read_only)")
            newest = connection.execute("select max(published_at) from earlier.meta").fetchone()
            found = connection.execute(CHANGED).to_arrow_table().select(ROWS.names).cast(ROWS)
            before = connection.execute(EARLIER).to_arrow_table().cast(EARLIER_ROWS)
            if newest and newest[0]:
                published, signals, changes = newest[0], before, found
        connection.execute("detach database if exists earlier")
    return published, signals, changes


def configured_symbols(markets: Sequence[Market]) -> pa.Table:
    """Every symbol of the configuration: market, symbol."""
    pairs = [{"market": market.name, "symbol": symbol} for market in markets for symbol in market.symbols]
    return pa.Table.from_pylist(pairs, pa.schema({"market": pa.string(), "symbol": pa.string()}))


def adjusted_closes(warehouse: Warehouse, market: Market, until: dt.date) -> pa.Table:
    """Closes adjusted backwards from each symbol's newest bar: market, symbol, session, adj_close.

    Symbols that left the configuration are included: what was published of them stays.
    """
    sessions = market.sessions_between(market.start, until).tolist()
    newest = warehouse.read(NEWEST_BARS, {"market": market.name, "sessions": sessions})
    closes = dict(zip(newest["symbol"].to_pylist(), newest["close"].to_pylist(), strict=True))
    symbols = tuple(dict.fromkeys((*market.symbols, *closes)))
    # Up to the newest bar, as the other steps of a run read it: they share one history.
    until = max(newest["session"].to_pylist(), default=until)
    history = read_history(warehouse, replace(market, symbols=symbols), until)
    adjusted = backward_adjusted(history.close, np.array([closes.get(symbol, np.nan) for symbol in symbols]))
    rows = to_rows(symbols, history.sessions, {"adj_close": adjusted}, history.present)
    return rows.append_column("market", pa.repeat(market.name, rows.num_rows))
