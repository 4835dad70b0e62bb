"""Dense grids (symbols x sessions) and the long rows that tables hold; NaN in a grid is no row in a table.

Knows arrays and Arrow only: no calendar, no database, no meaning of a number.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Grid: TypeAlias = npt.NDArray[np.float64]
Features: TypeAlias = npt.NDArray[np.float32]
Mask: TypeAlias = npt.NDArray[np.bool_]
Days: TypeAlias = npt.NDArray[np.datetime64]


def to_grids(
    rows: pa.Table, symbols: Sequence[str], sessions: Days, columns: Sequence[str], *, day: str = "session"
) -> dict[str, Grid]:
    """Scatter long rows into a (symbols, sessions) grid per column; rows of other symbols or sessions are left out."""
    grids = empty_grids(symbols, sessions, columns)
    fill_grids(grids, rows, symbols, sessions, day=day)
    return grids


def empty_grids(symbols: Sequence[str], sessions: Days, columns: Sequence[str]) -> dict[str, Grid]:
    """A (symbols, sessions) grid of NaN per column."""
    return {name: np.full((len(symbols), len(sessions)), np.nan) for name in columns}


def fill_grids(
    grids: Mapping[str, Grid], rows: pa.Table, symbols: Sequence[str], sessions: Days, *, day: str = "session"
) -> None:
    """Scatter some of the rows of a whole into its grids."""
    if not len(sessions):
        return
    across = pc.index_in(rows["symbol"].combine_chunks(), value_set=pa.array(symbols, pa.string()))
    row = across.fill_null(-1).to_numpy(zero_copy_only=False)
    when = rows[day].to_numpy().astype("datetime64[D]")
    column = np.minimum(np.searchsorted(sessions, when), len(sessions) - 1)
    inside = (row >= 0) & (sessions[column] == when)
    taken = slice(None) if inside.all() else inside
    place = row[taken] * np.int64(len(sessions)) + column[taken]
    for name, grid in grids.items():
        grid.reshape(-1)[place] = rows[name].to_numpy().astype(np.float64, copy=False)[taken]


def to_rows(
    symbols: Sequence[str], sessions: Days, grids: Mapping[str, Grid], present: Mask, *, day: str = "session"
) -> pa.Table:
    """One row for each True of `present` (symbols, sessions), by session then symbol; NaN becomes NULL."""
    column, row = np.nonzero(present.T)
    names = pa.array(symbols, pa.string())
    place = row * np.int64(len(sessions)) + column
    return pa.table(
        {
            "symbol": names.take(pa.array(row)),
            day: pa.array(sessions[column].astype("datetime64[D]"), pa.date32()),
            **{
                name: pa.array(np.ascontiguousarray(grid).reshape(-1)[place], from_pandas=True)
                for name, grid in grids.items()
            },
        }
    )
