"""The indicators of a range, from stored bars to stored rows, in bounded memory."""

import datetime as dt
from uuid import uuid4

import numpy as np
import pyarrow as pa

from market_pipeline.config.markets import Market
from market_pipeline.indicators.compute import compute_indicators
from market_pipeline.prices.history import History, read_history
from market_pipeline.storage.grids import Days, to_rows
from market_pipeline.storage.transaction import Transaction
from market_pipeline.storage.warehouse import Warehouse

AT_ONCE = 250_000
"""Bars whose indicators are computed together: a tenth of a gigabyte, and as much again as rows."""

IN_MEMORY = 8
"""Batches whose rows wait in memory; those of a larger market wait in a file, which takes time."""


def write_indicators(warehouse: Warehouse, market: Market, first: dt.date, last: dt.date) -> int:
    """Replace the indicators of the sessions from `first` to `last`, computed from all bars; returns the rows written.

    All in one transaction, and the warehouse is locked only while the rows are written. Those of a market that is too
    large for a few batches wait in a file until then.
    """
    history = read_history(warehouse, market, last)
    sessions = market.sessions_between(first, last)
    batches = np.array_split(np.arange(len(market.symbols)), 1 + history.close.size // AT_ONCE)
    parts = (indicator_rows(history.some(batch), sessions) for batch in batches)
    if len(batches) <= IN_MEMORY:
        return warehouse.replace("indicators", pa.concat_tables(parts), market.name, first, last)
    waiting = warehouse.scratch / f"{uuid4().hex}.indicators.new"
    try:
        nothing = indicator_rows(history.some(batches[0][:0]), sessions)
        with pa.OSFile(str(waiting), "wb") as file, pa.ipc.new_file(file, nothing.schema) as writer:
            for part in parts:
                writer.write_table(part)
        with pa.OSFile(str(waiting)) as file:  # the pages of a mapped file would count as memory of the process
            rows = pa.ipc.open_file(file)

            def replace(transaction: Transaction) -> int:
                transaction.replace("indicators", nothing, first, last)
                return sum(
                    transaction.append("indicators", pa.Table.from_batches([rows.get_batch(place)]))
                    for place in range(rows.num_record_batches)
                )

            return warehouse.write(market.name, replace)
    finally:
        waiting.unlink(missing_ok=True)


def indicator_rows(history: History, sessions: Days) -> pa.Table:
    """Rows of `indicators` for each bar of a history at `sessions`, which are its last ones."""
    start = history.sessions.size - sessions.size
    grids = {name: grid[:, start:] for name, grid in compute_indicators(history).items()}
    return to_rows(history.symbols, sessions, grids, history.present[:, start:])
