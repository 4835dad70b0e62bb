import datetime as dt
from collections.abc import Iterator, Sequence
from typing import IO

import numpy as np
import pyarrow as pa
import pytest

from market_pipeline.errors import SourceError
from market_pipeline.sources import spill
from market_pipeline.sources.spill import by_group, gathered

SCHEMA = pa.schema(
    [("symbol", pa.int32()), ("session", pa.date32()), ("close", pa.float64()), ("splits", pa.float64())]
)
GROUPS = [np.array([1, 4]), np.array([3]), np.array([0, 2])]


@pytest.fixture(params=[0, 100, 1 << 20], ids=["on disk", "partly on disk", "in memory"])
def kept(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spill, "KEPT", request.param)
    monkeypatch.setattr(spill, "AT_ONCE", 4)


def piece(symbols: Sequence[int], closes: Sequence[float], **more: Sequence[float | None]) -> pa.Table:
    days = [dt.date(2024, 1, 1)] * len(symbols)
    return pa.table({"symbol": symbols, "session": days, "close": closes, **more}).cast(
        pa.schema([SCHEMA.field(name) for name in ("symbol", "session", "close", *more)])
    )


@pytest.mark.usefixtures("kept")
def test_rows_of_a_symbol_come_together_in_the_order_in_which_they_came() -> None:
    pieces = [piece([4, 2, 1, 4, 1], [1, 2, 3, 4, 5]), piece([], []), piece([1, 0, 4], [6, 7, 8])]
    tables = list(by_group(pieces, SCHEMA, GROUPS))
    assert [table["symbol"].to_pylist() for table in tables] == [[1, 1, 1, 4, 4, 4], [], [0, 2]]
    assert [table["close"].to_pylist() for table in tables] == [[3, 5, 6, 1, 4, 8], [], [7, 2]]
    assert all(table.schema == SCHEMA for table in tables)


@pytest.mark.usefixtures("kept")
def test_what_a_piece_lacks_is_null_and_what_is_no_number_is_not() -> None:
    pieces = [
        piece([0, 1, 2, 3, 0], [1, 2, 3, 4, 5], splits=[2, np.nan, 1, 1, 3]),
        piece([0, 1, 3], [6, 7, 8]),
        piece([1], [9], splits=[0]),
    ]
    splits = [table["splits"].combine_chunks() for table in by_group(pieces, SCHEMA, GROUPS)]
    assert [column.is_null().to_pylist() for column in splits] == [
        [False, True, False], [False, True], [False, False, True, False]
    ]  # fmt: skip
    assert [column.drop_null().to_pylist() for column in splits[1:]] == [[1], [2, 3, 1]]
    np.testing.assert_array_equal(splits[0].drop_null().to_numpy(), [np.nan, 0])


@pytest.mark.usefixtures("kept")
def test_no_rows_are_empty_tables() -> None:
    assert [table.num_rows for table in by_group([SCHEMA.empty_table()], SCHEMA, GROUPS)] == [0, 0, 0]


@pytest.mark.usefixtures("kept")
def test_as_many_random_rows_as_a_plain_sort_has() -> None:
    draw = np.random.default_rng(3)
    symbols, closes = draw.integers(0, 5, 500), draw.normal(size=500)
    cuts = np.split(np.arange(500), np.sort(draw.integers(0, 500, 20)))
    pieces = (piece(symbols[cut].tolist(), closes[cut].tolist()) for cut in cuts)
    for places, table in zip(GROUPS, by_group(pieces, SCHEMA, GROUPS), strict=True):
        expected = np.concatenate([closes[symbols == place] for place in places])
        np.testing.assert_array_equal(table["close"].to_numpy(), expected)


def test_rows_are_gathered_and_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spill, "AT_ONCE", 4)
    sizes = [1, 2, 2, 0, 9, 3]
    pieces: Iterator[pa.Table] = (piece([0] * size, [0.0] * size) for size in sizes)
    assert [table.num_rows for table in gathered(pieces)] == [4, 1, 4, 4, 1, 3]


def test_a_full_disk_says_which_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(prefix: str) -> IO[bytes]:
        assert prefix
        return open("/dev/full", "r+b", buffering=0)  # noqa: PTH123  by_group closes it

    monkeypatch.setattr(spill, "KEPT", 0)
    monkeypatch.setattr(spill, "TemporaryFile", full)
    with pytest.raises(SourceError, match=r"No space left on device\. Make room there, or set TMPDIR"):
        list(by_group([piece([0], [1.0])], SCHEMA, GROUPS))
